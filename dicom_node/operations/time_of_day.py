"""Whether the clock of this machine can be trusted, and its confirmation by an operator."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dicom_node.errors import NodeError
from dicom_node.operations.local_time import local_time
from dicom_node.settings.model import Settings
from dicom_node.study.wall_clock import clock_standing
from storage.clock import readings
from storage.clock.readings import TimeOfDay
from storage.database.owner import boot_id
from storage.database.transactions import Database


@dataclass(frozen=True, slots=True)
class ClockStanding:
    """What is known of the clock: None before the node has run here; how far it was set since.

    `faults` must be corrected at once; `doubts` are for an operator to look at.
    """

    time_of_day: TimeOfDay | None
    set_by_s: float
    faults: tuple[str, ...]
    doubts: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """The state of the clock, for an operator."""
        found = self.time_of_day
        if found is None:
            return ("this node has not run here since the machine was started",)
        since = f" since {local_time(found.steady_since)}" if found.steady_since else ""
        return (*self.faults, *self.doubts) or (f"steady{since}",)


def clock_standing_of(settings: Settings, database: Database) -> ClockStanding:
    """Look at the clock, and at how far it can be trusted."""
    found, set_by = clock_standing(database)
    if found is None:
        return ClockStanding(None, set_by.total_seconds(), (), ())
    steady = timedelta(hours=settings.retention.steady_clock_hours)
    return ClockStanding(
        found,
        set_by.total_seconds(),
        tuple(_faults(found)),
        tuple(_doubts(found, set_by, steady)),
    )


def confirm(database: Database, who: str) -> None:
    """Confirm that the clock of this machine is right, and resume deletion by age.

    Raises:
        NodeError: the clock was changed since this node last ran.
    """
    _, set_by = clock_standing(database)
    if set_by:
        raise NodeError(
            "the clock was changed since this node last ran: start the node, then confirm it"
        )
    with database.write() as tx:
        readings.confirm(tx, boot_id(), who, datetime.now(UTC))


def _faults(found: TimeOfDay) -> Iterator[str]:
    if found.differs_s:
        yield (
            f"differs by {found.differs_s:+.0f} s from another machine of this node: this machine "
            "completes no study and deletes no file until its clock is corrected"
        )
    elif found.server_differs_s:
        yield (
            f"differs by {found.server_differs_s:+.0f} s from the database server: no file is "
            "deleted until both clocks agree"
        )


def _doubts(found: TimeOfDay, set_by: timedelta, steady: timedelta) -> Iterator[str]:
    if set_by:
        yield (
            f"changed by {set_by.total_seconds():+.0f} s since this node last ran: due times are "
            "shifted by as much when the node starts"
        )
    elif found.doubted_since is not None and found.at - found.doubted_since < steady:
        since, until = local_time(found.doubted_since), local_time(found.doubted_since + steady)
        yield (
            f"the clock jumped, or the machine was off, before {since}: deletion by age is paused "
            f"until {until}; if the clock is right, run `echonode clock confirm`"
        )
