"""Which jobs of a kind and lane wait longest, of those that can be done now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import aliased

from storage import tables
from storage.database.transactions import Transaction
from storage.states import Backfill, JobKind, JobState


def longest_waiting(
    tx: Transaction,
    kind: JobKind,
    lane: Backfill | None,
    pipelines: Sequence[str],
    now: datetime,
    limit: int,
) -> list[int]:
    """The jobs to claim, one query a pipeline: what waits for another's worker costs nothing."""
    if limit <= 0:
        return []
    waiting = [
        (row.available_at, row.id)
        for pipeline in pipelines
        for row in tx.execute(_claimable(kind, lane, pipeline, now, limit))
    ]
    return [job_id for _, job_id in sorted(waiting)[:limit]]


def _claimable(
    kind: JobKind, lane: Backfill | None, pipeline: str, now: datetime, limit: int
) -> Any:
    job = tables.Job
    query = (
        select(job.id, job.available_at)
        .where(
            job.state == "queued",
            job.pipeline == pipeline,
            job.kind == kind,
            in_lane(lane),
            job.available_at <= now,
        )
        .order_by(job.available_at, job.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=job)
    )
    if kind is JobKind.PREPARE:
        return query
    before, companion = aliased(tables.Job), tables.Companion
    unfinished = select(before.id).where(
        before.study_id == job.study_id,
        before.kind.in_(list(JobKind)),
        before.state.in_([JobState.QUEUED, JobState.RUNNING]),
        before.pipeline == job.pipeline,
        or_(before.kind == JobKind.PREPARE, before.revision < job.revision),
    )
    prepared_beside = (
        select(before.id)
        .join(companion, companion.companion_id == before.study_id)
        .where(
            companion.study_id == job.study_id,
            companion.pipeline == job.pipeline,
            before.kind == JobKind.PREPARE,
            before.state.in_([JobState.QUEUED, JobState.RUNNING]),
            before.pipeline == job.pipeline,
        )
    )
    return query.where(~unfinished.exists(), ~prepared_beside.exists())


def in_lane(lane: Backfill | None) -> ColumnElement[bool]:
    """Whether a job is of a lane; None: live work."""
    column = tables.Job.backfill
    return column.is_(None) if lane is None else column == lane
