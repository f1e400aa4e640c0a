"""No job runs in circles, none starves another, and work for a pipeline that nobody runs is told.

The engines are real and run until their work is done; the pipelines do what a test tells them to.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from dicom_node.report import NodeIdentity
from dicom_node.study.clock import Clock
from dicom_node.work.case_report import Recipient, Reporter
from dicom_node.work.job_runner import JobRunner
from storage import tables
from storage.alarms import about_work
from storage.audit import trail
from storage.audit.trail import Action
from storage.states import DueReason, JobKind, Outcome
from storage.studies import orders
from storage.studies.orders import Order
from storage.studies.revisions import complete_study
from storage.work import jobs, roster
from tests.contract.storing import PIPELINE, end_association, open_association, received, store
from tests.peers import wait_until
from tests.scp_listening import item, listening, send
from tests.unit.ultrasound_files import cine, save
from tests.work_bench import Bench, Numbers

ADDED = "added"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("dicom_node.retry_decision._FIRST_RETRY_S", 0.02)
    monkeypatch.setattr("dicom_node.retry_decision._LONGEST_RETRY_S", 0.05)
    made = Bench(tmp_path)
    yield made
    made.database.close()


def numbers(name: str, bundle: str = "d") -> Numbers:
    made = Numbers()
    made.name = name
    made.model = replace(made.model, bundle_digest=bundle * 64)
    return made


def worker(bench: Bench, *pipelines: Numbers, owner: str = "here:1:x") -> JobRunner:
    return JobRunner(
        bench.database,
        bench.spool,
        {pipeline.name: pipeline for pipeline in pipelines},
        Reporter(bench.spool, NodeIdentity("m", "m", "1", "S")),
        [Recipient("pacs", frozenset({"SR"}), 3600.0)],
        owner=owner,
        lease_s=30,
        maximum_attempts=3,
    )


@contextmanager
def running(*engines: JobRunner) -> Iterator[None]:
    threads = [threading.Thread(target=engine.run, daemon=True) for engine in engines]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for engine in engines:
            engine.stop()
        for thread in threads:
            thread.join(20)


def rerun(bench: Bench, pipelines: Sequence[str], study_id: int = 1) -> None:
    at = datetime.now(UTC) - timedelta(seconds=1)
    with bench.database.write() as tx:
        order = Order(actor="anna", at=at, reason="why", pipelines=pipelines)
        orders.rerun(tx, study_id, order)


def further_study(bench: Bench, number: int, instances: int = 1) -> None:
    """A study that just came, with jobs that are due."""
    at = datetime.now(UTC) - timedelta(seconds=1)
    open_association(bench.database, f"b{number}")
    for count in range(instances):
        uid = 1000 * number + count
        file = save(cine(InstanceNumber=uid, PatientID="P1"), bench.folder / "cine.dcm")
        digest = bench.spool.put(file.read_bytes()).digest
        one = received(uid, association=f"b{number}", study_instance_uid=f"1.2.9.{number}")
        store(bench.database, replace(one, digest=digest, received_at=at))
    end_association(bench.database, f"b{number}")


def count(bench: Bench, action: Action) -> int:
    with bench.database.read() as tx:
        return len(trail.search(tx, action=action, limit=100_000))


def outcomes(bench: Bench, pipeline: str) -> list[Outcome]:
    return [report.outcome for report in bench.study().reports if report.pipeline == pipeline]


def test_a_pipeline_that_was_added_prepares_what_came_before_it_and_reports(
    bench: Bench,
) -> None:
    bench.receive(5)
    bench.complete()
    bench.run_until(bench.reported)
    rerun(bench, [PIPELINE, ADDED])
    added = numbers(ADDED)
    with running(worker(bench, numbers(PIPELINE), added)):
        wait_until(lambda: outcomes(bench, ADDED) == [Outcome.ABSTAINED], 20, "its report")
    assert sorted(n for batch in added.batches for n in batch) == [1, 2, 3, 4, 5]
    assert count(bench, Action.JOB_POSTPONED) == 1
    assert count(bench, Action.JOB_HANDED_BACK) == 0


def test_a_late_instance_brings_a_pipeline_that_was_added_the_whole_study(bench: Bench) -> None:
    bench.receive(3)
    bench.complete()
    bench.run_until(bench.reported)
    file = save(cine(InstanceNumber=4, PatientID="P1"), bench.folder / "cine.dcm")
    late = received(4, digest=bench.spool.put(file.read_bytes()).digest, association="a2")
    open_association(bench.database, "a2")
    at = datetime.now(UTC) - timedelta(seconds=1)
    store(bench.database, replace(late, received_at=at), [PIPELINE, ADDED])
    with bench.database.write() as tx:
        later = datetime(2200, 1, 1, tzinfo=UTC)
        complete_study(tx, 1, later, [PIPELINE, ADDED], reason=DueReason.QUIET_PERIOD)
        tx.exec_driver_sql("UPDATE job SET available_at = created_at WHERE kind = 'prepare'")
        job = tables.Job.__table__
        tx.execute(job.update().where(job.c.kind == "conclude").values(available_at=at))  # type: ignore[attr-defined]
    added = numbers(ADDED)
    with running(worker(bench, numbers(PIPELINE), added)):
        wait_until(lambda: len(outcomes(bench, ADDED)) == 1, 20, "its report")
    assert sorted(n for batch in added.batches for n in batch) == [1, 2, 3, 4]


def test_two_workers_with_different_bundles_of_one_pipeline_do_not_go_on_for_ever(
    bench: Bench,
) -> None:
    """Each undoes what the other made: after some times that is told, in a report and an alarm."""
    bench.receive(2)
    bench.complete()
    prepares, concludes = (
        worker(bench, numbers(PIPELINE, "1")),
        worker(bench, numbers(PIPELINE, "2")),
    )
    prepares._wanted = lambda: (JobKind.PREPARE,)  # type: ignore[method-assign]
    concludes._wanted = lambda: (JobKind.CONCLUDE,)  # type: ignore[method-assign]
    seen: set[str] = set()

    def reported() -> bool:
        with bench.database.read() as tx:
            seen.update(alarm.code for alarm in about_work.alarms(tx, (), 9))
        return bool(bench.study().reports)

    with running(prepares, concludes):
        wait_until(reported, 60, "it is given up")
    [report] = bench.study().reports
    assert "all workers of a pipeline need the same bundle and settings" in report.findings_json
    assert bench.study().revisions[0].failures[PIPELINE].startswith("its instances were prepared")
    assert count(bench, Action.JOB_POSTPONED) == 8
    assert seen == {"UNPREPARED"}


def test_a_report_that_makes_no_progress_holds_up_no_other_study(bench: Bench) -> None:
    bench.receive(1)
    bench.complete()
    with bench.database.write() as tx:  # its preparation is lost again each time
        tx.exec_driver_sql("UPDATE job SET state = 'done' WHERE kind = 'prepare'")
    engine = worker(bench, numbers(PIPELINE))
    finish = engine._finish_prepare

    def lose(job: jobs.Job, judged: object, made: object) -> None:
        if job.study_id != 1:
            finish(job, judged, made)  # type: ignore[arg-type]
            return
        engine._holding.let_go(job, lambda tx: jobs.finish(tx, job, datetime.now(UTC)))

    engine._finish_prepare = lose  # type: ignore[method-assign]
    further_study(bench, 2, instances=6)
    with running(engine):
        wait_until(lambda: _prepared(bench, 2) == 6, 20, "the other study")
        wait_until(lambda: bool(bench.study().reports), 30, "it is given up")
    assert count(bench, Action.JOB_CLAIMED) < 50


def _prepared(bench: Bench, study_id: int) -> int:
    made, instance = tables.Preparation, tables.Instance
    with bench.database.read() as tx:
        found = select(made.instance_id).join(instance, instance.id == made.instance_id)
        return len(tx.scalars(found.where(instance.study_id == study_id)).all())


def test_many_reports_at_once_do_not_keep_new_loops_waiting(bench: Bench) -> None:
    """A rerun of everything: the loops of a study that arrives come in between."""
    for number in range(2, 32):
        further_study(bench, number)
    pipeline = numbers(PIPELINE)
    engine = worker(bench, pipeline)
    with running(engine):
        wait_until(lambda: sum(_prepared(bench, n) for n in range(1, 31)) == 30, 30, "all prepared")
    with bench.database.write() as tx:
        at = datetime.now(UTC) - timedelta(seconds=1)
        for study_id in range(1, 31):
            jobs.queue_conclude(tx, study_id, 1, at, [PIPELINE])
    further_study(bench, 40, instances=3)
    pipeline.batches.clear()
    with running(worker(bench, pipeline)):
        wait_until(lambda: len(pipeline.batches) >= 30, 30, "half of it")
    first_loops = next(at for at, batch in enumerate(pipeline.batches) if batch)
    assert first_loops <= 2, "a report, then a batch of loops"


def test_workers_with_different_pipelines_do_each_their_own(bench: Bench) -> None:
    at = datetime.now(UTC) - timedelta(seconds=1)
    bench.receive(3)
    bench.complete()
    rows = {"b": 3}
    with bench.database.write() as tx:
        for instance_id in range(1, rows["b"] + 1):
            jobs.queue_prepare(tx, 1, instance_id, at, ["b"])
        jobs.queue_conclude(tx, 1, 1, at, ["b"])
    one = numbers(PIPELINE)
    with running(worker(bench, one)):
        wait_until(lambda: bool(outcomes(bench, PIPELINE)), 20, "the report of the first")
    assert outcomes(bench, "b") == []
    with bench.database.read() as tx:
        [waiting] = roster.absent(tx, datetime.now(UTC))
        assert (waiting.pipeline, waiting.waiting) == ("b", 4)
    with running(worker(bench, numbers(PIPELINE), numbers("b"), owner="there:2:x")):
        wait_until(lambda: bool(outcomes(bench, "b")), 20, "the report of the second")
    assert count(bench, Action.JOB_FAILED) == 0


def test_a_listener_whose_settings_name_no_pipeline_queues_for_the_workers_of_the_site(
    tmp_path: Path,
) -> None:
    with listening(tmp_path, pipelines=()) as node:
        before, after = item(), item()
        assert send(node.port, before) == [0]
        assert queued(node.database) == []
        clock = Clock(node.database, ["a", "b"], lambda: None, place="elsewhere:/state")
        clock.start()
        try:
            wait_until(lambda: bool(known(node.database)), 10, "the worker said what it runs")
        finally:
            clock.stop()
        assert send(node.port, after) == [0]
        assert queued(node.database) == ["a", "b"]


def known(database: object) -> list[str]:
    with database.read() as tx:  # type: ignore[attr-defined]
        return roster.pipelines(tx, (), datetime.now(UTC))


def queued(database: object) -> list[str]:
    with database.read() as tx:  # type: ignore[attr-defined]
        return sorted(tx.scalars(select(tables.Job.pipeline)))
