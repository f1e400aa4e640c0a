"""The time of day is set while the clock of a worker runs: nothing fires early, or never."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from apscheduler.schedulers import base

from dicom_node.retention import Retention
from dicom_node.study.clock import Clock
from dicom_node.study.wall_clock import WallClock
from storage.database.transactions import Database
from storage.errors import DatabaseUnavailableError
from storage.files.spool import Spool
from storage.keeping.retention import Rules
from storage.migrations.upgrading import upgrade
from storage.reading.browse import show_study
from storage.states import DueReason, Outcome
from storage.studies.revisions import complete_study
from storage.work import jobs
from tests.contract.storing import (
    PIPELINE,
    open_association,
    received,
    record_report,
    report,
    store,
)
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
    clock = Clock(database, [PIPELINE], lambda: None, WallClock(database, now))
    clock.start()
    try:
        yield
    finally:
        clock.stop()


def is_complete(database: Database) -> bool:
    with database.read() as tx:
        return show_study(tx, 1).summary.revision == 1


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


@pytest.mark.parametrize("by", [timedelta(days=1), timedelta(days=-1)], ids=["on", "back"])
def test_a_clock_set_while_the_worker_is_down_completes_nothing_early_or_late(
    database: Database, day: TimeOfDay, by: timedelta
) -> None:
    with ticking(database, day):
        open_association(database)
        store(database, replace(received(), received_at=day(), quiet_s=QUIET_S))
        came_s = time.monotonic()
    day.offset = by
    with ticking(database, day):
        wait_until(lambda: is_complete(database), 5, "complete")
        assert QUIET_S <= time.monotonic() - came_s < QUIET_S + 2


def test_a_clock_that_was_paused_between_two_looks_has_not_jumped(database: Database) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    reads = iter([0.0, 0.0, 5.0, 3600.0, 3600.0, 3600.0])  # the second look is interrupted
    times = iter([at, at + timedelta(seconds=5), at + timedelta(hours=1)])
    wall = WallClock(database, lambda: next(times), lambda: next(reads))
    wall.look()
    found = wall.look()
    assert not found.has_jumped
    assert found.at == at + timedelta(hours=1)


def test_a_jump_is_found_again_where_the_database_was_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, elapsed_s = TimeOfDay(), [0.0]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    wall = WallClock(database, lambda: start + day.offset, lambda: elapsed_s[0])
    wall.look()
    day.offset, elapsed_s[0] = timedelta(seconds=3600.5), 0.5
    with monkeypatch.context() as away:
        away.setattr("storage.clock.jumps.absorb", _away)
        with pytest.raises(DatabaseUnavailableError):
            wall.look()
    found = wall.look()
    assert found.has_jumped
    assert found.jump is not None
    assert (found.jump.by, found.jump.unnoticed_s) == (timedelta(hours=1), 0.5)
    assert not wall.look().has_jumped


def _away(*_: object) -> None:
    raise DatabaseUnavailableError("away")


def test_a_jump_while_running_deletes_nothing_until_it_is_confirmed(
    database: Database, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    open_association(database)
    kept = spool.put(b"an echo").digest
    day, elapsed_s = TimeOfDay(), [0.0]
    start = datetime.now(UTC)
    wall = WallClock(
        database, lambda: start + day.offset + timedelta(seconds=elapsed_s[0]), lambda: elapsed_s[0]
    )
    wall.look()
    store(database, replace(received(), received_at=start, digest=kept), pipelines=())
    finish(database, start)
    rules = Rules(timedelta(days=30), None, minimum_free_bytes=0)
    retention = Retention(database, spool, rules, wall.look, steady=timedelta(days=1))
    day.offset = timedelta(days=31)
    for after_s in (1, 60, 3600, 86_000):
        elapsed_s[0] = after_s
        retention.tick()
        assert spool.exists(kept), after_s
    day.offset = timedelta()  # somebody set it right again
    for after_s in (86_400, 3 * 86_400):
        elapsed_s[0] = after_s
        retention.tick()
        assert spool.exists(kept), after_s
    elapsed_s[0] = 32 * 86_400
    retention.tick()
    assert not spool.exists(kept)


def finish(database: Database, at: datetime) -> None:
    """The study is complete and no pipeline's business."""
    with database.write() as tx:
        due = at + timedelta(seconds=600)
        assert complete_study(tx, 1, due, [PIPELINE], reason=DueReason.QUIET_PERIOD) == 1
        [job] = jobs.claim(tx, owner="here:1:x", now=due, lease_s=60, pipelines=[PIPELINE], limit=9)
        jobs.finish(tx, job, due)
    record_report(database, report(outcome=Outcome.NOT_APPLICABLE, objects=(), made_at=due))
