"""The alarm: instances that were announced did not come, and the study went on without them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.tables import MissingInstances
from storage.tables.upsert import insert_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One study that lacks instances, as an administrator sees it."""

    study_id: int
    missing: int
    instances: int
    raised_at: datetime
    patient_id: str
    accession_number: str


def raise_alarm(tx: Transaction, study_id: int, missing: int, at: datetime) -> None:
    """Tell that so many instances are missing; they are no longer waited for."""
    _set(tx, study_id, missing, raised_at=at, cleared_at=None)
    trail.record(
        tx,
        Event(
            action=Action.INSTANCES_MISSING,
            at=at,
            outcome="failure",
            study_id=study_id,
            detail={"missing": missing},
        ),
    )


def do_without(tx: Transaction, study_id: int, missing: int, at: datetime) -> None:
    """Wait no longer for so many missing instances, and have no alarm for them."""
    _set(tx, study_id, missing, raised_at=at, cleared_at=at)


def note_missing(tx: Transaction, study_id: int, missing: int, at: datetime) -> None:
    """Lower an alarm to what is still missing; with nothing missing it is over."""
    alarm = MissingInstances
    fewer = (alarm.study_id == study_id, alarm.missing > missing)
    if missing:
        tx.execute(update(alarm).where(*fewer).values(missing=missing))
        return
    stood = tx.execute(
        update(alarm).where(*fewer, alarm.cleared_at.is_(None)).values(missing=0, cleared_at=at)
    )
    if stood.rowcount:
        trail.record(tx, Event(action=Action.INSTANCES_ARRIVED, at=at, study_id=study_id))
    else:
        tx.execute(update(alarm).where(*fewer).values(missing=0))


def alarm_of(tx: Transaction, study_id: int) -> Alarm | None:
    """The alarm that stands for a study."""
    row = tx.execute(_standing().where(MissingInstances.study_id == study_id)).first()
    return None if row is None else Alarm(**row._asdict())


def _standing() -> Any:
    return (
        select(
            MissingInstances.study_id,
            MissingInstances.missing,
            MissingInstances.raised_at,
            tables.Study.instances,
            tables.Study.patient_id,
            tables.Study.accession_number,
        )
        .join(tables.Study, tables.Study.id == MissingInstances.study_id)
        .where(MissingInstances.cleared_at.is_(None))
    )


def _set(
    tx: Transaction,
    study_id: int,
    missing: int,
    *,
    raised_at: datetime,
    cleared_at: datetime | None,
) -> None:
    values = {"missing": missing, "raised_at": raised_at, "cleared_at": cleared_at}
    row = insert_for(tx, MissingInstances).values(study_id=study_id, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["study_id"], set_=values))
