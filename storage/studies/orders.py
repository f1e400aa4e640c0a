"""What an administrator orders about a study by hand: complete it, hold it, release it, rerun it.

Each order is in the audit with its user and reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from storage import tables
from storage.alarms import about_studies
from storage.alarms.missing_instances import do_without
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.errors import NotFoundError
from storage.states import DueReason, StudyState
from storage.studies import refused_instances
from storage.studies.completeness import lock_evidence, look_again
from storage.studies.preparing import retry_failed
from storage.studies.revisions import complete_study, revise
from storage.tables import StudyHold
from storage.tables.upsert import insert_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who orders a correction, when, with which words for the reader; for these pipelines."""

    actor: str
    at: datetime
    reason: str
    pipelines: Sequence[str]


def record_order(
    tx: Transaction, action: Action, study_id: int, order: Order, **detail: str
) -> None:
    """Leave the audit event of an order about a study."""
    trail.record(
        tx,
        Event(
            action=action,
            at=order.at,
            actor=order.actor,
            study_id=study_id,
            detail={"reason": order.reason, **detail},
        ),
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """That a study is held: since when, by whom and why."""

    held_at: datetime
    actor: str
    reason: str


def complete_now(tx: Transaction, study_id: int, order: Order) -> int | None:
    """Complete a study with what is here, held or not; what is missing is no longer waited for.

    Returns:
        the new revision, or None where the study was complete: then only its alarm is over.

    Raises:
        NotFoundError: no such study.
    """
    evidence = lock_evidence(tx, study_id)
    tx.execute(delete(StudyHold).where(StudyHold.study_id == study_id))
    if evidence.missing:
        do_without(tx, study_id, evidence.missing, order.at)
    record_order(tx, Action.STUDY_COMPLETED_BY_HAND, study_id, order)
    if evidence.state is StudyState.COMPLETE:
        return None
    return complete_study(
        tx,
        study_id,
        order.at,
        order.pipelines,
        reason=DueReason.ORDERED,
        weighed=evidence.weighed(),
    )


def hold(tx: Transaction, study_id: int, order: Order) -> None:
    """Keep the clock from completing a study, now and after a late instance, until `release`.

    Raises:
        NotFoundError: no such study.
    """
    _require(tx, study_id)
    values = {"held_at": order.at, "actor": order.actor, "reason": order.reason}
    row = insert_for(tx, StudyHold).values(study_id=study_id, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["study_id"], set_=values))
    look_again(tx, study_id, order.at)
    record_order(tx, Action.STUDY_HELD, study_id, order)


def release(tx: Transaction, study_id: int, order: Order) -> None:
    """End a hold: the clock judges the study again.

    Raises:
        NotFoundError: no such study, or it is not held.
    """
    gone = tx.execute(delete(StudyHold).where(StudyHold.study_id == study_id))
    if not gone.rowcount:
        raise NotFoundError(f"study {study_id} is not held")
    look_again(tx, study_id, order.at)
    record_order(tx, Action.STUDY_RELEASED, study_id, order)


def rerun(tx: Transaction, study_id: int, order: Order) -> int | None:
    """Analyse a complete study again with the current bundles; failed jobs are retried.

    Returns:
        the new revision, or None where the study is still being received.

    Raises:
        NotFoundError: no such study.
    """
    _require(tx, study_id)
    record_order(tx, Action.STUDY_RERUN, study_id, order)
    retry_failed(tx, study_id, order.at)
    return revise(tx, study_id, order.at, order.pipelines, DueReason.RERUN)


def settle(tx: Transaction, study_id: int, order: Order) -> None:
    """Settle the alarms of a study that need no correction, and forget its refused instances.

    Raises:
        NotFoundError: no such study.
    """
    _require(tx, study_id)
    about_studies.settle(tx, study_id, order.at)
    refused_instances.do_without(tx, study_id)
    record_order(tx, Action.ALARMS_SETTLED, study_id, order)


def hold_of(tx: Transaction, study_id: int) -> Hold | None:
    """Who holds a study, and why."""
    row = tx.execute(
        select(StudyHold.held_at, StudyHold.actor, StudyHold.reason).where(
            StudyHold.study_id == study_id
        )
    ).first()
    return None if row is None else Hold(*row)


def _require(tx: Transaction, study_id: int) -> None:
    study = tables.Study
    found = select(study.id).where(study.id == study_id).with_for_update(key_share=True)
    if tx.scalar(found) is None:
        raise NotFoundError(f"no study {study_id}")
