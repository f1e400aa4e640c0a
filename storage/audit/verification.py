"""Whether the audit is as it was sealed, and if not, where it was touched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, String, func, select, type_coerce

from storage.audit.seals import (
    BEGINNING,
    canonical_time,
    event_columns,
    event_digest,
    link,
    unsealed,
)
from storage.database.transactions import Transaction
from storage.tables import AuditEvent, AuditSeal

#: Rows read at a time.
_BATCH = 1_000
#: On PostgreSQL an honest event may be sealed so much later than the one numbered after it.
_LATE = timedelta(minutes=15)


class Damage(StrEnum):
    """What was done to the audit."""

    CHANGED = "event changed"
    REMOVED = "event removed"
    OUT_OF_ORDER = "event inserted or moved"
    UNSEALED = "event without its seal"
    SEALS_REMOVED = "seals removed"
    CHAIN_BROKEN = "chain broken"
    HEAD_MISSING = "noted head missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where the audit was touched.

    `position` is the seal's (of removed seals, the first), `at` the event's time in UTC. Of a
    removed event the row is gone: `at` is then the time at which it was sealed.
    """

    damage: Damage
    position: int | None = None
    event_id: int | None = None
    at: str | None = None
    action: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found; `position` and `chain` are the head, to be noted elsewhere."""

    findings: tuple[Finding, ...]
    position: int
    chain: str
    not_sealed: int

    @property
    def is_sound(self) -> bool:
        """Whether the audit is as it was sealed."""
        return not self.findings


def verify(tx: Transaction, now: datetime, expected: tuple[int, str] | None = None) -> Verification:
    """Compare every event with its seal, and every seal with the one before.

    A head noted earlier, `expected`, tells whether the end of both was cut off since. Only reads;
    goes over the whole audit.
    """
    findings: list[Finding] = []
    position, chain, newest = 0, BEGINNING, 0
    noted = expected in (None, (0, BEGINNING))
    for row in _sealed_rows(tx):
        findings += _broken_link(row, position, chain)
        findings += _damaged_event(row)
        if row.event_id < newest and _is_late(tx, row.event_id, row.sealed_at):
            findings.append(_named(Damage.OUT_OF_ORDER, row, row.position))
        newest = max(newest, row.event_id)
        position, chain = row.position, row.chain
        noted = noted or expected == (position, chain)
    if expected is not None and not noted:
        findings.append(Finding(damage=Damage.HEAD_MISSING, position=expected[0]))
    without_seal = unsealed(tx).where(AuditEvent.id < newest)
    findings += [
        _named(Damage.UNSEALED, row)
        for row in tx.execute(without_seal)
        if _is_late(tx, row.id, now)
    ]
    count = tx.scalar(select(func.count()).select_from(unsealed(tx).subquery())) or 0
    return Verification(findings=tuple(findings), position=position, chain=chain, not_sealed=count)


def _sealed_rows(tx: Transaction) -> Iterator[Row[Any]]:
    """Every seal in order, each with the columns of its event (empty: there is none)."""
    query = (
        select(
            AuditSeal.position,
            AuditSeal.event_id,
            AuditSeal.digest,
            AuditSeal.chain,
            _as_written(tx),
            *event_columns(tx),
        )
        .outerjoin(AuditEvent, AuditEvent.id == AuditSeal.event_id)
        .order_by(AuditSeal.position)
        .limit(_BATCH)
    )
    position: int | None = None
    while True:
        batch = query if position is None else query.where(AuditSeal.position > position)
        rows = tx.execute(batch).all()
        yield from rows
        if len(rows) < _BATCH:
            return
        position = rows[-1].position


#: Columns of the seal that stand before those of its event.
_SEAL_COLUMNS = 5


def _as_written(tx: Transaction) -> Any:
    """The time of sealing; on SQLite the text, which a change may have made no time at all."""
    if tx.dialect.name == "postgresql":
        return AuditSeal.sealed_at
    return type_coerce(AuditSeal.sealed_at, String).label("sealed_at")


def _broken_link(row: Row[Any], position: int, chain: str) -> Sequence[Finding]:
    if row.position > position + 1:
        missing = row.position - position - 1
        return [Finding(damage=Damage.SEALS_REMOVED, position=position + 1, count=missing)]
    if row.chain != link(chain, row.position, row.event_id, row.digest, row.sealed_at):
        return [_named(Damage.CHAIN_BROKEN, row, row.position)]
    return []


def _damaged_event(row: Row[Any]) -> Sequence[Finding]:
    if row.id is None:
        return [
            Finding(
                damage=Damage.REMOVED,
                position=row.position,
                event_id=row.event_id,
                at=canonical_time(row.sealed_at),
            )
        ]
    if row.digest != event_digest(row[_SEAL_COLUMNS:]):
        return [_named(Damage.CHANGED, row, row.position)]
    return []


def _is_late(tx: Transaction, event_id: int, at: datetime | str) -> bool:
    """Whether an event without a seal until `at` cannot be an honest one that was committed late.

    SQLite numbers events as they are committed: no honest one is late there.
    """
    if isinstance(at, str) or tx.dialect.name == "sqlite":
        return True
    next_sealed_at = tx.scalar(
        select(AuditSeal.sealed_at)
        .where(AuditSeal.event_id > event_id)
        .order_by(AuditSeal.event_id)
        .limit(1)
    )
    return next_sealed_at is not None and at - next_sealed_at > _LATE


def _named(damage: Damage, row: Row[Any], position: int | None = None) -> Finding:
    there = row.id is not None
    return Finding(
        damage=damage,
        position=position,
        event_id=row.id if there else row.event_id,
        at=_told(row.at) if there else None,
        action=row.action,
    )


def _told(at: object) -> str:
    """An event's time for the operator, even where somebody wrote what is no time."""
    return canonical_time(at) if isinstance(at, datetime | str) else repr(at)
