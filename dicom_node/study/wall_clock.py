"""The time of day, held against a clock that nobody can set.

A suspended machine looks like a jump too, and rightly: while it slept, it received nothing, and
silence that nobody heard does not make a study complete. So does one that was off.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from storage.clock import readings
from storage.clock.readings import Reading, TimeOfDay
from storage.database.owner import boot_id, this_process
from storage.database.transactions import Database
from storage.errors import StorageError

_AT_ONCE_S = 0.1
#: How often to compare with the last known time in the database, where no jump is seen before.
_COMPARE_EVERY_S = 5.0
_LOOK_EVERY_S = 1.0
_TELL_EVERY_S = 60.0

log = structlog.get_logger()


class WallClock:
    """Tells the time of day, after all that waits was moved along where it jumped."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        elapsed_s: Callable[[], float] = time.monotonic,
        boot: str | None = None,
    ) -> None:
        self._database = database
        self._now = now
        self._elapsed_s = elapsed_s
        self._boot = boot or boot_id()
        self._lock = threading.Lock()
        self._last: Reading | None = None
        self._compared: TimeOfDay | None = None
        self._compared_s = 0.0
        self._told_s: float | None = None
        self._away_since_s: float | None = None

    def look(self) -> TimeOfDay:
        """Look at the clock; `has_jumped` since this process last looked.

        Raises:
            storage.errors.StorageError: the database is away; a jump is found by the next look.
        """
        with self._lock:
            reading = self._read()
            jumped = self._jumped(reading)
            if self._compared is None or jumped or self._is_time(reading):
                ago_s = reading.elapsed_s - self._last.elapsed_s if self._last else None
                self._compared = self._compare(reading, ago_s)
                self._compared_s = reading.elapsed_s
                self._tell(self._compared)
            self._last = reading
            return self._compared.at_time(reading.at, has_jumped=jumped)

    def _compare(self, reading: Reading, ago_s: float | None) -> TimeOfDay:
        try:
            found = readings.compare(self._database, reading, this_process(), ago_s)
        except StorageError:
            if self._away_since_s is None:
                self._away_since_s = reading.elapsed_s
            raise
        if self._away_since_s is not None:
            duration_s = round(reading.elapsed_s - self._away_since_s, 1)
            log.info("database available again", duration_s=duration_s)
            self._away_since_s = None
        return found

    def _jumped(self, reading: Reading) -> bool:
        if self._last is None:
            return False
        expected = self._last.at + timedelta(seconds=reading.elapsed_s - self._last.elapsed_s)
        return abs(reading.at - expected) >= readings.TOLERANCE

    def _is_time(self, reading: Reading) -> bool:
        return reading.elapsed_s - self._compared_s >= _COMPARE_EVERY_S

    def _tell(self, found: TimeOfDay) -> None:
        if found.jump is not None:
            event = "machine was off" if found.jump.restarted else "time of day jumped"
            log.warning(event, delay_s=found.jump.by.total_seconds())
        apart_s = found.differs_s or found.server_differs_s
        if not apart_s:
            return
        if self._told_s is None or self._compared_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = self._compared_s
            whose = "another machine of the node" if found.differs_s else "the database server"
            log.error(f"clock differs from {whose}: correct it", delay_s=apart_s)

    def _read(self) -> Reading:
        """Both clocks at one moment: a process that is paused between them reads again."""
        while True:
            before_s, now, after_s = self._elapsed_s(), self._now(), self._elapsed_s()
            if after_s - before_s < _AT_ONCE_S:
                return Reading(self._boot, now, after_s)


def clock_standing(database: Database) -> tuple[TimeOfDay | None, timedelta]:
    """The time of day as commands find it, None: no process ran on this machine since its start.

    Also how far the clock was set since a process last looked; nothing is moved.
    """
    reading = Reading(boot_id(), datetime.now(UTC), time.monotonic())
    with database.read() as tx:
        return readings.look(tx, reading)


class ClockWatch:
    """Looks at the clock every second, in a process that does not go by it for anything else.

    So the last known time is fresh while any process of the node runs, and a jump is found before
    much is written by the new time. It is also the first to notice that the database is away.
    """

    def __init__(self, wall: WallClock) -> None:
        self._wall = wall
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock-watch", daemon=True)

    def start(self) -> None:
        """Look for the first time, before anything is written, then go on in the background."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        try:
            self._wall.look()
        except StorageError as error:
            log.warning("clock not compared", exc_info=error)
