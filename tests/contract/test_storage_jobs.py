"""How jobs are claimed, finished and rescued, on either database."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.audit import trail
from storage.database.transactions import Database
from storage.errors import ClaimLostError
from storage.reading.browse import show_study
from storage.states import JobKind, JobState
from storage.studies import preparing
from storage.work import jobs
from storage.work.jobs import Job
from tests.contract.storing import (
    LEASE_S,
    ME,
    PIPELINE,
    PIPELINES,
    after,
    claim,
    complete,
    end_association,
    job_states,
    open_association,
    received,
    store,
    store_study,
    work,
)


def alive(_owner: str) -> bool:
    return False


def rescue(database: Database, at_s: float, is_dead: object = alive) -> int:
    with database.write() as tx:
        return jobs.rescue(tx, after(at_s), is_dead)  # type: ignore[arg-type]


def test_what_waits_runs_or_failed_is_counted_and_what_is_done_is_not(database: Database) -> None:
    store_study(database, instances=4)
    done, failed, _running = claim(database, 1, limit=3)
    with database.write() as tx:
        jobs.finish(tx, done, after(2))
        jobs.fail(tx, failed, at=after(2), code="x", message="x")
    with database.read() as tx:
        assert jobs.counts(tx) == {
            (JobKind.PREPARE, JobState.QUEUED): 1,
            (JobKind.PREPARE, JobState.RUNNING): 1,
            (JobKind.PREPARE, JobState.FAILED): 1,
        }


@pytest.fixture
def job(database: Database) -> Job:
    """A `prepare` job that this process has claimed a second after noon."""
    store_study(database)
    [job] = claim(database, 1)
    return job


def test_a_claimed_job_is_nobody_elses(database: Database, job: Job) -> None:
    assert (job.kind, job.attempt, job.claimed_by) == (JobKind.PREPARE, 1, ME)
    assert claim(database, 1, owner="there:2:x") == []


def test_jobs_are_claimed_oldest_first_up_to_the_limit(database: Database) -> None:
    store_study(database, instances=3)
    assert [job.instance_id for job in claim(database, 1, limit=2)] == [1, 2]
    assert [job.instance_id for job in claim(database, 1, limit=2)] == [3]


def test_a_worker_may_ask_for_one_kind_only(database: Database) -> None:
    store_study(database)
    with database.write() as tx:
        claimed = jobs.claim(
            tx,
            owner=ME,
            now=after(1),
            lease_s=LEASE_S,
            pipelines=PIPELINES,
            kinds=[JobKind.CONCLUDE],
        )
    assert claimed == []


def test_a_conclusion_goes_before_any_preparation(database: Database) -> None:
    store_study(database)
    work(database, 1)
    open_association(database, "a2")
    store(database, received(2, study_instance_uid="1.2.10", association="a2"))
    complete(database, 10)
    assert [job.kind for job in claim(database, 10)] == [JobKind.CONCLUDE, JobKind.PREPARE]


def test_a_conclusion_waits_for_the_preparations_of_its_study(database: Database) -> None:
    store_study(database, instances=2)
    complete(database, 10)
    first, second = claim(database, 10)
    assert {first.kind, second.kind} == {JobKind.PREPARE}
    with database.write() as tx:
        jobs.finish(tx, first, after(11))
    assert claim(database, 11) == []
    with database.write() as tx:
        jobs.fail(tx, second, at=after(12), code="InstanceUnreadableError", message="no picture")
    assert [job.kind for job in claim(database, 12)] == [JobKind.CONCLUDE]


def test_a_preparation_for_another_pipeline_holds_up_nothing(database: Database) -> None:
    open_association(database)
    store(database, received(), [PIPELINE, "newborn"])
    end_association(database, at_s=1)
    complete(database, 10)
    prepared, _other = claim(database, 10)
    with database.write() as tx:
        jobs.finish(tx, prepared, after(11))
    assert [job.kind for job in claim(database, 11)] == [JobKind.CONCLUDE]


def test_what_other_pipelines_do_with_the_same_instance_is_claimed_beside(
    database: Database,
) -> None:
    """So a file is read once for all of them; what was tried before is left to run alone."""
    open_association(database)
    for number in (1, 2):
        store(database, received(number), PIPELINES)
    [first, second] = claim(database, 1, limit=2)
    assert {first.instance_id, second.instance_id} == {1}
    with database.write() as tx:
        jobs.retry(tx, second, at=after(2), available_at=after(2), code="Died", message="again")
    [(instance, third)] = beside(database, first)
    assert instance == 1
    assert third not in {first.pipeline, second.pipeline}
    assert beside(database, first) == []


def beside(database: Database, *first: Job) -> list[tuple[int | None, str]]:
    with database.write() as tx:
        found = jobs.claim_beside(
            tx, first, owner=ME, now=after(50), lease_s=LEASE_S, pipelines=PIPELINES
        )
    return [(job.instance_id, job.pipeline) for job in found]


def test_a_finished_job_is_done_for_good(database: Database, job: Job) -> None:
    with database.write() as tx:
        jobs.finish(tx, job, after(2))
    assert job_states(database) == {(JobKind.PREPARE, JobState.DONE): 1}
    assert claim(database, 1000) == []


def test_a_retried_job_waits_and_counts_its_attempts(database: Database, job: Job) -> None:
    with database.write() as tx:
        jobs.retry(tx, job, at=after(2), available_at=after(9), code="GpuError", message="again")
    assert claim(database, 8) == []
    [again] = claim(database, 9)
    assert again.attempt == 2


def test_a_job_handed_back_at_shutdown_loses_no_attempt(database: Database, job: Job) -> None:
    with database.write() as tx:
        jobs.hand_back(tx, job, after(2))
    [again] = claim(database, 2, owner="there:2:x")
    assert again.attempt == 1


def test_a_renewed_lease_keeps_the_job(database: Database, job: Job) -> None:
    with database.write() as tx:
        jobs.renew(tx, [job], after(20), LEASE_S)
    assert rescue(database, 1 + LEASE_S + 1) == 0
    assert rescue(database, 20 + LEASE_S + 1) == 1


def test_a_job_of_a_dead_process_is_rescued_at_once(database: Database, job: Job) -> None:
    assert rescue(database, 2, lambda owner: owner == ME) == 1
    [again] = claim(database, 2, owner="there:2:x")
    assert (again.id, again.attempt) == (job.id, 2)


@pytest.mark.parametrize("ending", ["finish", "retry", "fail", "hand_back", "renew"])
def test_whoever_was_paused_past_the_lease_can_end_nothing(
    database: Database, job: Job, ending: str
) -> None:
    rescue(database, 1 + LEASE_S + 1)
    [successor] = claim(database, 40)  # the same process even: the attempt tells them apart
    endings = {
        "finish": lambda tx: jobs.finish(tx, job, after(41)),
        "retry": lambda tx: jobs.retry(
            tx, job, at=after(41), available_at=after(42), code="x", message="x"
        ),
        "fail": lambda tx: jobs.fail(tx, job, at=after(41), code="x", message="x"),
        "hand_back": lambda tx: jobs.hand_back(tx, job, after(41)),
        "renew": lambda tx: jobs.renew(tx, [job], after(41), LEASE_S),
    }
    with pytest.raises(ClaimLostError), database.write() as tx:
        endings[ending](tx)
    with database.write() as tx:
        jobs.finish(tx, successor, after(42))


def test_a_lost_claim_takes_the_whole_transaction_with_it(database: Database, job: Job) -> None:
    rescue(database, 1 + LEASE_S + 1)
    with pytest.raises(ClaimLostError), database.write() as tx:
        trail.record(tx, trail.Event(action=trail.Action.ECHO, at=after(50)))
        jobs.finish(tx, job, after(50))
    with database.read() as tx:
        assert trail.search(tx, action=trail.Action.ECHO) == []


def test_many_workers_never_share_a_job(database: Database) -> None:
    store_study(database, instances=40)

    def drain(worker: int) -> list[int]:
        mine: list[int] = []
        while claimed := claim(database, 1, owner=f"here:{worker}:x", limit=3):
            mine += [job.id for job in claimed]
        return mine

    with ThreadPoolExecutor(6) as threads:
        claimed = Counter(job for found in threads.map(drain, range(6)) for job in found)
    assert set(claimed.values()) == {1}
    assert len(claimed) == 40


def test_instances_can_be_prepared_anew(database: Database) -> None:
    store_study(database, instances=2)
    first, _second = claim(database, 1)
    with database.write() as tx:
        jobs.finish(tx, first, after(2))
        preparing.prepare(tx, [1, 2], PIPELINE, after(3))
    [again] = claim(database, 3)  # the other one is still in work
    assert (again.instance_id, again.attempt) == (1, 1)


def test_every_change_of_a_job_is_audited_for_its_patient(database: Database, job: Job) -> None:
    with database.write() as tx:
        jobs.retry(tx, job, at=after(2), available_at=after(2), code="GpuError", message="again")
    [again] = claim(database, 3)
    with database.write() as tx:
        jobs.fail(tx, again, at=after(4), code="InstanceUnreadableError", message="no picture")
    with database.read() as tx:
        events = show_study(tx, "1.2.9").events[2:]
        assert len(trail.search(tx, patient_id="P1", accession_number="ACC1")) == 6
    assert [(event.action, event.outcome, event.actor) for event in events] == [
        ("JOB_CLAIMED", "success", ME),
        ("JOB_RETRY", "failure", ME),
        ("JOB_CLAIMED", "success", ME),
        ("JOB_FAILED", "failure", ME),
    ]
    assert events[-1].detail == {
        "job": job.id,
        "kind": "prepare",
        "pipeline": PIPELINE,
        "attempt": 2,
        "instance": 1,
        "code": "InstanceUnreadableError",
    }
