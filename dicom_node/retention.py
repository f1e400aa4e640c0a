"""Retention, minute by minute: files that nobody needs any more leave the spool.

Nothing is deleted by a time of day that is in doubt: see `storage.clock.readings`.
"""

import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from storage.clock.readings import TimeOfDay
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.keeping import inventory, removal, retention
from storage.keeping.retention import Rules

#: How often to look, in seconds.
EVERY_S = 60.0
_LEFT_BEHIND_EVERY_S = 86_400.0

log = structlog.get_logger()


class Retention:
    """Applies the rules whenever it is asked; once a day it looks for what crashes left behind.

    `look` tells the time of day; where it was in doubt, it must have been steady for
    `steady` before files are deleted by their age.
    """

    def __init__(
        self,
        database: Database,
        spool: Spool,
        rules: Rules,
        look: Callable[[], TimeOfDay],
        steady: timedelta,
    ) -> None:
        self._database = database
        self._spool = spool
        self._rules = rules
        self._look = look
        self._steady = steady
        self._searched_s: float | None = None
        self._waits = False

    def tick(self) -> None:
        """Remove some of what may go.

        Raises:
            storage.errors.StorageError: disk or database is away.
        """
        time_of_day = self._look()
        if not time_of_day.is_steady(removal.YOUNG):
            return
        is_confirmed = time_of_day.is_confirmed(self._steady)
        self._tell(is_confirmed)
        if is_confirmed:
            self._search(time_of_day)
        removed = retention.retain(
            self._database, self._spool, self._rules, time_of_day.at, by_age=is_confirmed
        )
        if removed.files:
            log.info("files removed", count=removed.files)
        if self._spool.free_bytes() < self._rules.minimum_free_bytes:
            log.warning("low disk space and nothing left to delete: free space now")

    def _tell(self, is_confirmed: bool) -> None:
        if is_confirmed is self._waits:
            self._waits = not is_confirmed
            event = "deletion by age resumed" if is_confirmed else "deletion by age paused"
            log.warning(event, reason="the clock is not confirmed: see `echonode clock show`")

    def _search(self, time_of_day: TimeOfDay) -> None:
        now_s = time.monotonic()
        if self._searched_s is not None and now_s - self._searched_s < _LEFT_BEHIND_EVERY_S:
            return
        with removal.holding(self._spool) as ours:
            if not ours:
                return
            count = inventory.clear_left_behind(self._database, self._spool, time_of_day.at)
        self._searched_s = now_s
        if count:
            log.info("files without a row found", count=count)
