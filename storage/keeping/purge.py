"""Purge: a study leaves the node on purpose, with all that points at it; a proof stays.

The audit is not touched: its rows are sealed, and the law asks for a record of who did what with
whose data. `Purged.audit_events` says how many of them name the patient.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, insert, or_, select

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Database, Transaction
from storage.errors import NotFoundError, StudyBusyError
from storage.keeping import removal
from storage.states import DeliveryState, JobState, StudyState, WorkItemState
from storage.tables import PurgedStudy, WorkItem


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge removed, and how many audit events about the study stay."""

    study_id: int
    instances: int
    files: int
    audit_events: int


@dataclass(frozen=True, slots=True)
class Proof:
    """That a study was purged; it names nobody."""

    study_id: int
    purged_at: datetime
    actor: str
    reason: str
    instances: int


def studies_of(tx: Transaction, patient_id: str) -> Sequence[int]:
    """The numbers of a patient's studies."""
    study = tables.Study
    return tx.scalars(
        select(study.id).where(study.patient_id == patient_id).order_by(study.id)
    ).all()


def purge_study(
    tx: Transaction, study_id: int, *, actor: str, reason: str, now: datetime, force: bool = False
) -> Purged:
    """Remove a study's rows and queue its files for removal; with `force` also while it is in work.

    Raises:
        NotFoundError: no such study.
        StudyBusyError: it receives, is worked on or is being sent; nothing was removed.
    """
    study = tx.execute(
        select(tables.Study).where(tables.Study.id == study_id).with_for_update()
    ).first()
    if study is None:
        raise NotFoundError(f"no study {study_id}")
    rows = _rows_of(study_id)
    if not force and (why := _in_work(tx, study.state, rows)):
        raise StudyBusyError(f"study {study_id} is still in work: {why}")
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql("PRAGMA secure_delete = ON")  # what is deleted is overwritten too
    digests = _digests(tx, rows)
    removal.queue(tx, digests)
    for table in reversed(rows):
        tx.execute(delete(table).where(rows[table]))
    _leave_proof(tx, study.study_instance_uid, study_id, study.instances, actor, reason, now)
    naming = select(func.count()).where(tables.AuditEvent.study_id == study_id)
    return Purged(study_id, study.instances, len(digests), tx.execute(naming).scalar_one() - 1)


def forget_deleted(database: Database) -> bool:
    """Take what was deleted out of SQLite's write-ahead log too; whether that could be done now."""
    if database.dialect != "sqlite":
        return True
    with closing(sqlite3.connect(str(database.url.database), timeout=30)) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def proofs(tx: Transaction, study_instance_uid: str) -> list[Proof]:
    """The purges of the study with this UID, oldest first."""
    return [
        Proof(row.study_id, row.purged_at, row.actor, row.reason, row.instances)
        for row in tx.execute(select(PurgedStudy).order_by(PurgedStudy.purged_at))
        if row.study_hash == _hash(row.salt, study_instance_uid)
    ]


def _rows_of(study_id: int) -> dict[Table, ColumnElement[bool]]:
    """The rows of each table that point at a study, by however many links; parents first.

    Derived from the schema, so that a table made later is not forgotten.
    """
    rows: dict[Table, ColumnElement[bool]] = {}
    for table in tables.Base.metadata.sorted_tables:
        links = [
            key.parent.in_(select(key.column).where(rows[key.column.table]))
            for key in table.foreign_keys
            if key.column.table in rows
        ]
        if table.name == tables.Study.__tablename__:
            rows[table] = table.c.id == study_id
        elif links:
            rows[table] = or_(*links)
    return rows


def _in_work(
    tx: Transaction, state: StudyState, rows: dict[Table, ColumnElement[bool]]
) -> str | None:
    unfinished: dict[str, tuple[Any, Collection[str]]] = {
        "a job is queued or running": (tables.Job, [JobState.QUEUED, JobState.RUNNING]),
        "a report is being sent": (
            tables.Delivery,
            [DeliveryState.PENDING, DeliveryState.SENDING],
        ),
        "a work item asks for it": (WorkItem, [WorkItemState.IN_PROGRESS]),
    }
    if state is StudyState.RECEIVING:
        return "it is not complete"
    for why, (table, states) in unfinished.items():
        some = select(table.id).where(rows[table.__table__], table.state.in_(states)).limit(1)
        if tx.scalar(some) is not None:
            return why
    return None


def _digests(tx: Transaction, rows: dict[Table, ColumnElement[bool]]) -> set[str]:
    return {
        digest
        for table, condition in rows.items()
        if "digest" in table.c
        for digest in tx.scalars(select(table.c.digest).where(condition))
    }


def _leave_proof(
    tx: Transaction,
    study_instance_uid: str,
    study_id: int,
    instances: int,
    actor: str,
    reason: str,
    now: datetime,
) -> None:
    salt = secrets.token_hex(16)
    study_hash = _hash(salt, study_instance_uid)
    tx.execute(
        insert(PurgedStudy).values(
            study_id=study_id,
            salt=salt,
            study_hash=study_hash,
            purged_at=now,
            actor=actor,
            reason=reason,
            instances=instances,
        )
    )
    trail.record(
        tx,
        Event(
            action=Action.STUDY_PURGED,
            at=now,
            actor=actor,
            study_id=study_id,
            patient_id="",
            accession_number="",
            detail={
                "reason": reason,
                "instances": instances,
                "salt": salt,
                "study_hash": study_hash,
            },
        ),
    )


def _hash(salt: str, study_instance_uid: str) -> str:
    return hashlib.sha256((salt + study_instance_uid).encode()).hexdigest()
