"""What audit repositories are still to be told: sealed events after each one's cursor, in order.

The cursor moves on only when the repository has what stands before it. While a repository is away
nothing is copied or queued: its cursor stands still.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from storage.audit.seals import head
from storage.audit.trail import Action, RecordedEvent, recorded
from storage.database.transactions import Transaction
from storage.tables import AssociationStudy, AuditCursor, AuditEvent, AuditSeal, Instance, Study
from storage.tables.upsert import insert_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A study that an event is about, as the database knows it now.

    `instances` counts, by SOP Class UID, those that the event moved; empty: it does not tell.
    """

    study_instance_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    instances: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTell:
    """A sealed event; no subjects: it is about no study, or one that is no longer here."""

    position: int
    event: RecordedEvent
    subjects: tuple[Subject, ...]


def cursor(tx: Transaction, repository: str) -> int | None:
    """The seal that a repository was told up to; None: it is new."""
    return tx.scalar(select(AuditCursor.position).where(AuditCursor.repository == repository))


def begin(tx: Transaction, repository: str, now: datetime) -> int:
    """Let a new repository be told what is sealed from now on; its cursor."""
    position, _ = head(tx)
    insert_once(tx, AuditCursor, repository=repository, position=position, advanced_at=now)
    return position


def after(
    tx: Transaction, position: int, actions: Sequence[Action], limit: int
) -> tuple[list[ToTell], int]:
    """The events of some actions among the next `limit` sealed ones, and the last one's seal."""
    rows = tx.execute(
        select(AuditSeal.position, AuditEvent)
        .join(AuditEvent, AuditEvent.id == AuditSeal.event_id)
        .where(AuditSeal.position > position)
        .order_by(AuditSeal.position)
        .limit(limit)
    ).all()
    wanted = [row for row in rows if row.action in actions]
    return [_to_tell(tx, row._asdict()) for row in wanted], rows[-1].position if rows else position


def advance(tx: Transaction, repository: str, was: int, position: int, now: datetime) -> None:
    """Note that a repository was told up to `position`, unless somebody else moved its cursor."""
    tx.execute(
        update(AuditCursor)
        .where(AuditCursor.repository == repository, AuditCursor.position == was)
        .values(position=position, advanced_at=now)
    )


def _to_tell(tx: Transaction, columns: dict[str, Any]) -> ToTell:
    position = columns.pop("position")
    event = recorded(columns)
    if event.action is Action.ASSOCIATION_CLOSED:
        subjects = tuple(_brought(tx, event.association_id))
    else:
        subjects = tuple(_subject(tx, event))
    return ToTell(position=position, event=event, subjects=subjects)


def _subject(tx: Transaction, event: RecordedEvent) -> Iterator[Subject]:
    study = tx.execute(select(Study).where(Study.id == event.study_id)).first()
    if study is not None:
        patient = event.patient_id or study.patient_id
        yield Subject(
            study_instance_uid=study.study_instance_uid,
            patient_id=patient,
            patient_name=study.patient_name if patient == study.patient_id else "",
            accession_number=event.accession_number or study.accession_number,
            instances={},
        )


def _brought(tx: Transaction, association_id: str | None) -> Iterator[Subject]:
    studies = tx.execute(
        select(Study)
        .join(AssociationStudy, AssociationStudy.study_id == Study.id)
        .where(AssociationStudy.association_id == association_id, AssociationStudy.instances > 0)
        .order_by(Study.id)
    )
    for study in studies:
        counts = tx.execute(
            select(Instance.sop_class_uid, func.count())
            .where(Instance.study_id == study.id, Instance.association_id == association_id)
            .group_by(Instance.sop_class_uid)
            .order_by(Instance.sop_class_uid)
        )
        yield Subject(
            study_instance_uid=study.study_instance_uid,
            patient_id=study.patient_id,
            patient_name=study.patient_name,
            accession_number=study.accession_number,
            instances={uid: int(count) for uid, count in counts},
        )
