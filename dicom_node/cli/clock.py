"""`echonode clock`: whether the clock can be trusted, and its confirmation by an operator."""

from datetime import UTC, datetime

import click

from dicom_node.cli.options import with_json
from dicom_node.cli.output import say, text, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import time_of_day


@click.group()
def clock() -> None:
    """Show and confirm the clock of this machine."""


@clock.command()
@with_session
@with_json
def show(session: Session, as_json: bool) -> None:
    """Show when the clock last jumped, and whether deletion by age is paused."""
    found = time_of_day.clock_standing_of(session.settings, session.database)
    if as_json:
        click.echo(to_json({"time_of_day": found.time_of_day, "set_by_s": found.set_by_s}))
    else:
        say(*found.sentences())


@clock.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_session
def confirm(yes: bool, session: Session) -> None:
    """Confirm that the clock of this machine is right, and resume deletion by age."""
    if not yes:
        click.confirm(f"Is it now {text(datetime.now(UTC))} (local time)?", abort=True)
    time_of_day.confirm(session.database, session.who)
    click.echo("confirmed: deletion by age resumes")
