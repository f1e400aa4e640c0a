"""Lists that are read page by page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from dicom_node.errors import OrderError

Row = TypeVar("Row")
Place = TypeVar("Place")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list; `next` is the cursor of the page after it, None on the last page."""

    rows: Sequence[Row]
    next: str | None


def page(rows: Sequence[Row], limit: int, cursor: Callable[[Row], str]) -> Page[Row]:
    """A page of `limit` rows, from one row more where there is one."""
    shown = rows[:limit]
    return Page(shown, cursor(shown[-1]) if shown and len(rows) > limit else None)


def read_cursor(cursor: str | None, read: Callable[[list[str]], Place]) -> Place | None:
    """The place in a list that a cursor means; None: the beginning.

    Raises:
        OrderError: no list gave this cursor.
    """
    if cursor is None:
        return None
    try:
        return read(cursor.split("-"))
    except (ValueError, IndexError, OverflowError):
        raise OrderError(f"{cursor!r} is not a cursor: copy the one that the list gave") from None


def write_time(at: datetime) -> str:
    """A time in a cursor: microseconds since 1970."""
    return str((at - _EPOCH) // timedelta(microseconds=1))


def read_time(written: str) -> datetime:
    """The time that a part of a cursor means."""
    return _EPOCH + timedelta(microseconds=int(written))
