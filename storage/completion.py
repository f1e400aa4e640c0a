"""Completion: which studies are due, and the commits that begin a revision."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, func, insert, select, update

from storage import audit, jobs, schema
from storage.audit import Action, Event
from storage.engine import Transaction
from storage.states import DueReason, StudyState


class DueStudy(NamedTuple):
    """A study that is due, and why."""

    study_id: int
    reason: DueReason


def due_studies(tx: Transaction, now: datetime, limit: int) -> list[DueStudy]:
    """Find the studies that are due, longest overdue first."""
    study = schema.Study
    rows = tx.execute(
        select(study.id, study.due_reason)
        .where(study.due_at <= now)
        .order_by(study.due_at)
        .limit(limit)
    )
    return [DueStudy(*row) for row in rows]


def next_due_at(tx: Transaction) -> datetime | None:
    """When the next study is due; None while nothing is being received."""
    return tx.scalar(select(func.min(schema.Study.due_at)))


def complete_study(
    tx: Transaction, study_id: int, now: datetime, pipelines: Sequence[str]
) -> int | None:
    """Make a due study complete, and queue one `conclude` job per pipeline.

    Returns:
        the number of the new revision, or None where the study is not due: an instance came
        meanwhile, or another process was faster.
    """
    study = schema.Study
    done = tx.execute(
        update(study)
        .where(study.id == study_id, study.state == StudyState.RECEIVING, study.due_at <= now)
        .values(
            state=StudyState.COMPLETE,
            revision=study.revision + 1,
            due_at=None,
            completed_at=now,
        )
        .returning(study.revision, study.due_reason, study.instances, study.revision_began_at)
    ).first()
    if done is None:
        return None
    _begin_revision(tx, study_id, done, done.revision_began_at, now, pipelines)
    return int(done.revision)


def revise(tx: Transaction, study_id: int, now: datetime, pipelines: Sequence[str]) -> int | None:
    """Conclude a complete study anew because of a correction: a new revision at once.

    Returns:
        the number of the new revision, or None where the study is still being received and takes
        the correction in when it is complete.
    """
    study = schema.Study
    done = tx.execute(
        update(study)
        .where(study.id == study_id, study.state == StudyState.COMPLETE)
        .values(revision=study.revision + 1, completed_at=now, due_reason=DueReason.CORRECTION)
        .returning(study.revision, study.due_reason, study.instances)
    ).first()
    if done is None:
        return None
    _begin_revision(tx, study_id, done, now, now, pipelines)
    return int(done.revision)


def _begin_revision(
    tx: Transaction,
    study_id: int,
    done: Row[*tuple[Any, ...]],
    began_at: datetime,
    now: datetime,
    pipelines: Sequence[str],
) -> None:
    tx.execute(
        insert(schema.StudyRevision).values(
            study_id=study_id,
            revision=done.revision,
            reason=done.due_reason,
            instances=done.instances,
            began_at=began_at,
            completed_at=now,
        )
    )
    jobs.queue_conclude(tx, study_id, done.revision, now, pipelines)
    audit.record(
        tx,
        Event(
            action=Action.STUDY_COMPLETE,
            at=now,
            study_id=study_id,
            detail={
                "revision": done.revision,
                "reason": done.due_reason.value,
                "instances": done.instances,
            },
        ),
    )
