"""Claims: who works on a row, until when, and the fence around whatever ends that.

A row in work carries `claimed_by`, `lease_until` and the number of the `attempt`. A change by its
holder names them, so that one who was paused past the lease cannot undo its successor's work.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Row, update

from storage import schema
from storage.engine import Transaction
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


def lease(now: datetime, lease_s: float) -> dict[str, Any]:
    """What a row holds whose claim was made or renewed just now."""
    return {"lease_until": now + timedelta(seconds=lease_s)}


def change(
    tx: Transaction,
    table: type[schema.Job] | type[schema.Delivery],
    in_work: StrEnum,
    held: Claimed,
    values: dict[str, Any],
) -> None:
    """Change a row for the holder of its claim.

    Raises:
        ClaimLostError: somebody else has the row now, or nobody.
    """
    changed = tx.execute(
        update(table)
        .where(
            table.id == held.id,
            table.state == in_work,
            table.attempt == held.attempt,
            table.claimed_by == held.claimed_by,
        )
        .values(values)
    )
    if changed.rowcount == 0:
        raise ClaimLostError(f"{table.__tablename__} {held.id} is no longer held by this process")


def stranded(
    rows: Sequence[Row[Any]], now: datetime, is_dead: Callable[[str], bool]
) -> list[Row[Any]]:
    """Those of the rows in work whose lease ran out, or whose holder died."""
    dead = {owner for owner in {row.claimed_by for row in rows} if is_dead(owner)}
    return [row for row in rows if row.lease_until < now or row.claimed_by in dead]
