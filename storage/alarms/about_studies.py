"""Alarms about studies: what an administrator has to look at, until somebody settles it."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update

from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.states import AlarmKind
from storage.tables import StudyAlarm
from storage.tables.upsert import insert_for


def raise_alarm(tx: Transaction, study_id: int, kind: AlarmKind, detail: str, at: datetime) -> None:
    """Raise an alarm, or say something else in one that stands; `detail` names no values."""
    if standing(tx, study_id).get(kind) == detail:
        return
    values = {"detail": detail, "raised_at": at, "cleared_at": None}
    row = insert_for(tx, StudyAlarm).values(study_id=study_id, kind=kind, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["study_id", "kind"], set_=values))
    trail.record(
        tx,
        Event(
            action=Action.STUDY_ALARM,
            at=at,
            outcome="failure",
            study_id=study_id,
            detail={"kind": kind.value, "about": detail},
        ),
    )


def settle(tx: Transaction, study_id: int, at: datetime, kind: AlarmKind | None = None) -> int:
    """End the alarms of a study, or the one of a kind; how many stood."""
    alarm = StudyAlarm
    those = update(alarm).where(alarm.study_id == study_id, alarm.cleared_at.is_(None))
    if kind is not None:
        those = those.where(alarm.kind == kind)
    return tx.execute(those.values(cleared_at=at)).rowcount


def standing(tx: Transaction, study_id: int) -> Mapping[AlarmKind, str]:
    """The alarms that stand for a study, each with what it is about."""
    alarm = StudyAlarm
    rows = tx.execute(
        select(alarm.kind, alarm.detail)
        .where(alarm.study_id == study_id, alarm.cleared_at.is_(None))
        .order_by(alarm.kind)
    )
    return {row.kind: row.detail for row in rows}
