"""Claims: who works on a row, until when, and what may become of it.

A row in work carries `claimed_by`, `lease_until` and the number of the `attempt`. A change by its
holder names them, so that one who was paused past the lease cannot undo its successor's work.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Row, select, update

from storage import tables
from storage.audit.trail import Action
from storage.database.transactions import Transaction
from storage.errors import ClaimLostError

#: What a row holds that nobody works on.
UNCLAIMED: dict[str, Any] = {"claimed_by": None, "lease_until": None}


class Claimed(Protocol):
    """What the holder of a claim knows of it."""

    @property
    def id(self) -> int:
        """The row."""

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""

    @property
    def claimed_by(self) -> str:
        """The process that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one table calls the states of its rows and the events that lead there.

    `died` is the error code of a row whose holder died; None: it keeps the one it has.
    """

    waiting: StrEnum
    in_work: StrEnum
    done: StrEnum
    failed: StrEnum
    finish: Action
    retry: Action
    fail: Action
    hand_back: Action
    rescue: Action
    died: str | None = None


def lease(now: datetime, lease_s: float) -> dict[str, Any]:
    """What a row holds whose claim was made or renewed just now."""
    return {"lease_until": now + timedelta(seconds=lease_s)}


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What may become of a claimed row: waiting -> in work -> waiting again | done | failed.

    Every change is fenced on state, attempt and owner, and leaves its audit event in the same
    transaction. All but `rescue` raise ClaimLostError where the row is no longer the holder's.
    `record` writes the event: (transaction, action, row, time, **detail).
    """

    table: type[tables.Job] | type[tables.Delivery]
    words: Words
    record: Callable[..., None]

    def renew(
        self, tx: Transaction, held: Sequence[Claimed], now: datetime, lease_s: float
    ) -> None:
        """Extend the lease of rows that are still being worked on: all of them or none."""
        for row in held:
            self.change(tx, row, lease(now, lease_s))

    def finish(
        self, tx: Transaction, held: Claimed, at: datetime, values: dict[str, Any], **detail: Any
    ) -> None:
        """End a row that is done, with what else is to be kept of it."""
        ended = {"state": self.words.done, "finished_at": at, **UNCLAIMED}
        self.change(tx, held, ended | {"error_code": None, "error_message": None} | values)
        self.record(tx, self.words.finish, held, at, **detail)

    def retry(
        self,
        tx: Transaction,
        held: Claimed,
        *,
        at: datetime,
        available_at: datetime,
        code: str,
        message: str,
    ) -> None:
        """Let a row wait again after a failed attempt, not to be claimed before `available_at`."""
        waits = {"state": self.words.waiting, "available_at": available_at, **UNCLAIMED}
        self.change(tx, held, waits | {"error_code": code, "error_message": message})
        self.record(tx, self.words.retry, held, at, code=code)

    def fail(
        self, tx: Transaction, held: Claimed, *, at: datetime, code: str, message: str
    ) -> None:
        """Give a row up."""
        ended = {"state": self.words.failed, "finished_at": at, **UNCLAIMED}
        self.change(tx, held, ended | {"error_code": code, "error_message": message})
        self.record(tx, self.words.fail, held, at, code=code)

    def hand_back(self, tx: Transaction, held: Claimed, at: datetime) -> None:
        """Let a row wait again that was not attempted; no attempt counts."""
        waits = {"state": self.words.waiting, "available_at": at, **UNCLAIMED}
        self.change(tx, held, waits | {"attempt": held.attempt - 1})
        self.record(tx, self.words.hand_back, held, at)

    def rescue(self, tx: Transaction, now: datetime, is_dead: Callable[[str], bool]) -> int:
        """Let rows wait again whose lease ran out or whose process died; returns how many."""
        in_work = tx.execute(
            select(self.table)
            .where(self.table.state == self.words.in_work)
            .order_by(self.table.id)
            .with_for_update(skip_locked=True)
        ).all()
        rescued = _stranded(in_work, now, is_dead)
        for row in rescued:
            waits = {"state": self.words.waiting, "available_at": now, **UNCLAIMED}
            if self.words.died:
                waits |= {"error_code": self.words.died, "error_message": None}
            self.change(tx, row, waits)
            self.record(tx, self.words.rescue, row, now)
        return len(rescued)

    def change(self, tx: Transaction, held: Claimed | Row[Any], values: dict[str, Any]) -> None:
        """Change a row that is still its holder's."""
        table = self.table
        changed = tx.execute(
            update(table)
            .where(
                table.id == held.id,
                table.state == self.words.in_work,
                table.attempt == held.attempt,
                table.claimed_by == held.claimed_by,
            )
            .values(values)
        )
        if changed.rowcount == 0:
            raise ClaimLostError(
                f"{table.__tablename__} {held.id} is no longer held by this process"
            )


def _stranded(
    rows: Sequence[Row[Any]], now: datetime, is_dead: Callable[[str], bool]
) -> list[Row[Any]]:
    """Those of the rows in work whose lease ran out, or whose holder died."""
    dead = {owner for owner in {row.claimed_by for row in rows} if is_dead(owner)}
    return [row for row in rows if row.lease_until < now or row.claimed_by in dead]
