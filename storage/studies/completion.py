"""Completion: which studies are due, and the commits that begin a revision."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, func, insert, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Detail, Event
from storage.database.engine import Transaction
from storage.states import Backfill, DueReason, StudyState
from storage.work import jobs


class DueStudy(NamedTuple):
    """A study that is to be judged, and what its associations make it due for."""

    study_id: int
    reason: DueReason


def due_studies(tx: Transaction, now: datetime, limit: int) -> list[DueStudy]:
    """Find the studies that are to be judged, those first that wait longest.

    That is at `look_at` where something else than their associations is waited for.
    """
    study = tables.Study
    columns = select(study.id, study.due_reason)
    due = columns.where(study.due_at <= now, study.look_at.is_(None)).order_by(study.due_at)
    looked_at = columns.where(study.look_at <= now).order_by(study.look_at)
    rows = [row for query in (due, looked_at) for row in tx.execute(query.limit(limit))]
    return [DueStudy(*row) for row in rows[:limit]]


def next_due_at(tx: Transaction) -> datetime | None:
    """When the next study is due; None while nothing is being received."""
    return tx.scalar(select(func.min(tables.Study.due_at)))


def complete_study(
    tx: Transaction,
    study_id: int,
    now: datetime,
    pipelines: Sequence[str],
    *,
    reason: DueReason | None = None,
    weighed: Detail | None = None,
) -> int | None:
    """Make a study complete, and queue one `conclude` job per pipeline.

    Without a `reason` of the caller's it must be due. `weighed` is what else the audit shall tell.

    Returns:
        the number of the new revision, or None where the study is not due: an instance came
        meanwhile, or another process was faster.
    """
    study = tables.Study
    may = study.due_at <= now if reason is None else study.due_at.isnot(None)
    done = tx.execute(
        update(study)
        .where(study.id == study_id, study.state == StudyState.RECEIVING, may)
        .values(
            state=StudyState.COMPLETE,
            revision=study.revision + 1,
            due_at=None,
            due_reason=reason or study.due_reason,
            look_at=None,
            completed_at=now,
        )
        .returning(study.revision, study.due_reason, study.instances, study.revision_began_at)
    ).first()
    if done is None:
        return None
    _begin_revision(tx, study_id, done, done.revision_began_at, now, pipelines, weighed)
    return int(done.revision)


def revise(
    tx: Transaction,
    study_id: int,
    now: datetime,
    pipelines: Sequence[str],
    reason: DueReason = DueReason.CORRECTION,
    backfill: Backfill | None = None,
) -> int | None:
    """Conclude a complete study again, because of a correction or an order: a new revision at once.

    With `backfill` its jobs wait behind live work.

    Returns:
        the number of the new revision, or None where the study is still being received and takes
        the correction in when it is complete.
    """
    study = tables.Study
    done = tx.execute(
        update(study)
        .where(study.id == study_id, study.state == StudyState.COMPLETE)
        .values(revision=study.revision + 1, completed_at=now, due_reason=reason)
        .returning(study.revision, study.due_reason, study.instances)
    ).first()
    if done is None:
        return None
    _begin_revision(tx, study_id, done, now, now, pipelines, backfill=backfill)
    return int(done.revision)


def _begin_revision(
    tx: Transaction,
    study_id: int,
    done: Row[*tuple[Any, ...]],
    began_at: datetime,
    now: datetime,
    pipelines: Sequence[str],
    weighed: Detail | None = None,
    backfill: Backfill | None = None,
) -> None:
    tx.execute(
        insert(tables.StudyRevision).values(
            study_id=study_id,
            revision=done.revision,
            reason=done.due_reason,
            instances=done.instances,
            began_at=began_at,
            completed_at=now,
        )
    )
    jobs.queue_conclude(tx, study_id, done.revision, now, pipelines, backfill)
    trail.record(
        tx,
        Event(
            action=Action.STUDY_COMPLETE,
            at=now,
            study_id=study_id,
            detail={
                "revision": done.revision,
                "reason": done.due_reason.value,
                "instances": done.instances,
                **(weighed or {}),
            },
        ),
    )
