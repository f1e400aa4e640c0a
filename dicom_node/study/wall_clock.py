"""The time of day, held against a clock that nobody can set.

A suspended machine looks like a jump too, and rightly: while it slept, it received nothing, and
silence that nobody heard does not make a study complete.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from storage.clock_jumps import Jump

#: A clock that is slewed stays far below this between two looks; a step worth a move does not.
_TOLERANCE = timedelta(seconds=1)
_AT_ONCE_S = 0.1


class WallClock:
    """Tells the time of day, and whether it jumped since `settle` was last called."""

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        elapsed_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._elapsed_s = elapsed_s
        self._at, self._at_s = self._read()

    @property
    def at(self) -> datetime:
        """The time of day, UTC, of the last look that found no jump, or settled one."""
        return self._at

    def jump(self) -> Jump | None:
        """Look at the clock: its jump since the last look, told again until it is settled."""
        now, now_s = self._read()
        since_s = now_s - self._at_s
        expected = self._at + timedelta(seconds=since_s)
        if abs(now - expected) < _TOLERANCE:
            self._at, self._at_s = now, now_s
            return None
        return Jump(expected, now, since_s)

    def settle(self, jump: Jump) -> None:
        """Take a jump for dealt with."""
        self._at, self._at_s = jump.now, self._at_s + jump.unnoticed_s

    def _read(self) -> tuple[datetime, float]:
        """Both clocks at one moment: a process that is paused between them reads again."""
        while True:
            before_s, now, after_s = self._elapsed_s(), self._now(), self._elapsed_s()
            if after_s - before_s < _AT_ONCE_S:
                return now, after_s
