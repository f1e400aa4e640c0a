"""Who runs which pipeline, on either database: what is queued, and what waits for nobody."""

import pytest

from storage.database.transactions import Database
from storage.errors import StudyBusyError
from storage.states import JobKind, JobState
from storage.work import jobs, roster
from tests.contract.storing import (
    LEASE_S,
    ME,
    PIPELINE,
    after,
    job_states,
    open_association,
    received,
    store,
)

DAY_S = 86_400.0


def run(database: Database, place: str, *pipelines: str, at_s: float = 0) -> None:
    with database.write() as tx:
        roster.run_here(tx, place, pipelines, after(at_s))


def known(database: Database, *own: str, at_s: float = 1) -> list[str]:
    with database.read() as tx:
        return roster.pipelines(tx, own, after(at_s))


def test_a_site_has_the_pipelines_of_all_its_workers_and_of_ones_own_settings(
    database: Database,
) -> None:
    assert known(database) == []
    run(database, "here", "a")
    run(database, "there", "a", "b")
    assert known(database) == ["a", "b"]
    assert known(database, "c", "b") == ["c", "b", "a"]


def test_a_pipeline_that_left_the_settings_of_its_worker_gets_no_more_work(
    database: Database,
) -> None:
    run(database, "here", "a", "b")
    run(database, "there", "a")
    run(database, "here", "b", at_s=2)
    assert known(database) == ["a", "b"], "there it is still run"
    run(database, "there", at_s=3)
    assert known(database) == ["b"]


def test_a_worker_that_is_down_for_a_week_is_still_worked_for_and_one_for_months_is_not(
    database: Database,
) -> None:
    run(database, "here", "a")
    assert known(database, at_s=7 * DAY_S) == ["a"]
    assert known(database, at_s=31 * DAY_S) == []


def test_a_pipeline_that_no_living_worker_runs_is_told_with_what_waits_for_it(
    database: Database,
) -> None:
    run(database, "here", "a")
    open_association(database)
    store(database, received(1), ["a", "b"])
    store(database, received(2), ["b"])
    with database.read() as tx:
        [b] = roster.absent(tx, after(30))
        assert (b.pipeline, b.waiting, b.seen_at) == ("b", 2, None)
        a, b = roster.absent(tx, after(61))
    assert (a.pipeline, a.waiting, a.seen_at) == ("a", 1, after(0))


def test_a_worker_claims_what_it_can_run_and_leaves_the_rest_to_others(
    database: Database,
) -> None:
    open_association(database)
    for number in range(5):
        store(database, received(number), ["b", "a"])
    with database.write() as tx:
        claimed = jobs.claim(
            tx, owner=ME, now=after(1), lease_s=LEASE_S, limit=100, pipelines=["a"]
        )
    assert {job.pipeline for job in claimed} == {"a"}
    with database.write() as tx:
        rest = jobs.claim(
            tx, owner="there:2:x", now=after(1), lease_s=LEASE_S, limit=4, pipelines=["a", "b"]
        )
    assert [(job.pipeline, job.instance_id) for job in rest] == [("b", n) for n in range(1, 5)]


def test_of_several_pipelines_the_job_that_waits_longest_is_claimed_first(
    database: Database,
) -> None:
    open_association(database)
    for number, pipeline in enumerate(["b", "a", "b", "a", "a", "b"]):
        store(database, received(number, at_s=number), [pipeline])
    with database.write() as tx:
        claimed = jobs.claim(
            tx, owner=ME, now=after(9), lease_s=LEASE_S, limit=5, pipelines=["a", "b"]
        )
    assert [job.instance_id for job in claimed] == [1, 2, 3, 4, 5]


def test_what_waits_for_a_pipeline_that_is_done_without_is_given_up(database: Database) -> None:
    run(database, "here", PIPELINE)
    open_association(database)
    store(database, received(1), [PIPELINE, "a"])
    with pytest.raises(StudyBusyError, match="remove it from its settings"), database.write() as tx:
        roster.forget(tx, PIPELINE, "anna", after(5))
    with database.write() as tx:
        assert roster.forget(tx, PIPELINE, "anna", after(100)) == 1
    assert known(database) == []
    assert job_states(database) == {
        (JobKind.PREPARE, JobState.FAILED): 1,
        (JobKind.PREPARE, JobState.QUEUED): 1,
    }
