"""Who was turned away, in audit and log: told at once, then once a window with a count.

Whoever knocks a thousand times a second fills neither the audit nor the memory: equal refusals
(address, calling AE title, reason) are counted, and of one address only some are told apart.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from storage.audit import trail
from storage.database.transactions import Database
from storage.errors import StorageError

log = structlog.get_logger()

WINDOW_S = 60.0
#: How many different refusals of one address, and of all, are told apart in a window.
_MOST_OF_ADDRESS = 16
_MOST = 256


@dataclass(frozen=True, slots=True)
class Refusal:
    """One attempt that was refused; the titles are empty where there was no request yet."""

    address: str
    calling_ae_title: str
    called_ae_title: str
    reason: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two attempts equal."""
        return (self.address, self.calling_ae_title, self.reason)


@dataclass(slots=True)
class _Window:
    refusal: Refusal
    opened_at: float
    is_told: bool = False
    untold: int = 0


class Refusals:
    """Counts refusals and writes them; `clock` counts seconds and never goes back."""

    def __init__(
        self,
        database: Database,
        owner: str,
        window_s: float = WINDOW_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._owner = owner
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str, str], _Window] = {}

    def note(self, refusal: Refusal) -> None:
        """Count a refusal; waits for nothing."""
        with self._lock:
            if refusal.key not in self._windows:
                refusal = self._tellable(refusal)
            window = self._windows.setdefault(refusal.key, _Window(refusal, self._clock()))
            window.untold += 1

    def write(self, *, is_last: bool = False) -> None:
        """Write what is new, and what repeated itself for a window; at the end whatever is left."""
        with self._lock:
            due = self._due(is_last=is_last)
        if not due:
            return
        try:
            with self._database.write() as tx:
                for refusal, count in due:
                    trail.record(tx, self._event(refusal, count))
        except StorageError as error:
            log.warning("refusals not recorded", count=len(due), exc_info=error)
        for refusal, count in due:
            log.warning(
                "refused",
                reason=refusal.reason,
                calling_ae_title=refusal.calling_ae_title,
                called_ae_title=refusal.called_ae_title,
                address=refusal.address,
                count=count,
            )

    def _tellable(self, refusal: Refusal) -> Refusal:
        """The refusal itself, or what stands for it where too many different ones came."""
        of_address = sum(key[0] == refusal.address for key in self._windows)
        if len(self._windows) >= _MOST:
            return Refusal("", "", "", "refused, more addresses than are told apart")
        if of_address >= _MOST_OF_ADDRESS:
            return Refusal(refusal.address, "", "", "refused, more attempts than are told apart")
        return refusal

    def _due(self, *, is_last: bool) -> list[tuple[Refusal, int]]:
        now, due = self._clock(), []
        for key, window in list(self._windows.items()):
            is_over = is_last or now - window.opened_at >= self._window_s
            if window.untold and (is_over or not window.is_told):
                due.append((window.refusal, window.untold))
                window.untold, window.is_told = 0, True
                if is_over:
                    window.opened_at = now
            elif is_over:
                del self._windows[key]
        return due

    def _event(self, refusal: Refusal, count: int) -> trail.Event:
        return trail.Event(
            action=trail.Action.ASSOCIATION_REFUSED,
            at=datetime.now(UTC),
            outcome="failure",
            actor=self._owner,
            address=refusal.address,
            detail={
                "calling_aet": refusal.calling_ae_title,
                "called_aet": refusal.called_ae_title,
                "reason": refusal.reason,
                "count": count,
            },
        )
