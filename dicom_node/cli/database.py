"""`echonode db`: create, upgrade and check the database."""

import sys

import click

from dicom_node import app
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import to_json
from dicom_node.settings.model import Settings
from storage.migrations import upgrading


@click.group()
def db() -> None:
    """Create, upgrade and check the database."""


@db.command()
@with_settings
def upgrade(settings: Settings) -> None:
    """Upgrade the schema to this version. Stop the node first; safe to repeat."""
    database = app.open_database(settings, must_be_current=False)
    upgrading.upgrade(database)
    click.echo(f"database is at revision {upgrading.check(database).current}")


@db.command()
@with_settings
@with_json
def check(settings: Settings, as_json: bool) -> None:
    """Check whether the schema is that of this version; exit status 1 if not."""
    state = upgrading.check(app.open_database(settings, must_be_current=False))
    is_current = state.current == state.head
    if as_json:
        click.echo(to_json({"current": state.current, "head": state.head, "good": is_current}))
    elif is_current:
        click.echo(f"database is at revision {state.current} (up to date)")
    else:
        found = state.current or "empty"
        click.echo(f"database is {found}, not {state.head}: run `echonode db upgrade`")
    sys.exit(0 if is_current else 1)
