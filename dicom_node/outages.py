"""Log lines about an unavailable database, limited to one a minute.

Every loop of a process retries soon and logs the error; an operator needs one line with the reason
and the number of lines that it replaces.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from storage.errors import DatabaseUnavailableError

#: What the lines of an outage have in common: the name of the error, told or caught.
_NAME = DatabaseUnavailableError.__name__
_EVERY_S = 60.0
#: A line without the reason waits this long for one that has it.
_REASON_WITHIN_S = 10.0
_LONGEST_REASON = 300


class OncePerMinute:
    """A log processor that passes one line a minute of those that an outage causes."""

    def __init__(self, elapsed_s: Callable[[], float] = time.monotonic) -> None:
        self._elapsed_s = elapsed_s
        self._lock = threading.Lock()
        self._began_s: float | None = None
        self._seen_s = 0.0
        self._told_s: float | None = None
        self._dropped = 0

    def __call__(self, _: Any, __: str, record: Any) -> Any:
        """Pass a line on, or one line with the count of those that it replaces.

        Raises:
            structlog.DropEvent: the same was logged within the last minute.
        """
        if _NAME not in (record.get("error"), record.get("code")):
            return record
        with self._lock:
            if self._is_due(has_reason="reason" in record):
                return self._replacing_others(record)
            self._dropped += 1
        raise structlog.DropEvent

    def _is_due(self, *, has_reason: bool) -> bool:
        now_s = self._elapsed_s()
        if self._began_s is None or now_s - self._seen_s > _EVERY_S:
            self._began_s = now_s
        self._seen_s = now_s
        if self._told_s is not None and now_s - self._told_s < _EVERY_S:
            return False
        if not has_reason and now_s - self._began_s < _REASON_WITHIN_S:
            return False
        self._told_s = now_s
        return True

    def _replacing_others(self, record: Any) -> Any:
        kept = {key: record[key] for key in ("level", "timestamp", "reason") if key in record}
        count, self._dropped = self._dropped + 1, 0
        return {**kept, "event": "database unavailable", "count": count}


def reason_of(error: DatabaseUnavailableError) -> str:
    """Why the database is unavailable, on one line; such messages name hosts and sockets only."""
    return " ".join(str(error).split())[:_LONGEST_REASON]
