"""Whose rules an instance is judged by, and what its pixels may still say against it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import Dataset
from sqlalchemy import select

from inference.errors import InstanceExcludedError
from inference.exclusions import SCHEME
from inference.types import Code, Selected, Verdict
from storage import tables
from tests.contract.storing import open_association, received, store
from tests.unit.ultrasound_files import cine, save
from tests.work_bench import Bench, Numbers


class Choosy(Numbers):
    """Writes down who asked for which profile, and sees colour in the second instance."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[int, str | None] = {}

    def select(self, header: Dataset, profile: str | None = None) -> Selected:
        selected = super().select(header, profile)
        self.asked[selected.instance.instance_number or 0] = profile
        return replace(selected, verdicts=(Verdict("cine", True, "6 frames"),))

    def look(self, instance: Path, selected: Selected) -> int:
        if selected.instance.instance_number == 2:
            verdict = Verdict("grey_tissue", False, "12.0% of the picture is colour")
            raise InstanceExcludedError(verdict, Code("COLOUR_FLOW", SCHEME, "Colour flow"))
        return super().look(instance, selected)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.pipeline = Choosy()
    made.engine = made.new_engine(profiles={"old cart": "vendor-neutral"})
    yield made
    made.database.close()


def receive(bench: Bench, number: int, peer: str) -> None:
    file = save(cine(InstanceNumber=number), bench.folder / "cine.dcm")
    digest = bench.spool.put(file.read_bytes()).digest
    at = datetime.now(UTC) - timedelta(seconds=1)
    instance = replace(received(number), digest=digest, received_at=at, peer=peer)
    store(bench.database, instance)


def test_a_peer_with_a_profile_of_its_own_has_its_loops_judged_by_it(bench: Bench) -> None:
    open_association(bench.database)
    receive(bench, 1, "cart")
    receive(bench, 3, "old cart")
    bench.run_until(bench.all_ended)
    assert isinstance(bench.pipeline, Choosy)
    assert bench.pipeline.asked == {1: None, 3: "vendor-neutral"}


def test_what_the_pixels_speak_against_is_kept_as_a_rejection_with_all_verdicts(
    bench: Bench,
) -> None:
    open_association(bench.database)
    receive(bench, 2, "old cart")
    bench.run_until(bench.all_ended)
    assert set(bench.jobs().values()) == {("done", 1, None)}
    with bench.database.read() as tx:
        made = tx.execute(select(tables.Preparation)).one()
        assert not made.selected
        assert made.features is None
        assert (made.reason_code, made.detail) == ("COLOUR_FLOW", "12.0% of the picture is colour")
        verdicts = json.loads(made.verdicts_json)
        assert [(verdict["rule"], verdict["passed"]) for verdict in verdicts] == [
            ("cine", True),
            ("grey_tissue", False),
        ]
