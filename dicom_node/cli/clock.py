"""`echonode clock`: whether the clock can be trusted, and its confirmation by an operator."""

import getpass
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import click

from dicom_node import app
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import say, text, to_json
from dicom_node.errors import NodeError
from dicom_node.settings.model import Settings
from dicom_node.study.wall_clock import clock_standing
from storage.clock import readings
from storage.clock.readings import TimeOfDay
from storage.database.owner import boot_id


@click.group()
def clock() -> None:
    """Show and confirm the clock of this machine."""


@clock.command()
@with_settings
@with_json
def show(settings: Settings, as_json: bool) -> None:
    """Show when the clock last jumped, and whether deletion by age is paused."""
    with closing(app.open_database(settings)) as database:
        found, set_by = clock_standing(database)
    if as_json:
        click.echo(to_json({"time_of_day": found, "set_by_s": set_by.total_seconds()}))
        return
    say(*clock_lines(settings, found, set_by))


@clock.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_settings
def confirm(yes: bool, settings: Settings) -> None:
    """Confirm that the clock of this machine is right, and resume deletion by age."""
    now = datetime.now(UTC)
    if not yes:
        click.confirm(f"Is it now {text(now)} (local time)?", abort=True)
    with closing(app.open_database(settings)) as database:
        _, set_by = clock_standing(database)
        if set_by:
            raise NodeError(
                "the clock was changed since this node last ran: start the node, then confirm it"
            )
        with database.write() as tx:
            readings.confirm(tx, boot_id(), getpass.getuser(), now)
    click.echo("confirmed: deletion by age resumes")


def clock_lines(settings: Settings, found: TimeOfDay | None, set_by: timedelta) -> Iterator[str]:
    """The state of the clock, for an operator."""
    if found is None:
        yield "this node has not run here since the machine was started"
        return
    troubles = [*clock_faults(found), *clock_doubts(settings, found, set_by)]
    since = f" since {text(found.steady_since)}" if found.steady_since else ""
    yield from troubles or [f"steady{since}"]


def clock_faults(found: TimeOfDay) -> Iterator[str]:
    """Faults that must be corrected at once."""
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


def clock_doubts(settings: Settings, found: TimeOfDay, set_by: timedelta) -> Iterator[str]:
    """What an operator should look at."""
    steady = timedelta(hours=settings.retention.steady_clock_hours)
    if set_by:
        yield (
            f"changed by {set_by.total_seconds():+.0f} s since this node last ran: due times are "
            "shifted by as much when the node starts"
        )
    elif found.doubted_since is not None and found.at - found.doubted_since < steady:
        yield (
            f"the clock jumped, or the machine was off, before {text(found.doubted_since)}: "
            f"deletion by age is paused until {text(found.doubted_since + steady)}; if the clock "
            "is right, run `echonode clock confirm`"
        )
