"""Jobs: claimed under a lease, and finished only by whoever still holds the claim.

queued -> running -> done | failed. Every change of a claimed job is fenced on state, attempt and
owner, raises ClaimLostError where it is no longer its owner's, and leaves its audit event in the
same transaction (see `claims`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Detail, Event
from storage.database.engine import Transaction
from storage.states import JobKind, JobState
from storage.work.claims import UNCLAIMED, Lifecycle, Words, lease

_INSERT = insert(tables.Base.metadata.tables["job"])

#: Reports first: a study that waits for its answer goes before one that still arrives.
URGENCY = (JobKind.CONCLUDE, JobKind.PREPARE)
#: The error code of a job whose worker died with it.
WORKER_DIED = "WORKER_DIED"
#: Code of a job of which a step did not come back, so that its worker was ended.
STEP_HUNG = "STEP_HUNG"


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job; `attempt` counts from 1 and, with `claimed_by`, fences whatever ends it.

    `last_error` is the code of what went wrong before. `postponed` is how often it was put off
    without an attempt.
    """

    id: int
    kind: JobKind
    pipeline: str
    study_id: int
    instance_id: int | None
    revision: int | None
    attempt: int
    claimed_by: str
    last_error: str | None = None
    postponed: int = 0


def queue_prepare(
    tx: Transaction, study_id: int, instance_id: int, at: datetime, pipelines: Sequence[str]
) -> None:
    """Queue one `prepare` job of an instance for each pipeline."""
    _queue(tx, JobKind.PREPARE, study_id, at, pipelines, instance_id=instance_id)


def queue_conclude(
    tx: Transaction, study_id: int, revision: int, at: datetime, pipelines: Sequence[str]
) -> None:
    """Queue one `conclude` job of a study revision for each pipeline."""
    _queue(tx, JobKind.CONCLUDE, study_id, at, pipelines, revision=revision)


def _queue(
    tx: Transaction,
    kind: JobKind,
    study_id: int,
    at: datetime,
    pipelines: Sequence[str],
    *,
    instance_id: int | None = None,
    revision: int | None = None,
) -> None:
    rows = [
        {
            "kind": kind,
            "pipeline": pipeline,
            "study_id": study_id,
            "instance_id": instance_id,
            "revision": revision,
            "state": JobState.QUEUED,
            "attempt": 0,
            "created_at": at,
            "available_at": at,
        }
        for pipeline in pipelines
    ]
    if rows:
        tx.execute(_INSERT, rows)


def claim(
    tx: Transaction,
    *,
    owner: str,
    now: datetime,
    lease_s: float,
    pipelines: Sequence[str],
    limit: int = 1,
    kinds: Sequence[JobKind] = URGENCY,
) -> list[Job]:
    """Claim up to `limit` jobs of these pipelines for `lease_s` seconds.

    All of the first kind go before any of the next; of one kind, the one that waits longest goes
    first, whatever its study and pipeline. A `conclude` job waits until no `prepare` job of its
    study and pipeline is queued or running, and none for an earlier revision: it must see the
    report that it replaces.
    """
    found: list[int] = []
    for kind in kinds:
        found += _longest_waiting(tx, kind, pipelines, now, limit - len(found))
    return _claimed(tx, found, owner, now, lease_s)


def claim_beside(
    tx: Transaction,
    first: Sequence[Job],
    *,
    owner: str,
    now: datetime,
    lease_s: float,
    pipelines: Sequence[str],
) -> list[Job]:
    """Claim what other pipelines have to prepare of the same instances, unless tried before.

    So each file is read once for all of them.
    """
    job = tables.Job
    instances = {item.instance_id for item in first if item.instance_id is not None}
    waiting = (
        select(job.id)
        .where(
            job.state == "queued",
            job.pipeline.in_(pipelines),
            job.kind == JobKind.PREPARE,
            job.instance_id.in_(instances),
            job.available_at <= now,
            job.attempt == 0,
        )
        .order_by(job.id)
        .with_for_update(skip_locked=True)
    )
    found = list(tx.scalars(waiting)) if instances else []
    return _claimed(tx, found, owner, now, lease_s)


def _claimed(
    tx: Transaction, found: Sequence[int], owner: str, now: datetime, lease_s: float
) -> list[Job]:
    """Claim the jobs of these numbers, in their order."""
    if not found:
        return []
    claimed = tx.execute(
        update(tables.Job)
        .where(tables.Job.id.in_(found))
        .values(
            state=JobState.RUNNING,
            attempt=tables.Job.attempt + 1,
            claimed_by=owner,
            **lease(now, lease_s),
        )
        .returning(tables.Job)
    ).all()
    jobs = sorted((_job(row) for row in claimed), key=lambda job: found.index(job.id))
    for job in jobs:
        _audit(tx, Action.JOB_CLAIMED, job, now)
    return jobs


def _longest_waiting(
    tx: Transaction, kind: JobKind, pipelines: Sequence[str], now: datetime, limit: int
) -> list[int]:
    """The jobs to claim, one query a pipeline: what waits for another's worker costs nothing."""
    if limit <= 0:
        return []
    waiting = [
        (row.available_at, row.id)
        for pipeline in pipelines
        for row in tx.execute(_claimable(kind, pipeline, now, limit))
    ]
    return [job_id for _, job_id in sorted(waiting)[:limit]]


def _claimable(kind: JobKind, pipeline: str, now: datetime, limit: int) -> Any:
    job = tables.Job
    query = (
        select(job.id, job.available_at)
        .where(
            job.state == "queued",
            job.pipeline == pipeline,
            job.kind == kind,
            job.available_at <= now,
        )
        .order_by(job.available_at, job.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=job)
    )
    if kind is JobKind.PREPARE:
        return query
    before = aliased(tables.Job)
    unfinished = select(before.id).where(
        before.study_id == job.study_id,
        before.kind.in_(list(JobKind)),
        before.state.in_([JobState.QUEUED, JobState.RUNNING]),
        before.pipeline == job.pipeline,
        or_(before.kind == JobKind.PREPARE, before.revision < job.revision),
    )
    return query.where(~unfinished.exists())


def renew(tx: Transaction, held: Sequence[Job], now: datetime, lease_s: float) -> None:
    """Extend the lease of jobs that are still being worked on: all of them or none."""
    _LIFECYCLE.renew(tx, held, now, lease_s)


def finish(tx: Transaction, job: Job, at: datetime) -> None:
    """End a job that is done."""
    _LIFECYCLE.finish(tx, job, at, {})


def retry(
    tx: Transaction, job: Job, *, at: datetime, available_at: datetime, code: str, message: str
) -> None:
    """Let a job wait again after a failed attempt, not to be claimed before `available_at`."""
    _LIFECYCLE.retry(tx, job, at=at, available_at=available_at, code=code, message=message)


def fail(tx: Transaction, job: Job, *, at: datetime, code: str, message: str) -> None:
    """Give a job up."""
    _LIFECYCLE.fail(tx, job, at=at, code=code, message=message)


def hand_back(tx: Transaction, job: Job, at: datetime) -> None:
    """Let a job wait again that was not attempted; no attempt counts."""
    _LIFECYCLE.hand_back(tx, job, at)


def rescue(tx: Transaction, now: datetime, is_dead: Callable[[str], bool]) -> int:
    """Let jobs wait again whose lease ran out or whose process died; returns how many."""
    return _LIFECYCLE.rescue(tx, now, is_dead)


def postpone(
    tx: Transaction, job: Job, *, at: datetime, available_at: datetime, code: str, message: str
) -> None:
    """Put a job off that cannot be done yet; no attempt counts, but how often it happens does."""
    waits = {
        "state": JobState.QUEUED,
        "attempt": job.attempt - 1,
        "postponed": job.postponed + 1,
        "available_at": available_at,
        "error_code": code,
        "error_message": message,
        **UNCLAIMED,
    }
    _LIFECYCLE.change(tx, job, waits)
    _audit(tx, Action.JOB_POSTPONED, job, at, code=code)


def requeue(tx: Transaction, at: datetime, *which: ColumnElement[bool]) -> int:
    """Queue ended jobs that meet all conditions again; returns how many."""
    job = tables.Job
    again = tx.execute(
        update(job)
        .where(*which, job.state.in_([JobState.DONE, JobState.FAILED]))
        .values(state=JobState.QUEUED, attempt=0, available_at=at, finished_at=None)
        .returning(job)
    ).all()
    for row in again:
        _audit(tx, Action.JOB_REQUEUED, row, at)
    return len(again)


def counts(tx: Transaction) -> dict[tuple[JobKind, JobState], int]:
    """How many jobs of each kind are queued, running or failed; absent where there is none.

    Those done are not counted: they are most of the table, and no index makes that quick.
    """
    job = tables.Job
    return {
        (kind, state): number
        for state in (JobState.QUEUED, JobState.RUNNING, JobState.FAILED)
        for kind, number in tx.execute(
            select(job.kind, func.count()).where(job.state == state).group_by(job.kind)
        )
    }


def failed_reports(tx: Transaction, since: datetime, limit: int = 20) -> dict[str, list[int]]:
    """Studies of which a `conclude` job was given up since then, by pipeline, the last first."""
    job = tables.Job
    query = (
        select(job.pipeline, job.study_id)
        .where(job.state == "failed", job.kind == JobKind.CONCLUDE, job.finished_at >= since)
        .order_by(job.id.desc())
        .limit(limit)
    )
    found: dict[str, list[int]] = {}
    for row in tx.execute(query):
        studies = found.setdefault(row.pipeline, [])
        if row.study_id not in studies:
            studies.append(row.study_id)
    return found


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        pipeline=row.pipeline,
        study_id=row.study_id,
        instance_id=row.instance_id,
        revision=row.revision,
        attempt=row.attempt,
        claimed_by=row.claimed_by,
        last_error=row.error_code,
        postponed=row.postponed or 0,
    )


def _audit(tx: Transaction, action: Action, job: Job | Row[Any], at: datetime, **more: str) -> None:
    detail: Detail = {
        "job": job.id,
        "kind": job.kind.value,
        "pipeline": job.pipeline,
        "attempt": job.attempt,
        **({"instance": job.instance_id} if job.instance_id is not None else {}),
        **({"revision": job.revision} if job.revision is not None else {}),
        **more,
    }
    trail.record(
        tx,
        Event(
            action=action,
            at=at,
            outcome="failure" if action in _SETBACKS else "success",
            actor=job.claimed_by,
            study_id=job.study_id,
            detail=detail,
        ),
    )


_SETBACKS = (Action.JOB_RETRY, Action.JOB_FAILED, Action.JOB_RESCUED)

_LIFECYCLE = Lifecycle(
    tables.Job,
    Words(
        waiting=JobState.QUEUED,
        in_work=JobState.RUNNING,
        done=JobState.DONE,
        failed=JobState.FAILED,
        finish=Action.JOB_DONE,
        retry=Action.JOB_RETRY,
        fail=Action.JOB_FAILED,
        hand_back=Action.JOB_HANDED_BACK,
        rescue=Action.JOB_RESCUED,
        died=WORKER_DIED,
    ),
    _audit,
)
