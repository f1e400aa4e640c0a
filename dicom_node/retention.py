"""Retention, minute by minute: files that nobody needs any more leave the spool."""

import time
from datetime import UTC, datetime

import structlog

from storage import inventory, removal, retention
from storage.engine import Database
from storage.retention import Rules
from storage.spool import Spool

#: How often to look, in seconds.
EVERY_S = 60.0
_LEFT_BEHIND_EVERY_S = 86_400.0

log = structlog.get_logger()


class Retention:
    """Applies the rules whenever it is asked; once a day it looks for what crashes left behind."""

    def __init__(self, database: Database, spool: Spool, rules: Rules) -> None:
        self._database = database
        self._spool = spool
        self._rules = rules
        self._searched_s: float | None = None

    def tick(self) -> None:
        """Remove some of what may go.

        Raises:
            storage.errors.StorageError: disk or database is away.
        """
        self._search()
        removed = retention.retain(self._database, self._spool, self._rules, datetime.now(UTC))
        if removed.files:
            log.info("files removed", count=removed.files)
        if self._spool.free_bytes() < self._rules.minimum_free_bytes:
            log.warning("disk short, and no finished study is left to remove")

    def _search(self) -> None:
        now_s = time.monotonic()
        if self._searched_s is not None and now_s - self._searched_s < _LEFT_BEHIND_EVERY_S:
            return
        with removal.holding(self._spool) as ours:
            if not ours:
                return
            count = inventory.clear_left_behind(self._database, self._spool, datetime.now(UTC))
        self._searched_s = now_s
        if count:
            log.info("files without a row found", count=count)
