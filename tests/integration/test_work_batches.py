"""Loops in batches: a bad one fails alone, a deadly one dies alone, a report waits for one."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from sqlalchemy import select

from dicom_node.report import NodeIdentity
from dicom_node.work.batch import BatchSize
from dicom_node.work.engine import Engine
from dicom_node.work.reporting import Reporter
from inference.dicom.header import instance_ref
from inference.errors import InferenceError, LoopUnreadableError
from inference.types import Encoded, Exclusion, Features, Findings, ModelCard, Selected, Standing
from storage import index, jobs, schema
from storage.engine import Database, upgrade
from storage.jobs import JobKind
from storage.spool import Spool
from tests.contract.storing import PIPELINE, end_association, open_association, received, store
from tests.peers import wait_until
from tests.unit.ultrasound_files import cine, save


class Numbers:
    """A pipeline whose feature is the instance number; what it is told to do, it does."""

    name, version = PIPELINE, "1"
    model = ModelCard("x", "1", "x", "1", "d" * 64, "1.2", Standing.UNTRAINED, "")

    def __init__(self) -> None:
        self.unreadable: set[int] = set()
        self.bad: set[int] = set()
        self.batches: list[list[int]] = []
        self.on_encode: Callable[[Sequence[int]], None] = lambda _: None

    def concerns(self, sop_class_uids: Sequence[str]) -> bool:
        return True

    def select(self, header: Dataset) -> Selected:
        return Selected(instance_ref(header), (), {})

    def look(self, instance: Path, selected: Selected) -> int:
        number = selected.instance.instance_number or 0
        if number in self.unreadable:
            raise LoopUnreadableError("no picture")
        return number

    def encode(self, looks: Sequence[int]) -> list[Features]:
        self.batches.append(list(looks))
        self.on_encode(looks)
        if self.bad.intersection(looks):
            raise InferenceError("not finite")
        return [Features({"n": np.array([n], np.float32)}, (1,)) for n in looks]

    def conclude(self, case: Sequence[Encoded], exclusions: Sequence[Exclusion]) -> Findings:
        self.batches.append([])
        return self.abstain(exclusions, "none")

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        return Findings("t", self.model, abstention=why)


class Bench:
    """A database, a spool and an engine on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        upgrade(self.database)
        self.spool = Spool(folder / "spool", low_water_bytes=0)
        self.pipeline = Numbers()
        self.engine = self.new_engine()

    def new_engine(self) -> Engine:
        identity = NodeIdentity("m", "m", "1", "S")
        return Engine(
            self.database,
            self.spool,
            {PIPELINE: self.pipeline},
            Reporter(self.spool, identity),
            [],
            owner="here:1:boot.1",
            lease_s=30,
            maximum_attempts=3,
        )

    def receive(self, count: int) -> None:
        """Instances 1 to `count` of one study, a second ago."""
        at = datetime.now(UTC) - timedelta(seconds=1)
        open_association(self.database)
        for number in range(1, count + 1):
            file = save(cine(InstanceNumber=number), self.folder / "cine.dcm")
            digest = self.spool.put(file.read_bytes()).digest
            store(self.database, replace(received(number), digest=digest, received_at=at))
        end_association(self.database)

    def run_until(self, done: Callable[[], bool]) -> None:
        thread = threading.Thread(target=self.engine.run, daemon=True)
        thread.start()
        try:
            wait_until(done, 20, "the engine did its work")
        finally:
            self.engine.stop()
            thread.join(10)
        assert not thread.is_alive()

    def jobs(self) -> dict[int, tuple[str, int, str | None]]:
        """State, attempt and error of each `prepare` job, by instance."""
        job = schema.Job
        with self.database.read() as tx:
            rows = tx.execute(
                select(job.instance_id, job.state, job.attempt, job.error_code).where(
                    job.kind == JobKind.PREPARE
                )
            )
            return {row[0]: (row[1].value, row[2], row[3]) for row in rows}

    def all_ended(self) -> bool:
        return all(state in {"done", "failed"} for state, _, _ in self.jobs().values())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.database.close()


def test_loops_are_encoded_in_growing_batches_each_once(bench: Bench) -> None:
    bench.receive(12)
    bench.run_until(bench.all_ended)
    assert sorted(number for batch in bench.pipeline.batches for number in batch) == list(
        range(1, 13)
    )
    assert max(map(len, bench.pipeline.batches)) > 1
    assert set(bench.jobs().values()) == {("done", 1, None)}


def test_a_bad_loop_and_an_unreadable_one_fail_alone(bench: Bench) -> None:
    bench.receive(12)
    bench.pipeline.bad, bench.pipeline.unreadable = {7}, {9}
    bench.run_until(bench.all_ended)
    states = bench.jobs()
    assert states.pop(7) == ("failed", 1, "INFERENCE")
    assert set(states.values()) == {("done", 1, None)}  # unreadable is a rejection, not a failure
    with bench.database.read() as tx:
        selected = dict(
            tx.execute(select(schema.Preparation.instance_id, schema.Preparation.selected)).all()
        )
    assert [number for number, kept in selected.items() if not kept] == [9]


def test_stopping_finishes_the_batch_and_hands_back_the_next(bench: Bench) -> None:
    bench.receive(12)
    bench.pipeline.on_encode = lambda _: bench.engine.stop()
    bench.run_until(lambda: bool(bench.pipeline.batches))
    states = list(bench.jobs().values())
    assert states.count(("done", 1, None)) == len(bench.pipeline.batches[0])
    assert states.count(("queued", 0, None)) == 12 - len(bench.pipeline.batches[0])


def test_what_may_have_killed_a_worker_runs_alone_and_costs_no_other_an_attempt(
    bench: Bench,
) -> None:
    bench.receive(8)
    with bench.database.write() as tx:  # a worker that held all of them died
        jobs.claim(tx, owner="dead", now=datetime.now(UTC), lease_s=30, limit=8)
    with bench.database.write() as tx:
        assert jobs.rescue(tx, datetime.now(UTC), lambda owner: owner == "dead") == 8
    held: list[int] = []

    def count_held(_: Sequence[int]) -> None:
        held.append(sum(state == "running" for state, _, _ in bench.jobs().values()))

    bench.pipeline.on_encode = count_held
    bench.run_until(bench.all_ended)
    assert held == [1] * 8
    assert set(bench.jobs().values()) == {("done", 2, None)}


def test_a_job_whose_worker_died_each_time_is_set_aside(bench: Bench) -> None:
    bench.receive(3)
    for _ in range(3):
        with bench.database.write() as tx:
            jobs.claim(tx, owner="dead", now=datetime.now(UTC), lease_s=30, limit=1)
            jobs.rescue(tx, datetime.now(UTC), lambda owner: owner == "dead")
        with bench.database.write() as tx:  # it goes to the front again
            tx.execute(
                schema.Job.__table__.update()  # type: ignore[attr-defined]
                .where(schema.Job.id == 1)
                .values(available_at=datetime(2020, 1, 1, tzinfo=UTC))
            )
    bench.run_until(bench.all_ended)
    assert bench.jobs() == {
        1: ("failed", 4, "WORKER_DIED"),
        2: ("done", 1, None),
        3: ("done", 1, None),
    }


def test_a_report_waits_for_one_batch_at_most(bench: Bench) -> None:
    bench.receive(1)
    bench.run_until(bench.all_ended)
    with bench.database.write() as tx:
        index.complete_study(tx, 1, datetime(2200, 1, 1, tzinfo=UTC), [])
    bench.pipeline.batches.clear()
    other = [
        replace(
            received(number, association="a2"),
            study_instance_uid="1.2.10",
            patient_id="P2",
            received_at=datetime.now(UTC) - timedelta(seconds=1),
            digest=bench.spool.put(
                save(cine(InstanceNumber=number), bench.folder / "cine.dcm").read_bytes()
            ).digest,
        )
        for number in range(21, 33)
    ]
    open_association(bench.database, "a2")
    for instance in other:
        store(bench.database, instance)

    def study_completes(looks: Sequence[int]) -> None:
        if looks[0] == 21:
            with bench.database.write() as tx:
                jobs.queue_conclude(tx, 1, 1, datetime.now(UTC), [PIPELINE])

    bench.engine = bench.new_engine()
    bench.pipeline.on_encode = study_completes
    bench.run_until(bench.all_ended)
    assert bench.pipeline.batches[0][0] == 21
    assert bench.pipeline.batches[1] == []  # the report


def test_batches_grow_while_they_are_short_and_shrink_when_they_are_long() -> None:
    size = BatchSize()
    grown = []
    for _ in range(6):
        size.learn(size.loops, 0.01 * size.loops)
        grown.append(size.loops)
    assert grown == [2, 4, 8, 16, 16, 16]
    size.learn(16, 8.0)
    assert size.loops == 1
