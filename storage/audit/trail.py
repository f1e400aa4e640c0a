"""The audit: one row per thing that happened, written in the transaction that made it happen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, tuple_

from storage.tables import AuditEvent, Base, Study
from storage.tables.columns import bounded

#: Characters of one detail of an event.
_LONGEST_DETAIL = 2000

Detail = Mapping[str, str | int | float | bool | None]


class Action(StrEnum):
    """What can happen."""

    NODE_STARTED = "NODE_STARTED"
    NODE_STOPPED = "NODE_STOPPED"
    ASSOCIATION_OPENED = "ASSOCIATION_OPENED"
    ASSOCIATION_REFUSED = "ASSOCIATION_REFUSED"
    ASSOCIATION_CLOSED = "ASSOCIATION_CLOSED"
    ECHO = "ECHO"
    INSTANCE_STORED = "INSTANCE_STORED"
    INSTANCE_DUPLICATE = "INSTANCE_DUPLICATE"
    INSTANCE_CONFLICT = "INSTANCE_CONFLICT"
    INSTANCE_EDITED = "INSTANCE_EDITED"
    INSTANCE_REFUSED = "INSTANCE_REFUSED"
    REQUEST_REFUSED = "REQUEST_REFUSED"
    OWN_RESULT_RETURNED = "OWN_RESULT_RETURNED"
    PATIENT_DIFFERS = "PATIENT_DIFFERS"
    STUDY_OPENED = "STUDY_OPENED"
    STUDY_REOPENED = "STUDY_REOPENED"
    STUDY_COMPLETE = "STUDY_COMPLETE"
    STUDY_ANNOUNCED = "STUDY_ANNOUNCED"
    STUDY_HELD = "STUDY_HELD"
    STUDY_RELEASED = "STUDY_RELEASED"
    STUDY_COMPLETED_BY_HAND = "STUDY_COMPLETED_BY_HAND"
    STUDY_RERUN = "STUDY_RERUN"
    BACKFILL_ORDERED = "BACKFILL_ORDERED"
    STUDY_ALARM = "STUDY_ALARM"
    ALARMS_SETTLED = "ALARMS_SETTLED"
    INSTANCES_MISSING = "INSTANCES_MISSING"
    INSTANCES_ARRIVED = "INSTANCES_ARRIVED"
    JOB_CLAIMED = "JOB_CLAIMED"
    JOB_DONE = "JOB_DONE"
    JOB_RETRY = "JOB_RETRY"
    JOB_FAILED = "JOB_FAILED"
    JOB_HANDED_BACK = "JOB_HANDED_BACK"
    JOB_RESCUED = "JOB_RESCUED"
    JOB_REQUEUED = "JOB_REQUEUED"
    JOB_POSTPONED = "JOB_POSTPONED"
    PIPELINE_FORGOTTEN = "PIPELINE_FORGOTTEN"
    SPOOL_ADOPTED = "SPOOL_ADOPTED"
    INSTANCE_SELECTED = "INSTANCE_SELECTED"
    INSTANCE_REJECTED = "INSTANCE_REJECTED"
    REJECTION_NOTE_APPLIED = "REJECTION_NOTE_APPLIED"
    REJECTION_NOTE_IGNORED = "REJECTION_NOTE_IGNORED"
    DEMOGRAPHICS_CORRECTED = "DEMOGRAPHICS_CORRECTED"
    STUDY_WITHDRAWN = "STUDY_WITHDRAWN"
    STUDY_REINSTATED = "STUDY_REINSTATED"
    REPORT_MADE = "REPORT_MADE"
    REPORT_WITHDRAWN = "REPORT_WITHDRAWN"
    REPORT_NO_EFFECT = "REPORT_NO_EFFECT"
    REPORT_NOT_APPLICABLE = "REPORT_NOT_APPLICABLE"
    REPORT_UNFILED = "REPORT_UNFILED"
    FINDINGS_STORED = "FINDINGS_STORED"
    DELIVERY_QUEUED = "DELIVERY_QUEUED"
    DELIVERY_CLAIMED = "DELIVERY_CLAIMED"
    DELIVERY_SENT = "DELIVERY_SENT"
    DELIVERY_RETRY = "DELIVERY_RETRY"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    DELIVERY_HANDED_BACK = "DELIVERY_HANDED_BACK"
    DELIVERY_RESCUED = "DELIVERY_RESCUED"
    DELIVERY_REQUEUED = "DELIVERY_REQUEUED"
    DELIVERY_SPARED = "DELIVERY_SPARED"
    DESTINATION_FORGOTTEN = "DESTINATION_FORGOTTEN"
    FILES_REMOVED = "FILES_REMOVED"
    STUDY_PURGED = "STUDY_PURGED"
    COMMITMENT_REQUESTED = "COMMITMENT_REQUESTED"
    COMMITMENT_REPORTED = "COMMITMENT_REPORTED"
    COMMITMENT_GIVEN_UP = "COMMITMENT_GIVEN_UP"
    DELIVERY_COMMITTED = "DELIVERY_COMMITTED"
    DELIVERY_READ_BACK = "DELIVERY_READ_BACK"
    DELIVERY_SENT_AGAIN = "DELIVERY_SENT_AGAIN"
    DELIVERY_STALLED = "DELIVERY_STALLED"
    DELIVERY_RESUMED = "DELIVERY_RESUMED"
    ARCHIVE_SEARCHED = "ARCHIVE_SEARCHED"
    STUDY_FETCHED = "STUDY_FETCHED"
    PULL_ENDED = "PULL_ENDED"
    WORK_ITEM_CLAIMED = "WORK_ITEM_CLAIMED"
    WORK_ITEM_COMPLETED = "WORK_ITEM_COMPLETED"
    WORK_ITEM_CANCELED = "WORK_ITEM_CANCELED"
    WORK_ITEM_LET_GO = "WORK_ITEM_LET_GO"
    BACKUP_MADE = "BACKUP_MADE"
    BACKUP_RESTORED = "BACKUP_RESTORED"
    DATA_VIEWED = "DATA_VIEWED"
    PEER_EXAMINED = "PEER_EXAMINED"
    CLOCK_JUMPED = "CLOCK_JUMPED"
    CLOCK_CONFIRMED = "CLOCK_CONFIRMED"
    SCHEMA_UPGRADED = "SCHEMA_UPGRADED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    `actor` is a process (`host:pid:starttime`) or a user. With a `study_id` and neither patient
    nor accession number, `record` takes these from the study.
    """

    action: Action
    at: datetime
    outcome: Literal["success", "failure"] = "success"
    actor: str | None = None
    peer: str | None = None
    address: str | None = None
    association_id: str | None = None
    study_id: int | None = None
    patient_id: str | None = None
    accession_number: str | None = None
    sop_instance_uid: str | None = None
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent(Event):
    """An event and the number of its row; rows are numbered as they were written."""

    id: int


_INSERT = insert(Base.metadata.tables["audit_event"])


def record(tx: Connection, event: Event) -> None:
    """Write an event."""
    patient_id, accession_number = event.patient_id, event.accession_number
    if event.study_id is not None and patient_id is None and accession_number is None:
        patient_id, accession_number = _whose(tx, event.study_id)
    tx.execute(
        _INSERT,
        {
            "at": event.at,
            "action": event.action.value,
            "outcome": event.outcome,
            "actor": event.actor or None,
            "peer": event.peer or None,
            "address": event.address or None,
            "association_id": event.association_id,
            "study_id": event.study_id,
            "patient_id": patient_id or None,
            "accession_number": accession_number or None,
            "sop_instance_uid": event.sop_instance_uid,
            "detail": json.dumps(_bounded(event.detail), ensure_ascii=False),
        },
    )


def _bounded(detail: Detail) -> dict[str, str | int | float | bool | None]:
    """Details without a text of a peer's that fills pages."""
    return {
        key: bounded(value, _LONGEST_DETAIL) if isinstance(value, str) else value
        for key, value in detail.items()
    }


def _whose(tx: Connection, study_id: int) -> tuple[str | None, str | None]:
    found = tx.execute(
        select(Study.patient_id, Study.accession_number).where(Study.id == study_id)
    ).first()
    return (found[0], found[1]) if found else (None, None)


def search(  # noqa: PLR0913 - each is one condition
    tx: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    peer: str | None = None,
    patient_id: str | None = None,
    accession_number: str | None = None,
    action: Action | None = None,
    study_id: int | None = None,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
    newest_first: bool = True,
) -> list[RecordedEvent]:
    """Find events that meet every condition given; `since` is included, `until` is not.

    Of all that are sorted, newest first, those after `before`: the time and number of an event.
    """
    query = select(AuditEvent)
    if before is not None:
        query = query.where(tuple_(AuditEvent.at, AuditEvent.id) < before)
    if since is not None:
        query = query.where(AuditEvent.at >= since)
    if until is not None:
        query = query.where(AuditEvent.at < until)
    wanted = {
        AuditEvent.peer: peer,
        AuditEvent.patient_id: patient_id,
        AuditEvent.accession_number: accession_number,
        AuditEvent.action: action,
        AuditEvent.study_id: study_id,
    }
    query = query.where(*(column == value for column, value in wanted.items() if value is not None))
    if newest_first:
        query = query.order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
    else:
        query = query.order_by(AuditEvent.at, AuditEvent.id)
    return [recorded(row._asdict()) for row in tx.execute(query.limit(limit))]


def recorded(columns: Mapping[str, Any]) -> RecordedEvent:
    """The event that stands in the columns of a row."""
    action, detail = Action(columns["action"]), json.loads(columns["detail"])
    return RecordedEvent(**{**columns, "action": action, "detail": detail})
