"""What a backfill queues, and that live work always goes first, on either database."""

from dataclasses import replace

from sqlalchemy import insert, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.states import Backfill, DueReason, JobKind, JobState, StudyState
from storage.studies import backfill, orders, preparing
from storage.studies.backfill import Standing, Wanted
from storage.studies.orders import Order
from storage.studies.revisions import complete_study
from storage.work import jobs, results
from storage.work.jobs import Job
from tests.contract.storing import (
    LEASE_S,
    ME,
    PIPELINE,
    PIPELINES,
    after,
    claim,
    complete,
    digest,
    end_association,
    open_association,
    preparation,
    received,
    record_report,
    report,
    store,
    store_study,
    work,
)

CLASS = received().sop_class_uid
WANTED = Wanted(
    pipeline=PIPELINE,
    version="1.0",
    bundle_digest=digest("bundle"),
    settings=frozenset({""}),
    reads=frozenset({CLASS}),
    anchors=frozenset({CLASS}),
    since=after(-1),
    until=after(1000),
)


def older_studies(database: Database, count: int) -> list[int]:
    """Complete studies that nobody works on."""
    rows = [
        {
            "study_instance_uid": f"1.2.77.{number}",
            "patient_id": "P7",
            "patient_name": "",
            "accession_number": "",
            "study_date": "",
            "patient_conflict": False,
            "state": StudyState.COMPLETE,
            "revision": 1,
            "instances": 0,
            "opened_at": after(-500),
            "revision_began_at": after(-500),
            "last_received_at": after(-500),
            "hard_limit_at": after(-500),
            "due_reason": DueReason.QUIET_PERIOD,
            "completed_at": after(-400),
        }
        for number in range(count)
    ]
    with database.write() as tx:
        return list(tx.scalars(insert(tables.Study).returning(tables.Study.id), rows))


def order(
    database: Database, studies: list[int], kind: Backfill = Backfill.REPORTED, at_s: float = 0
) -> int:
    return sum(backfill.order(database, WANTED, studies, kind, actor="anna", now=after(at_s)))


def claim_one(database: Database, at_s: float) -> tuple[JobKind, int, bool] | None:
    """Claim and finish the next job: its kind and study, and whether it is live work."""
    claimed = claim(database, at_s, limit=1)
    if not claimed:
        return None
    with database.write() as tx:
        jobs.finish(tx, claimed[0], after(at_s))
    return claimed[0].kind, claimed[0].study_id, claimed[0].backfill is None


def standings(database: Database, wanted: Wanted = WANTED) -> dict[int, Standing]:
    with database.read() as tx:
        return {found.study_id: found.standing for found in backfill.survey(tx, wanted)}


def test_a_live_study_passes_a_thousand_studies_of_a_backfill(database: Database) -> None:
    assert order(database, older_studies(database, 1000)) == 1000
    in_work = claim(database, 1, limit=16)
    assert {job.backfill for job in in_work} == {Backfill.REPORTED}
    open_association(database)
    store(database, received(1, at_s=100))
    store(database, received(2, at_s=100))
    end_association(database, at_s=101)
    complete(database, 200, study_id=1001)
    claims = [claim_one(database, 201) for _ in range(4)]
    assert claims[:3] == [
        (JobKind.PREPARE, 1001, True),
        (JobKind.PREPARE, 1001, True),
        (JobKind.CONCLUDE, 1001, True),
    ]
    assert claims[3] is not None
    assert not claims[3][2], "then the backfill goes on"


def test_jobs_of_two_lanes_are_not_claimed_together(database: Database) -> None:
    """So no live job waits for the end of a batch that it shares with a backfill."""
    order(database, older_studies(database, 3))
    store_study(database)
    assert [job.backfill for job in claim(database, 1, limit=4)] == [None]
    with database.write() as tx:
        live = jobs.claim(
            tx,
            owner=ME,
            now=after(1),
            lease_s=LEASE_S,
            limit=4,
            pipelines=PIPELINES,
            lanes=jobs.LIVE,
        )
    assert live == []


def test_a_backfill_finishes_a_study_before_it_begins_the_next(database: Database) -> None:
    for number in (1, 2):
        open_association(database, f"a{number}")
        for count in (0, 1):
            uid = {"study_instance_uid": f"1.2.9.{number}", "association": f"a{number}"}
            store(database, received(2 * number + count, **uid), [])  # type: ignore[arg-type]
        end_association(database, f"a{number}", at_s=1)
        with database.write() as tx:
            complete_study(tx, number, after(10), [], reason=DueReason.QUIET_PERIOD)
    order(database, [1, 2], at_s=20)
    seen = []
    while claimed := claim(database, 30, limit=1):
        [job] = claimed
        seen.append((job.kind, job.study_id))
        with database.write() as tx:
            if job.kind is JobKind.CONCLUDE and not job.postponed:
                first = 2 * job.study_id - 1
                preparing.prepare(tx, [first, first + 1], PIPELINE, after(30), job.backfill)
                put_off = {"at": after(30), "available_at": None}
                jobs.postpone(tx, job, **put_off, code="UNPREPARED", message="")  # type: ignore[arg-type]
            else:
                jobs.finish(tx, job, after(30))
    prepare, conclude = JobKind.PREPARE, JobKind.CONCLUDE
    assert seen == [
        *((conclude, 1), (prepare, 1), (prepare, 1), (conclude, 1)),
        *((conclude, 2), (prepare, 2), (prepare, 2), (conclude, 2)),
    ]


def reported_study(database: Database) -> None:
    """A study of two instances that was analysed and reported."""
    store_study(database, instances=2)
    complete(database, 10)
    work(database, 11)
    with database.write() as tx:
        for number in (1, 2):
            made = preparation(number, pipeline_version="1.0")
            results.record_preparation(tx, made)
    work(database, 12)
    record_report(database, report())


def test_what_has_a_current_result_is_done(database: Database) -> None:
    reported_study(database)
    assert standings(database) == {1: Standing.DONE}
    for other in (
        {"pipeline": "newborn"},
        {"bundle_digest": digest("new")},
        {"version": "1.1"},
        {"settings": frozenset({"selection profile x"})},
    ):
        assert standings(database, replace(WANTED, **other)) == {1: Standing.MISSING}


def test_a_study_of_another_time_or_without_an_anchor_is_not_meant(database: Database) -> None:
    reported_study(database)
    for other in (
        {"since": after(1)},
        {"until": after(0)},
        {"anchors": frozenset({"1.2.840.10008.5.1.4.1.1.1"})},
    ):
        assert standings(database, replace(WANTED, **other)) == {}


def test_what_waits_is_not_queued_twice_and_what_failed_is_tried_again(database: Database) -> None:
    reported_study(database)
    new = replace(WANTED, bundle_digest=digest("new"))
    assert order(database, [1], at_s=20) == 1
    assert order(database, [1], at_s=21) == 0
    assert standings(database, new) == {1: Standing.WAITING}
    [job] = claim(database, 30)
    assert (job.kind, job.revision, job.backfill) == (JobKind.CONCLUDE, 2, Backfill.REPORTED)
    assert standings(database, new) == {1: Standing.WAITING}
    with database.write() as tx:
        jobs.fail(tx, job, at=after(31), code="x", message="x")
    assert standings(database, new) == {1: Standing.FAILED}
    assert order(database, [1], at_s=40) == 1
    with database.read() as tx:
        ordered = trail.search(tx, action=Action.BACKFILL_ORDERED)
    assert [(event.actor, event.detail["studies"]) for event in ordered] == [("anna", 1)] * 3


def test_a_study_whose_files_are_needed_and_gone_is_purged(database: Database) -> None:
    reported_study(database)
    with database.write() as tx:
        tx.execute(update(tables.Instance).values(removed_at=after(50)))
    assert standings(database) == {1: Standing.DONE}
    new = replace(WANTED, bundle_digest=digest("new"))
    assert standings(database, new) == {1: Standing.PURGED}


def test_a_live_report_takes_over_what_a_backfill_had_queued(database: Database) -> None:
    """Else it would wait behind everything that is live, with its earlier revision."""
    reported_study(database)
    order(database, [1], Backfill.STORED, at_s=20)
    [job] = claim(database, 21)
    with database.write() as tx:
        preparing.prepare(tx, [1, 2], PIPELINE, after(21), job.backfill)
        jobs.postpone(tx, job, at=after(21), available_at=None, code="UNPREPARED", message="")
        given = Order(actor="anna", at=after(22), reason="why", pipelines=[PIPELINE])
        assert orders.rerun(tx, 1, given) == 3
    claims = [claim_one(database, 23) for _ in range(4)]
    assert claims == [
        (JobKind.PREPARE, 1, True),
        (JobKind.PREPARE, 1, True),
        (JobKind.CONCLUDE, 1, True),
        None,
    ]
    assert state_of(database, job) == JobState.DONE


def test_a_live_report_does_not_wait_for_another_try_behind_live_work(database: Database) -> None:
    reported_study(database)
    order(database, [1, *older_studies(database, 2)], at_s=20)
    [conclude] = claim(database, 21, limit=1)
    with database.write() as tx:
        preparing.prepare(tx, [1], PIPELINE, after(21), conclude.backfill)
        jobs.finish(tx, conclude, after(21))
    [running] = claim(database, 22, limit=1)
    given = Order(actor="anna", at=after(23), reason="why", pipelines=[PIPELINE])
    with database.write() as tx:
        orders.rerun(tx, 1, given)
        put_off = {"at": after(24), "available_at": after(25)}
        jobs.retry(tx, running, **put_off, code="x", message="x")
    [again] = claim(database, 26, limit=1)
    assert (again.id, again.backfill) == (running.id, None)


def state_of(database: Database, job: Job) -> JobState | None:
    with database.read() as tx:
        return tx.scalar(select(tables.Job.state).where(tables.Job.id == job.id))


def test_a_second_chance_of_a_backfill_stays_one(database: Database) -> None:
    """What is only to be stored is not reported because a preparation ended late."""
    reported_study(database)
    order(database, [1], Backfill.STORED, at_s=20)
    [conclude] = claim(database, 21)
    with database.write() as tx:
        preparing.prepare(tx, [1], PIPELINE, after(21), conclude.backfill)
        jobs.finish(tx, conclude, after(21))
    [late] = claim(database, 22)
    with database.write() as tx:
        assert preparing.report_on(tx, late, after(23)) == 3
        jobs.finish(tx, late, after(23))
    [again] = claim(database, 24)
    assert (again.revision, again.backfill) == (3, Backfill.STORED)
