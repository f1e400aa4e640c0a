"""`echonode spool`: the files that were received, what they lack and why they stay."""

import sys

import click

from dicom_node.cli.options import with_json, with_limit
from dicom_node.cli.output import print_rows, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import spool as operations

_HELD = {"study": "study_id", "complete since": "completed_at", "files stay because": "reason"}


@click.group()
def spool() -> None:
    """Check the received files, and see which must stay."""


@spool.command()
@with_session
@with_json
def check(session: Session, as_json: bool) -> None:
    """Compare files and database both ways; exit status 1 when a file is missing."""
    found = operations.check(session.database, session.spool())
    if as_json:
        click.echo(to_json(found))
    else:
        for digest, study_id in found.missing.items():
            click.echo(f"study {study_id}: file {digest} is missing")
        harmless = " (harmless; deleted after one day)" if found.without_row else ""
        click.echo(
            f"{len(found.missing)} file(s) missing, "
            f"{found.without_row} file(s) not in the database{harmless}"
        )
    sys.exit(1 if found.missing else 0)


@spool.command()
@with_limit
@with_session
@with_json
def held(limit: int, session: Session, as_json: bool) -> None:
    """List studies that are past their retention time, and why their files stay."""
    keep_days = session.settings.retention.keep_days
    found = operations.held(session.database, keep_days, limit=limit)
    print_rows(found, _HELD, as_json=as_json, empty="No studies are held.")


@spool.command()
@click.option("--incomplete", is_flag=True, help="Adopt it even if files are missing.")
@with_session
def adopt(incomplete: bool, session: Session) -> None:
    """Declare the folder in the settings to be the spool of this database.

    For a spool whose file `spool.id` was lost, or that was moved on purpose. Before that, make sure
    that its volume is mounted: an empty mount point is not a spool.
    """
    root = session.settings.spool_dir
    done = operations.adopt(session.database, root, session.who, incomplete=incomplete)
    click.echo(f"{done.root} is now the spool, with {done.present} of {done.named} file(s)")
    if done.must_restart:
        click.echo("restart the node's processes: they still use the previous spool")
