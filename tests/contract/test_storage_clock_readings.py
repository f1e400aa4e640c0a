"""The last known time outlives every process: a jump is a jump wherever it is met."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from storage.audit import trail
from storage.audit.trail import Action
from storage.clock import readings
from storage.clock.readings import Reading, TimeOfDay
from storage.database.transactions import Database
from storage.errors import NotFoundError
from storage.keeping.removal import YOUNG
from storage.reading.browse import show_study
from storage.tables import ClockReading
from tests.contract.storing import (
    HARD_LIMIT_S,
    ME,
    QUIET_S,
    after,
    complete,
    open_association,
    received,
    store,
)

DAY_S = 86_400.0
DAY = timedelta(days=1)
a_day = pytest.mark.parametrize("by_s", [DAY_S, -DAY_S], ids=["on", "back"])


class Machine:
    """A machine whose clock can be set, and that can be started again; it began at noon."""

    def __init__(self, database: Database, boot: str = "first") -> None:
        self.database = database
        self.boot = boot
        self.elapsed_s = 100.0
        self.set_by_s = 0.0
        self._at_noon_s = 100.0

    def pass_(self, seconds: float) -> None:
        """Time passes; no process runs."""
        self.elapsed_s += seconds

    def restart(self, off_s: float) -> None:
        """The machine is off for a while."""
        self._at_noon_s -= self.elapsed_s + off_s - 5.0
        self.elapsed_s, self.boot = 5.0, f"{self.boot}+"

    @property
    def at_s(self) -> float:
        """What the clock of the machine shows, in seconds after noon."""
        return self.elapsed_s - self._at_noon_s + self.set_by_s

    def look(self, looked_s_ago: float | None = None) -> TimeOfDay:
        """A process looks at the clock, for the first time or once more."""
        reading = Reading(self.boot, after(self.at_s), self.elapsed_s)
        return readings.compare(self.database, reading, ME, looked_s_ago)


@pytest.fixture
def machine(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine on which a study's only instance came at noon; the database server agrees."""
    machine = Machine(database)
    machine.look()
    open_association(database)
    store(database, received())
    _without_server(monkeypatch)
    yield machine


def _without_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """These stories play in another century than the server's clock."""
    known = readings._known

    def without(tx: object, reading: Reading) -> object:
        found = known(tx, reading)  # type: ignore[arg-type]
        return readings._Known(found.own, found.others, None)

    monkeypatch.setattr(readings, "_known", without)


def jumps(database: Database) -> list[dict[str, object]]:
    with database.read() as tx:
        return [dict(event.detail) for event in trail.search(tx, action=Action.CLOCK_JUMPED)]


@a_day
def test_a_study_waits_as_long_when_the_clock_was_set_while_nothing_ran(
    machine: Machine, by_s: float
) -> None:
    machine.pass_(10)
    machine.set_by_s = by_s
    machine.pass_(20)
    machine.look()
    assert jumps(machine.database) == [{"jump_s": by_s}]
    assert complete(machine.database, by_s + QUIET_S - 1) is None
    assert complete(machine.database, by_s + QUIET_S) == 1


@a_day
def test_the_hard_limit_comes_when_it_was_to(machine: Machine, by_s: float) -> None:
    machine.set_by_s = by_s
    machine.pass_(30)
    machine.look()
    for at_s in range(40, int(HARD_LIMIT_S) + 40, 20):
        store(machine.database, received(at_s, at_s + by_s))
    assert complete(machine.database, by_s + HARD_LIMIT_S - 1) is None
    assert complete(machine.database, by_s + HARD_LIMIT_S) == 1


def test_time_that_passed_while_nothing_ran_is_no_jump(machine: Machine) -> None:
    machine.pass_(DAY_S)
    assert machine.look().is_confirmed(DAY)
    assert jumps(machine.database) == []
    assert complete(machine.database, machine.at_s) == 1


@a_day
def test_of_many_processes_one_moves_what_waits(machine: Machine, by_s: float) -> None:
    machine.set_by_s = by_s
    machine.pass_(3)
    for _ in range(3):
        machine.look(looked_s_ago=0.5)
    assert jumps(machine.database) == [{"jump_s": by_s}]


def test_a_process_that_was_paused_with_an_old_reading_undoes_nothing(machine: Machine) -> None:
    old = Reading(machine.boot, after(machine.at_s), machine.elapsed_s)
    machine.set_by_s = DAY_S
    machine.pass_(30)
    machine.look()
    readings.compare(machine.database, old, ME)
    assert jumps(machine.database) == [{"jump_s": DAY_S}]


def test_a_machine_that_was_off_goes_on_where_it_stopped(machine: Machine) -> None:
    machine.pass_(20)
    machine.look()
    machine.restart(off_s=3 * DAY_S)
    machine.look()
    came_back_s = machine.at_s
    [told] = jumps(machine.database)
    assert told["machine_restarted"] is True
    assert complete(machine.database, came_back_s) is None
    assert complete(machine.database, came_back_s + QUIET_S - 20 - 1) is None
    assert complete(machine.database, came_back_s + QUIET_S - 20) == 1


@a_day
def test_a_clock_that_was_set_while_the_machine_was_off_completes_nothing_early_or_late(
    machine: Machine, by_s: float
) -> None:
    machine.pass_(20)
    machine.look()
    machine.set_by_s = by_s
    machine.restart(off_s=60)
    machine.look()
    assert complete(machine.database, machine.at_s + QUIET_S - 21) is None
    assert complete(machine.database, machine.at_s + QUIET_S - 20) == 1


@a_day
def test_after_a_jump_the_time_is_in_doubt_for_a_day(machine: Machine, by_s: float) -> None:
    assert machine.look().is_confirmed(DAY)
    machine.set_by_s = by_s
    machine.pass_(1)
    assert not machine.look().is_confirmed(DAY)
    machine.pass_(DAY_S - 1)
    assert not machine.look().is_confirmed(DAY)
    machine.pass_(1)
    assert machine.look().is_confirmed(DAY)


def test_each_jump_begins_the_doubt_again(machine: Machine) -> None:
    machine.set_by_s = DAY_S
    machine.pass_(1)
    machine.look()
    machine.set_by_s += 30 * DAY_S
    machine.pass_(1)
    assert not machine.look().is_confirmed(DAY)


def test_a_machine_that_was_off_deletes_nothing_for_a_day(machine: Machine) -> None:
    machine.restart(off_s=3 * DAY_S)
    assert not machine.look().is_confirmed(DAY)
    machine.pass_(DAY_S)
    assert machine.look().is_confirmed(DAY)


def test_a_short_restart_or_a_small_step_holds_up_no_deletion_by_age(machine: Machine) -> None:
    machine.restart(off_s=120)
    assert machine.look().is_confirmed(DAY)
    machine.set_by_s = 20
    machine.pass_(1)
    found = machine.look()
    assert found.is_confirmed(DAY)
    assert not found.is_steady(YOUNG)
    machine.pass_(YOUNG.total_seconds())
    assert machine.look().is_steady(YOUNG)


def test_a_doubt_outlives_a_short_restart(machine: Machine) -> None:
    machine.set_by_s = 30 * DAY_S
    machine.pass_(1)
    machine.look()
    machine.restart(off_s=60)
    assert not machine.look().is_confirmed(DAY)


def test_an_operator_ends_the_doubt_and_is_named(machine: Machine) -> None:
    machine.set_by_s = 30 * DAY_S
    machine.pass_(1)
    now = machine.look().at
    with machine.database.write() as tx:
        readings.confirm(tx, machine.boot, "anna", now)
    assert machine.look().is_confirmed(DAY)
    with machine.database.read() as tx:
        [event] = trail.search(tx, action=Action.CLOCK_CONFIRMED)
    assert event.actor == "anna"


def test_a_machine_that_nobody_looked_from_cannot_be_confirmed(database: Database) -> None:
    with database.write() as tx, pytest.raises(NotFoundError):
        readings.confirm(tx, "unknown", "anna", after(0))


def test_a_database_with_studies_that_remembers_no_time_is_in_doubt(database: Database) -> None:
    open_association(database)
    store(database, received())
    assert not Machine(database).look().is_confirmed(DAY)


def test_a_look_writes_only_now_and_then(machine: Machine) -> None:
    def remembered() -> datetime:
        with machine.database.read() as tx:
            return tx.execute(select(ClockReading.at)).scalar_one()

    before = remembered()
    machine.pass_(9)
    machine.look()
    assert remembered() == before
    machine.pass_(1)
    machine.look()
    assert remembered() == before + timedelta(seconds=10)


def test_runs_of_the_machine_that_are_over_are_forgotten(machine: Machine) -> None:
    for _ in range(3):
        machine.restart(off_s=60)
        machine.look()
    with machine.database.read() as tx:
        assert tx.scalars(select(ClockReading.boot)).all() == [machine.boot]


def test_a_command_finds_what_was_set_and_changes_nothing(machine: Machine) -> None:
    machine.set_by_s = DAY_S
    machine.pass_(30)
    reading = Reading(machine.boot, after(machine.at_s), machine.elapsed_s)
    with machine.database.read() as tx:
        _, set_by = readings.look(tx, reading)
    assert set_by == DAY
    assert jumps(machine.database) == []


def test_a_study_of_a_restored_backup_goes_on_waiting(machine: Machine) -> None:
    machine.pass_(20)
    machine.look()
    machine.pass_(3 * DAY_S)  # nothing was received by this database meanwhile
    with machine.database.write() as tx:
        readings.database_was_away(tx)
    assert not machine.look().is_confirmed(DAY)
    assert complete(machine.database, machine.at_s + QUIET_S - 21) is None
    assert complete(machine.database, machine.at_s + QUIET_S - 20) == 1


# Several machines on one PostgreSQL, whose own clock is one more witness.


shared_by_machines = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


def other_machine(database: Database, ahead_s: float = 0.0, ago_s: float = 5.0) -> None:
    """Another machine looked at its clock a while ago; it is ahead of the server by so much."""
    seen = datetime.now(UTC) - timedelta(seconds=ago_s)
    with database.write() as tx:
        tx.execute(
            insert(ClockReading).values(
                boot="other", at=seen + timedelta(seconds=ahead_s), elapsed_s=7.0, server_at=seen
            )
        )


def this_machine(database: Database, ahead_s: float = 0.0, elapsed_s: float = 50.0) -> TimeOfDay:
    at = datetime.now(UTC) + timedelta(seconds=ahead_s)
    return readings.compare(database, Reading("here", at, elapsed_s), ME)


@shared_by_machines
def test_machines_that_agree_are_in_step(database: Database) -> None:
    other_machine(database)
    found = this_machine(database)
    assert found.in_step
    assert found.is_confirmed(DAY)


@shared_by_machines
def test_a_machine_that_starts_beside_one_at_work_moves_nothing(database: Database) -> None:
    other_machine(database)
    open_association(database)
    store(database, received())
    with database.read() as tx:
        before = show_study(tx, 1).summary
    this_machine(database)
    with database.read() as tx:
        assert show_study(tx, 1).summary == before
    assert jumps(database) == []


@shared_by_machines
@a_day
def test_a_machine_whose_clock_leaves_the_others_judges_and_deletes_nothing(
    database: Database, by_s: float
) -> None:
    this_machine(database)
    other_machine(database)
    found = this_machine(database, ahead_s=by_s, elapsed_s=50.5)
    assert not found.in_step
    assert found.differs_s == pytest.approx(by_s, abs=2)
    assert not found.is_confirmed(timedelta())
    assert not found.is_steady(timedelta())
    assert jumps(database) == []  # the rows are the others' too


@shared_by_machines
def test_of_two_machines_the_one_that_agrees_with_the_server_goes_on(database: Database) -> None:
    other_machine(database, ahead_s=DAY_S)
    assert this_machine(database).in_step


@shared_by_machines
def test_a_clock_that_differs_from_the_servers_deletes_nothing(database: Database) -> None:
    found = this_machine(database, ahead_s=30 * DAY_S)
    assert found.in_step
    assert found.server_differs_s == pytest.approx(30 * DAY_S, abs=2)
    assert not found.is_confirmed(timedelta())


@shared_by_machines
def test_a_machine_that_stopped_long_ago_is_no_witness(database: Database) -> None:
    other_machine(database, ago_s=3600)
    assert not this_machine(database).is_confirmed(DAY)  # an hour passed that nobody saw


@shared_by_machines
def test_a_reading_of_this_run_is_known_whatever_others_do(database: Database) -> None:
    this_machine(database)
    with database.write() as tx:
        tx.execute(update(ClockReading).values(doubted_at=datetime.now(UTC)))
    other_machine(database)
    assert not this_machine(database, elapsed_s=50.1).is_confirmed(DAY)
