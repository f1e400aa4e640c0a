"""Refused instances on their way into the database, which may itself be why they were refused."""

import threading
from collections import deque
from contextlib import suppress
from typing import Any

import structlog

from storage.database.transactions import Database
from storage.errors import StorageError
from storage.intake.instances import record_refusal

log = structlog.get_logger()

#: So many refusals are kept in memory while the database is away; then the oldest are dropped.
_MOST = 10_000


class RefusedInstances:
    """Records refusals; what the database does not take now it gets later. Safe to share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[dict[str, Any]] = deque(maxlen=_MOST)
        self._lock = threading.Lock()

    def note(self, **refusal: Any) -> None:
        """Record a refusal, by the arguments of `record_refusal`; its sender hears of it anyway."""
        self._waiting.append(refusal)
        self.record()

    def record(self) -> None:
        """Record all that wait, unless another thread does; associations do not wait for it."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._record(list(self._waiting))
        finally:
            self._lock.release()

    def _record(self, waiting: list[dict[str, Any]]) -> None:
        if not waiting:
            return
        try:
            with self._database.write() as tx:
                for refusal in waiting:
                    record_refusal(tx, **refusal)
        except StorageError as error:
            log.warning("refusals not recorded", count=len(waiting), exc_info=error)
            return
        for refusal in waiting:
            with suppress(ValueError):  # dropped meanwhile, for too many wait
                self._waiting.remove(refusal)
