"""Completion: which studies are due, and the commit that makes one complete."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, insert, select, update

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
    tx.execute(
        insert(schema.StudyRevision).values(
            study_id=study_id,
            revision=done.revision,
            reason=done.due_reason,
            instances=done.instances,
            began_at=done.revision_began_at,
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
    return int(done.revision)
