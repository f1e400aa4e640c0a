"""Loops in batches: a bad one fails alone, a deadly one dies alone, a report waits for one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from dicom_node.work.batch import BatchSize
from storage import tables
from storage.states import DueReason
from storage.studies.revisions import complete_study
from storage.work import jobs
from tests.contract.storing import PIPELINE, open_association, received, store
from tests.unit.ultrasound_files import cine, save
from tests.work_bench import Bench


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
            tx.execute(select(tables.Preparation.instance_id, tables.Preparation.selected)).all()
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
        jobs.claim(
            tx, owner="dead", now=datetime.now(UTC), lease_s=30, limit=8, pipelines=[PIPELINE]
        )
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
            jobs.claim(
                tx, owner="dead", now=datetime.now(UTC), lease_s=30, limit=1, pipelines=[PIPELINE]
            )
            jobs.rescue(tx, datetime.now(UTC), lambda owner: owner == "dead")
        with bench.database.write() as tx:  # it goes to the front again
            tx.execute(
                tables.Job.__table__.update()  # type: ignore[attr-defined]
                .where(tables.Job.id == 1)
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
        complete_study(tx, 1, datetime(2200, 1, 1, tzinfo=UTC), [], reason=DueReason.ORDERED)
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
        size.learn(size.instances, 0.01 * size.instances)
        grown.append(size.instances)
    assert grown == [2, 4, 8, 16, 16, 16]
    size.learn(16, 8.0)
    assert size.instances == 1
