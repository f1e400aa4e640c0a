"""An abstention that nobody waits for is stored; a reader gets it only where somebody asked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_node.cli.study_lines import study_lines
from dicom_node.operations import studies
from inference.types import Case, Exclusion, Findings
from storage.studies import orders, revisions
from storage.studies.orders import Order
from tests.contract.storing import PIPELINE
from tests.work_bench import Bench, Numbers


class Quiet(Numbers):
    """It has nothing to say, and says so quietly, unless it is told to be `loud`."""

    loud = False

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        self.on_conclude()
        return self.abstain(exclusions, "nothing to compare it with.")

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        return replace(super().abstain(exclusions, why), quiet=not self.loud)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, maximum_attempts=1)
    made.pipeline = Quiet()
    made.engine = made.new_engine()
    made.receive(1)
    made.complete()
    yield made
    made.database.close()


def run(bench: Bench) -> None:
    bench.engine = bench.new_engine()
    bench.run_until(bench.reported)


def rerun(bench: Bench) -> None:
    order = Order(actor="eve", at=datetime.now(UTC), reason="look again", pipelines=[PIPELINE])
    with bench.database.write() as tx:
        orders.rerun(tx, 1, order)
    run(bench)


def sent(bench: Bench) -> list[tuple[int, str]]:
    """Revision and outcome of each report that has objects, for the readers."""
    assert len(bench.study().deliveries) == sum(bool(it.objects) for it in bench.study().reports)
    return [(it.revision, it.outcome) for it in bench.study().reports if it.objects]


def test_it_is_stored_and_shown_and_nothing_is_sent(bench: Bench) -> None:
    run(bench)
    assert sent(bench) == []
    shown = "\n".join(study_lines(studies.show_study(bench.database, "eve", "1"), verbose=False))
    assert f"{PIPELINE}, revision 1: abstained" in shown
    assert ", stored only" in shown
    assert "nothing to compare it with" in shown


def test_who_asks_for_the_report_gets_it(bench: Bench) -> None:
    run(bench)
    rerun(bench)
    assert sent(bench) == [(2, "abstained")]


def test_readers_of_an_earlier_report_hear_that_it_no_longer_holds(bench: Bench) -> None:
    assert isinstance(bench.pipeline, Quiet)
    bench.pipeline.loud = True
    run(bench)
    bench.pipeline.loud = False
    bench.pipeline.version = "2"
    with bench.database.write() as tx:
        revisions.revise(tx, 1, datetime.now(UTC), [PIPELINE])
    run(bench)
    assert sent(bench) == [(1, "abstained"), (2, "abstained")]


def test_a_failure_that_nobody_waits_for_is_stored_too(bench: Bench) -> None:
    def fail() -> None:
        raise ValueError

    bench.pipeline.on_conclude = fail
    run(bench)
    assert sent(bench) == []
    [report] = bench.study().reports
    assert "technical failure" in report.findings_json
    assert bench.study().revisions[-1].failures
