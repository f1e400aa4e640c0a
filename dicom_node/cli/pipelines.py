"""`echonode pipeline`: which pipelines workers run, and removal of one that none runs."""

import getpass
from contextlib import closing
from datetime import UTC, datetime

import click

from dicom_node import app
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import print_rows, to_json
from dicom_node.settings.model import Settings
from storage.work import roster

_COLUMNS = {"pipeline": "pipeline", "run by": "place", "last seen": "seen_at"}


@click.group()
def pipeline() -> None:
    """Show which worker runs which pipeline, and remove a pipeline."""


@pipeline.command("list")
@with_settings
@with_json
def list_(settings: Settings, as_json: bool) -> None:
    """List the pipelines that workers ran, and where."""
    with closing(app.open_database(settings)) as database, database.read() as tx:
        found = roster.places(tx)
    print_rows(found, _COLUMNS, as_json=as_json, empty="No worker has run yet.")


@pipeline.command()
@click.argument("name")
@with_settings
@with_json
def forget(name: str, settings: Settings, as_json: bool) -> None:
    """Remove pipeline NAME, which no worker runs any more, and give up the jobs that wait for it.

    Remove it from the settings first: a worker that still has it records it again.
    """
    with closing(app.open_database(settings)) as database, database.write() as tx:
        jobs = roster.forget(tx, name, getpass.getuser(), datetime.now(UTC))
    if as_json:
        click.echo(to_json({"pipeline": name, "jobs": jobs}))
    else:
        click.echo(f"pipeline {name} removed; {jobs} waiting job(s) given up")
