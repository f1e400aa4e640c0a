"""Jobs: claimed under a lease, and finished only by whoever still holds the claim.

queued -> running -> done | failed. Every change of a claimed job is fenced on state, attempt and
owner, raises ClaimLostError where it is no longer its owner's, and leaves its audit event in the
same transaction (see `claims`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, insert, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Detail, Event
from storage.database.transactions import Transaction
from storage.states import Backfill, JobKind, JobState
from storage.work.claims import UNCLAIMED, Lifecycle, Words, lease
from storage.work.waiting import in_lane, longest_waiting

_INSERT = insert(tables.Base.metadata.tables["job"])

#: Reports first: a study that waits for its answer goes before one that still arrives.
URGENCY = (JobKind.CONCLUDE, JobKind.PREPARE)
#: Live work goes first, whatever its kind.
LANES: tuple[Backfill | None, ...] = (None, Backfill.REPORTED, Backfill.STORED)
LIVE = LANES[:1]
#: The error code of a job whose worker died with it.
WORKER_DIED = "WORKER_DIED"
#: Code of a job of which a step did not come back, so that its worker was ended.
STEP_HUNG = "STEP_HUNG"


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job; `attempt` counts from 1 and, with `claimed_by`, fences whatever ends it.

    `last_error` is the code of what went wrong before. `postponed` is how often it was put off
    without an attempt. `backfill` is None for live work.
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
    backfill: Backfill | None = None


def queue_prepare(
    tx: Transaction,
    study_id: int,
    instance_id: int,
    at: datetime,
    pipelines: Sequence[str],
    backfill: Backfill | None = None,
) -> None:
    """Queue one `prepare` job of an instance for each pipeline."""
    of = {"study_id": study_id, "instance_id": instance_id}
    _queue(tx, JobKind.PREPARE, of, at, pipelines, backfill)


def queue_conclude(
    tx: Transaction,
    study_id: int,
    revision: int,
    at: datetime,
    pipelines: Sequence[str],
    backfill: Backfill | None = None,
) -> None:
    """Queue one `conclude` job of a study revision for each pipeline."""
    if backfill is None:
        _bring_forward(tx, study_id, at, pipelines)
    of = {"study_id": study_id, "revision": revision}
    _queue(tx, JobKind.CONCLUDE, of, at, pipelines, backfill)


def _bring_forward(tx: Transaction, study_id: int, at: datetime, pipelines: Sequence[str]) -> None:
    """Make live what a live report would wait for, and end the reports that it takes over."""
    job = tables.Job
    behind = update(job).where(
        job.study_id == study_id, job.pipeline.in_(pipelines), job.backfill.isnot(None)
    )
    # One in work, too: it may have to be tried again.
    unfinished = job.state.in_([JobState.QUEUED, JobState.RUNNING])
    tx.execute(behind.where(job.kind == JobKind.PREPARE, unfinished).values(backfill=None))
    taken_over = behind.where(job.kind == JobKind.CONCLUDE, job.state == JobState.QUEUED)
    ended = taken_over.values(state=JobState.DONE, finished_at=at).returning(job)
    for row in tx.execute(ended).all():
        _audit(tx, Action.JOB_DONE, row, at, because="a later revision is analysed at once")


def _queue(
    tx: Transaction,
    kind: JobKind,
    of: Mapping[str, int],
    at: datetime,
    pipelines: Sequence[str],
    backfill: Backfill | None,
) -> None:
    rows = [
        {
            "kind": kind,
            "pipeline": pipeline,
            "instance_id": None,
            "revision": None,
            "state": JobState.QUEUED,
            "attempt": 0,
            "created_at": at,
            "available_at": at,
            "backfill": backfill,
            **of,
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
    lanes: Sequence[Backfill | None] = LANES,
) -> list[Job]:
    """Claim up to `limit` jobs of these pipelines for `lease_s` seconds, all of one lane.

    A lane is looked at only where those before it have nothing to claim. All of the first kind go
    before any of the next; of one kind, the one that waits longest goes first, whatever its study
    and pipeline. A backfill prepares before it concludes, so that it has few studies in work. A
    `conclude` job waits until no `prepare` job of its study, or of its companions, and pipeline is
    queued or running, and none for an earlier revision: it must see the report that it replaces.
    """
    found: list[int] = []
    for lane in lanes:
        for kind in kinds if lane is None else sorted(kinds, key=URGENCY.index, reverse=True):
            found += longest_waiting(tx, kind, lane, pipelines, now, limit - len(found))
        if found:
            break
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

    So each file is read once for all of them. `first` are of one lane, and so is what is claimed.
    """
    job = tables.Job
    instances = {item.instance_id for item in first if item.instance_id is not None}
    lane = first[0].backfill if first else None
    waiting = (
        select(job.id)
        .where(
            job.state == "queued",
            job.pipeline.in_(pipelines),
            job.kind == JobKind.PREPARE,
            job.instance_id.in_(instances),
            job.available_at <= now,
            in_lane(lane),
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


def queued_report(study_id: int, pipeline: str) -> Select[int]:
    """A query for a `conclude` job that waits, and so takes in all that is here by now."""
    job = tables.Job
    return (
        select(job.id)
        .where(
            job.study_id == study_id,
            job.kind == JobKind.CONCLUDE,
            job.pipeline == pipeline,
            job.state == JobState.QUEUED,
        )
        .limit(1)
    )


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
    tx: Transaction,
    job: Job,
    *,
    at: datetime,
    available_at: datetime | None,
    code: str,
    message: str,
) -> None:
    """Put a job off that cannot be done yet; no attempt counts, but how often it happens does.

    Without a time of its own it keeps its place among those that wait.
    """
    waits = {
        "state": JobState.QUEUED,
        "attempt": job.attempt - 1,
        "postponed": job.postponed + 1,
        **({"available_at": available_at} if available_at else {}),
        "error_code": code,
        "error_message": message,
        **UNCLAIMED,
    }
    _LIFECYCLE.change(tx, job, waits)
    _audit(tx, Action.JOB_POSTPONED, job, at, code=code)


def requeue(tx: Transaction, at: datetime, *which: ColumnElement[bool], **values: Any) -> int:
    """Queue ended jobs that meet all conditions again, with other values; returns how many."""
    job = tables.Job
    waits = {"state": JobState.QUEUED, "attempt": 0, "available_at": at, "finished_at": None}
    again = tx.execute(
        update(job)
        .where(*which, job.state.in_([JobState.DONE, JobState.FAILED]))
        .values(waits | values)
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
        backfill=row.backfill,
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
