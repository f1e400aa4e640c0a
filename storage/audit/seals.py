"""Seals: a chain of digests over the audit, so that a changed, removed or inserted row is found.

Events are sealed shortly after they were committed, off the way of whoever records them. The chain
has its own order, since PostgreSQL commits rows in another order than it numbers them:

    digest = SHA-256(canonical form of the event)
    chain  = SHA-256(chain before, position, event id, digest, time of sealing), one a line
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, String, exists, func, insert, select, type_coerce

from storage.database.transactions import Database, Transaction
from storage.tables import AuditEvent, AuditSeal

#: The chain before the first seal.
BEGINNING = "0" * 64
#: Events sealed in one transaction, so that on SQLite nobody waits long for the writer's turn.
BATCH = 500
#: Transactions of one tick; a backlog beyond them waits for the next.
_BATCHES = 10
#: On PostgreSQL, seals to look back over for events that were committed late.
_LOOK_BACK = 1_000
#: Any number will do that nobody else locks in this database.
_SEALING_LOCK = 0x5EA1

#: What of an event is sealed, in this order. A column that is added later starts a new form.
SEALED = (
    AuditEvent.id,
    AuditEvent.at,
    AuditEvent.action,
    AuditEvent.outcome,
    AuditEvent.actor,
    AuditEvent.peer,
    AuditEvent.address,
    AuditEvent.association_id,
    AuditEvent.study_id,
    AuditEvent.patient_id,
    AuditEvent.accession_number,
    AuditEvent.sop_instance_uid,
    AuditEvent.detail,
)


def seal_new(database: Database, now: datetime, *, thorough: bool = False) -> int:
    """Seal what was committed since the last time; says how many events it were.

    Any number of processes may call this at once: one at a time does it, the others have nothing
    to do. Now and then PostgreSQL needs a `thorough` look at every event, for those whose
    transaction ended after a thousand others.
    """
    total = 0
    for _ in range(_BATCHES):
        with database.read() as tx:
            if not _unsealed(tx, 1, thorough=thorough):
                break
        with database.write() as tx:
            count = seal(tx, now, thorough=thorough)
        total += count
        if count < BATCH:
            break
    return total


def seal(tx: Transaction, now: datetime, *, thorough: bool = False) -> int:
    """Seal the next batch of events; says how many it were."""
    if tx.dialect.name == "postgresql" and not tx.scalar(
        select(func.pg_try_advisory_xact_lock(_SEALING_LOCK))
    ):
        return 0
    events = _unsealed(tx, BATCH, thorough=thorough)
    position, chain = head(tx)
    seals = []
    for event in events:
        position += 1
        digest = event_digest(event)
        chain = link(chain, position, event.id, digest, now)
        seals.append(
            {
                "position": position,
                "event_id": event.id,
                "digest": digest,
                "sealed_at": now,
                "chain": chain,
            }
        )
    if seals:
        tx.execute(insert(AuditSeal), seals)
    return len(seals)


def head(tx: Transaction) -> tuple[int, str]:
    """Position and chain of the last seal; what an admin notes elsewhere."""
    last = tx.execute(
        select(AuditSeal.position, AuditSeal.chain).order_by(AuditSeal.position.desc()).limit(1)
    ).first()
    return (last[0], last[1]) if last else (0, BEGINNING)


def link(before: str, position: int, event_id: int, digest: str, sealed_at: datetime | str) -> str:
    """The chain with one more seal."""
    text = "\n".join((before, str(position), str(event_id), digest, canonical_time(sealed_at)))
    return hashlib.sha256(text.encode()).hexdigest()


def event_digest(columns: Sequence[Any]) -> str:
    """Digest of the columns of `event_columns` as a JSON list, the same on every database.

    What no writer of ours wrote, such as bytes in a column of text, has a digest too.
    """
    values = [canonical_time(item) if isinstance(item, datetime) else item for item in columns]
    text = json.dumps(values, ensure_ascii=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def event_columns(tx: Transaction) -> Sequence[Any]:
    """The columns of an event as the digest needs them; on SQLite, the time as it is written."""
    if tx.dialect.name == "postgresql":
        return SEALED
    return [
        type_coerce(column, String).label("at") if column is AuditEvent.at else column
        for column in SEALED
    ]


def unsealed(tx: Transaction) -> Select[Any]:
    """The query for every event without a seal; it goes over all events."""
    sealed = exists().where(AuditSeal.event_id == AuditEvent.id)
    return select(*event_columns(tx)).where(~sealed).order_by(AuditEvent.id)


def _unsealed(tx: Transaction, limit: int, *, thorough: bool) -> Sequence[Row[Any]]:
    query = unsealed(tx).limit(limit)
    if not (thorough and tx.dialect.name == "postgresql"):
        query = query.where(AuditEvent.id > _sealed_below(tx))
    return tx.execute(query).all()


def _sealed_below(tx: Transaction) -> int:
    """An event id up to which all are sealed, but for rows that were committed very late.

    SQLite has one writer at a time and numbers rows as they are committed: none comes late there,
    so a row below that has no seal was not written by us, and gets none.
    """
    look_back = 1 if tx.dialect.name == "sqlite" else _LOOK_BACK
    recent = (
        select(AuditSeal.event_id).order_by(AuditSeal.position.desc()).limit(look_back).subquery()
    )
    return tx.scalar(select(func.min(recent.c.event_id))) or 0


def canonical_time(at: datetime | str) -> str:
    """A time as the digests have it, and as SQLite stores it; what is text already stays."""
    if isinstance(at, str):
        return at
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
