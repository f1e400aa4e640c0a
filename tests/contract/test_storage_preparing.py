"""What is prepared anew, and when a report hears of it, on either database."""

from dataclasses import replace

import pytest

from storage.alarms import about_work
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.keeping import spool_identity
from storage.reading.browse import show_study
from storage.states import DueReason, JobKind, JobState
from storage.studies import orders, preparing
from storage.studies.orders import Order
from storage.studies.revisions import reason_of
from storage.work import jobs
from storage.work.jobs import Job
from tests.contract.storing import (
    PIPELINE,
    after,
    claim,
    complete,
    job_states,
    open_association,
    received,
    record_report,
    report,
    store,
    store_study,
    work,
)

OURS = ("LOOP_UNREADABLE",)
TEN_MINUTES_S = 600.0


def give_up(database: Database, at_s: float, code: str = "OUT_OF_MEMORY") -> list[Job]:
    """Claim what is due and let all of it fail."""
    claimed = claim(database, at_s)
    with database.write() as tx:
        for job in claimed:
            jobs.fail(tx, job, at=after(at_s), code=code, message="why")
    return claimed


def second_chances(database: Database, at_s: float) -> int:
    with database.write() as tx:
        return preparing.give_second_chances(tx, after(at_s), OURS)


def test_an_instance_without_any_job_is_prepared_for_a_pipeline_that_was_added(
    database: Database,
) -> None:
    store_study(database, instances=3)
    work(database, 1)
    with database.write() as tx:
        preparing.prepare(tx, [1, 2, 3], "newborn", after(2))
        preparing.prepare(tx, [1, 2, 3], "newborn", after(3))
    claimed = claim(database, 4)
    assert [(job.pipeline, job.instance_id) for job in claimed] == [
        ("newborn", 1),
        ("newborn", 2),
        ("newborn", 3),
    ]


def test_a_report_that_is_put_off_waits_counts_it_and_loses_no_attempt(
    database: Database,
) -> None:
    store_study(database)
    complete(database, 10)
    work(database, 11)
    for times in range(3):
        [job] = claim(database, 100 * times + 11)
        assert (job.kind, job.attempt, job.postponed) == (JobKind.CONCLUDE, 1, times)
        with database.write() as tx:
            jobs.postpone(
                tx,
                job,
                at=after(100 * times + 11),
                available_at=after(100 * times + 60),
                code="UNPREPARED",
                message="1 instance(s) are prepared first",
            )
        assert claim(database, 100 * times + 59) == []
    with database.read() as tx:
        assert len(trail.search(tx, action=Action.JOB_POSTPONED)) == 3
        [alarm] = about_work.alarms(tx, OURS, 9)
    assert (alarm.study_id, alarm.standing) == (1, "waits")


@pytest.mark.parametrize("code", ["OUT_OF_MEMORY", "WORKER_DIED", "SPOOL_DAMAGED"])
def test_what_failed_is_tried_again_ever_more_rarely(database: Database, code: str) -> None:
    store_study(database)
    give_up(database, 1, code)
    at_s = 1.0
    for _ in range(4):
        pause_s = max(TEN_MINUTES_S, at_s)
        assert second_chances(database, at_s + pause_s - 1) == 0
        at_s += pause_s
        assert second_chances(database, at_s) == 1
        [again] = give_up(database, at_s, code)
        assert again.attempt == 1
    assert second_chances(database, 15 * 86_400) == 0, "nobody waits for it any more"


def test_a_study_that_ended_without_a_report_gets_a_second_chance_and_a_reported_one_none(
    database: Database,
) -> None:
    store_study(database)
    complete(database, 10)
    work(database, 11)
    [unreported] = give_up(database, 12, "SPOOL_DAMAGED")
    assert second_chances(database, 700) == 1
    [again] = give_up(database, 701, "SPOOL_DAMAGED")
    assert again.id == unreported.id
    record_report(database, report())
    assert second_chances(database, 5000) == 0


def test_what_lies_in_the_instance_is_not_tried_again_by_itself(database: Database) -> None:
    store_study(database)
    give_up(database, 1, "LOOP_UNREADABLE")
    assert second_chances(database, 5000) == 0
    with database.read() as tx:
        assert about_work.alarms(tx, OURS, 9) == []


def test_a_preparation_that_comes_after_the_report_is_reported(database: Database) -> None:
    store_study(database, instances=2)
    complete(database, 10)
    give_up(database, 11)
    assert work(database, 12) == [JobKind.CONCLUDE]
    assert second_chances(database, 1000) == 2
    first, second = claim(database, 1001)
    with database.write() as tx:
        assert preparing.report_on(tx, first, after(1002)) == 2
        assert reason_of(tx, 1, 2) is DueReason.PREPARED, "nobody ordered it"
        jobs.finish(tx, first, after(1002))
    with database.write() as tx:
        assert preparing.report_on(tx, second, after(1003)) is None, "that report takes both in"
        jobs.finish(tx, second, after(1003))
    assert work(database, 1004) == [JobKind.CONCLUDE]
    with database.read() as tx:
        assert show_study(tx, 1).summary.revision == 2


def test_a_preparation_in_time_makes_no_revision_of_its_own(database: Database) -> None:
    store_study(database)
    [job] = claim(database, 1)
    with database.write() as tx:
        assert preparing.report_on(tx, job, after(2)) is None, "it is still being received"
    complete(database, 10)
    with database.write() as tx:
        assert preparing.report_on(tx, job, after(11)) is None, "its report waits for it"


def test_a_file_that_is_sent_again_is_prepared_again_where_that_had_failed(
    database: Database,
) -> None:
    store_study(database, instances=2)
    first, second = claim(database, 1)
    with database.write() as tx:
        jobs.fail(tx, first, at=after(2), code="SPOOL_DAMAGED", message="x")
        jobs.finish(tx, second, after(2))
    open_association(database, "a2")
    for number in (1, 2):
        store(database, replace(received(number), association_id="a2", received_at=after(9)))
    assert [job.instance_id for job in claim(database, 10)] == [1]


def test_a_rerun_tries_again_what_failed_whatever_it_was(database: Database) -> None:
    store_study(database, instances=2)
    complete(database, 10)
    give_up(database, 11, "LOOP_UNREADABLE")
    work(database, 12)
    order = Order(actor="anna", at=after(20), reason="why", pipelines=[PIPELINE])
    with database.write() as tx:
        assert orders.rerun(tx, 1, order) == 2
    assert work(database, 21) == [JobKind.PREPARE] * 2
    assert work(database, 22) == [JobKind.CONCLUDE]


def test_a_study_that_lacks_instances_is_an_alarm_until_they_are_prepared(
    database: Database,
) -> None:
    store_study(database, instances=2)
    complete(database, 10)
    give_up(database, 11)
    with database.read() as tx:
        [alarm] = about_work.alarms(tx, OURS, 9)
    assert (alarm.standing, alarm.jobs, alarm.code, alarm.message) == (
        "lacks",
        2,
        "OUT_OF_MEMORY",
        "why",
    )
    second_chances(database, 1000)
    with database.read() as tx:
        assert about_work.alarms(tx, OURS, 9) == []


def test_a_job_that_waits_for_its_next_try_is_an_alarm(database: Database) -> None:
    store_study(database)
    [job] = claim(database, 1)
    with database.write() as tx:
        later = {"at": after(2), "available_at": after(60)}
        jobs.retry(tx, job, **later, code="SPOOL_UNAVAILABLE", message="the disk")
    with database.read() as tx:
        [alarm] = about_work.alarms(tx, OURS, 9)
    assert (alarm.standing, alarm.message, alarm.patient_id) == ("waits", "the disk", "P1")
    work(database, 61)
    with database.read() as tx:
        assert about_work.alarms(tx, OURS, 9) == []


def test_the_first_spool_that_is_recorded_is_the_databases(database: Database) -> None:
    with database.write() as tx:
        assert spool_identity.recorded(tx) is None
        assert spool_identity.record_first(tx, "one", after(0)) == "one"
        assert spool_identity.record_first(tx, "two", after(1)) == "one"
        spool_identity.adopt(tx, "two", "anna", after(2))
        assert spool_identity.recorded(tx) == "two"
    assert job_states(database).get((JobKind.PREPARE, JobState.FAILED)) is None
