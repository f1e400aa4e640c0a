"""Completion: which studies the clock has to judge, and the commits that begin a revision."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Detail, Event
from storage.database.transactions import Transaction
from storage.states import Backfill, DueReason, StudyState
from storage.work import jobs


def due_studies(tx: Transaction, now: datetime, limit: int) -> list[int]:
    """Find the studies that are to be judged now, those first that wait longest."""
    study = tables.Study
    due = select(study.id).where(study.look_at <= now).order_by(study.look_at).limit(limit)
    return list(tx.scalars(due))


def complete_study(
    tx: Transaction,
    study_id: int,
    now: datetime,
    pipelines: Sequence[str],
    *,
    reason: DueReason,
    weighed: Detail | None = None,
) -> int | None:
    """Make a study complete, and queue one `conclude` job per pipeline.

    `weighed` is what else the audit shall tell.

    Returns:
        the number of the new revision, or None where the study is complete already.
    """
    study = tables.Study
    done = tx.execute(
        update(study)
        .where(study.id == study_id, study.state == StudyState.RECEIVING)
        .values(
            state=StudyState.COMPLETE,
            revision=study.revision + 1,
            look_at=None,
            completed_at=now,
        )
        .returning(study.revision, study.instances, study.revision_began_at)
    ).first()
    if done is None:
        return None
    jobs.queue_conclude(tx, study_id, done.revision, now, pipelines)
    _record_revision(tx, study_id, done, reason, done.revision_began_at, now, weighed)
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
        .values(revision=study.revision + 1, completed_at=now)
        .returning(study.revision, study.instances)
    ).first()
    if done is None:
        return None
    jobs.queue_conclude(tx, study_id, done.revision, now, pipelines, backfill)
    _record_revision(tx, study_id, done, reason, now, now)
    return int(done.revision)


def reason_of(tx: Transaction, study_id: int, revision: int) -> DueReason | None:
    """Why a revision was begun; None where there is no such revision."""
    row = tables.StudyRevision
    return tx.scalar(select(row.reason).where(row.study_id == study_id, row.revision == revision))


def _record_revision(
    tx: Transaction,
    study_id: int,
    done: Row[*tuple[Any, ...]],
    reason: DueReason,
    began_at: datetime,
    now: datetime,
    weighed: Detail | None = None,
) -> None:
    tx.execute(
        insert(tables.StudyRevision).values(
            study_id=study_id,
            revision=done.revision,
            reason=reason,
            instances=done.instances,
            began_at=began_at,
            completed_at=now,
        )
    )
    trail.record(
        tx,
        Event(
            action=Action.STUDY_COMPLETE,
            at=now,
            study_id=study_id,
            detail={
                "revision": done.revision,
                "reason": reason.value,
                "instances": done.instances,
                **(weighed or {}),
            },
        ),
    )
