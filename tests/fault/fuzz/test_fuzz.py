"""A short campaign on each target, and every input that once failed."""

from random import Random

import pytest

from tests.fault.fuzz import campaign
from tests.fault.fuzz.__main__ import SEEDS, TARGETS, inputs, regressions
from tests.fault.fuzz.limits import watching

INPUTS = {"pdu": 600, "reading": 4000, "dataset": 600}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS)
def test_no_input_raises_hangs_or_fills_the_memory(
    target: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keep = tmp_path_factory.mktemp("fuzz")
    tally = campaign.run(TARGETS[target], inputs(target, Random(1)), INPUTS[target], keep)
    assert tally.inputs == INPUTS[target]
    assert tally.findings == {}, f"reproducers are in {keep}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS)
def test_what_once_failed_does_no_more(target: str) -> None:
    with watching() as guarded:
        for data in [*SEEDS[target](), *regressions(target)]:
            guarded(TARGETS[target], data)
