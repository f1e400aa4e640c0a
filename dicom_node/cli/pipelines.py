"""`echonode pipeline`: which pipelines workers run, and removal of one that none runs."""

import click

from dicom_node.cli.options import with_json
from dicom_node.cli.output import print_rows, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import pipelines

_COLUMNS = {"pipeline": "pipeline", "run by": "place", "last seen": "seen_at"}


@click.group()
def pipeline() -> None:
    """Show which worker runs which pipeline, and remove a pipeline."""


@pipeline.command("list")
@with_session
@with_json
def list_(session: Session, as_json: bool) -> None:
    """List the pipelines that workers ran, and where."""
    found = pipelines.list_pipelines(session.database)
    print_rows(found, _COLUMNS, as_json=as_json, empty="No worker has run yet.")


@pipeline.command()
@click.argument("name")
@with_session
@with_json
def forget(name: str, session: Session, as_json: bool) -> None:
    """Remove pipeline NAME, which no worker runs any more, and give up the jobs that wait for it.

    Remove it from the settings first: a worker that still has it records it again.
    """
    jobs = pipelines.forget(session.database, session.who, name)
    if as_json:
        click.echo(to_json({"pipeline": name, "jobs": jobs}))
    else:
        click.echo(f"pipeline {name} removed; {jobs} waiting job(s) given up")
