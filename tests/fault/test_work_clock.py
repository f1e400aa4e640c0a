"""The time of day is set while the clock of a worker runs: nothing fires early, or never."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from apscheduler.schedulers import base

from dicom_node.study.clock import Clock
from dicom_node.study.wall_clock import WallClock
from storage import index
from storage.engine import Database, upgrade
from tests.contract.storing import PIPELINE, open_association, received, store
from tests.peers import wait_until

QUIET_S = 2.0


class TimeOfDay:
    """The wall clock of a machine, which somebody sets."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


class Set(datetime):
    """The datetime that APScheduler reads, as `day` has it."""

    day: TimeOfDay

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Set":
        return cls.fromtimestamp(cls.day().timestamp(), tz)


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> TimeOfDay:
    made = TimeOfDay()
    monkeypatch.setattr(Set, "day", made, raising=False)
    monkeypatch.setattr(base, "datetime", Set)
    monkeypatch.setattr("dicom_node.study.clock.datetime", Set)
    return made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'node.db'}")
    upgrade(made)
    yield made
    made.close()


@contextmanager
def ticking(database: Database, now: Callable[[], datetime]) -> Iterator[None]:
    clock = Clock(database, [PIPELINE], lambda: None, WallClock(now))
    clock.start()
    try:
        yield
    finally:
        clock.stop()


def is_complete(database: Database) -> bool:
    with database.read() as tx:
        return index.show_study(tx, 1).summary.revision == 1


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1)], ids=["on", "back"])
def test_a_study_is_complete_after_its_quiet_period(
    database: Database, day: TimeOfDay, by: timedelta
) -> None:
    with ticking(database, day):
        open_association(database)
        store(database, replace(received(), received_at=day(), quiet_s=QUIET_S))
        came_s = time.monotonic()
        time.sleep(0.6)  # the clock has ticked by the old time
        day.offset = by
        wait_until(lambda: is_complete(database), 5, "complete")
        assert QUIET_S <= time.monotonic() - came_s < QUIET_S + 2


def test_a_clock_that_was_paused_between_two_looks_has_not_jumped() -> None:
    at, elapsed = datetime(2026, 1, 1, tzinfo=UTC), 0.0
    reads = iter([0.0, 0.0, 5.0, 3600.0, 3600.0, 3600.0])  # the second look is interrupted
    times = iter([at, at + timedelta(seconds=5), at + timedelta(hours=1, seconds=elapsed)])
    wall = WallClock(lambda: next(times), lambda: next(reads))
    assert wall.jump() is None
    assert wall.at == at + timedelta(hours=1)


def test_a_jump_is_told_until_it_is_settled() -> None:
    day, elapsed_s = TimeOfDay(), [0.0]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    wall = WallClock(lambda: start + day.offset, lambda: elapsed_s[0])
    day.offset, elapsed_s[0] = timedelta(seconds=3600.5), 0.5
    first = wall.jump()
    assert first is not None
    assert (first.by, first.unnoticed_s) == (timedelta(hours=1), 0.5)
    assert wall.jump() == first
    wall.settle(first)
    assert wall.jump() is None
