"""`echonode spool`: the files that were received, what they lack and why they stay."""

import getpass
import sys
from datetime import UTC, datetime, timedelta

import click

from dicom_node import app
from dicom_node.cli.options import with_json, with_limit, with_settings
from dicom_node.cli.output import print_rows, to_json
from dicom_node.errors import NodeError
from dicom_node.settings.model import Settings
from storage.database.faults import translated_disk
from storage.files import marker
from storage.files.folders import make_folder
from storage.files.spool import Spool
from storage.keeping import inventory, removal, retention, spool_identity

_HELD = {"study": "study_id", "complete since": "completed_at", "files stay because": "reason"}


@click.group()
def spool() -> None:
    """Check the received files, and see which must stay."""


@spool.command()
@with_settings
@with_json
def check(settings: Settings, as_json: bool) -> None:
    """Compare files and database both ways; exit status 1 when a file is missing."""
    database = app.open_database(settings)
    files = app.open_spool(settings, database)
    # While it is held, no file leaves between the look at the database and the look at the spool.
    with removal.holding(files, wait=True), database.read() as tx:
        found = list(inventory.differences(inventory.needed_files(tx), files))
        missing = {
            item.digest: inventory.study_of_file(tx, item.digest)
            for item in found
            if item.what == "no file"
        }
    database.close()
    strays = len(found) - len(missing)
    if as_json:
        click.echo(to_json({"missing": missing, "without_row": strays}))
    else:
        for digest, study_id in missing.items():
            click.echo(f"study {study_id}: file {digest} is missing")
        harmless = " (harmless; deleted after one day)" if strays else ""
        click.echo(
            f"{len(missing)} file(s) missing, {strays} file(s) not in the database{harmless}"
        )
    sys.exit(1 if missing else 0)


@spool.command()
@with_limit
@with_settings
@with_json
def held(limit: int, settings: Settings, as_json: bool) -> None:
    """List studies that are past their retention time, and why their files stay."""
    database = app.open_database(settings)
    before = datetime.now(UTC) - timedelta(days=settings.retention.keep_days)
    with database.read() as tx:
        found = retention.held_studies(tx, before, limit)
    database.close()
    print_rows(found, _HELD, as_json=as_json, empty="No studies are held.")


@spool.command()
@click.option("--incomplete", is_flag=True, help="Adopt it even if files are missing.")
@with_settings
def adopt(incomplete: bool, settings: Settings) -> None:
    """Declare the folder in the settings to be the spool of this database.

    For a spool whose file `spool.id` was lost, or that was moved on purpose. Before that, make sure
    that its volume is mounted: an empty mount point is not a spool.
    """
    root, now = settings.spool_dir, datetime.now(UTC)
    database = app.open_database(settings)
    try:
        with database.read() as tx:
            named, missing = spool_identity.count_files(tx, root)
            recorded = spool_identity.recorded(tx)
        if missing and not incomplete:
            raise NodeError(
                f"{missing} of the {named} files that the database names are not in {root}: mount "
                "the spool's volume; if the files are lost, repeat this with --incomplete"
            )
        make_folder(root)
        with translated_disk():
            if recorded and marker.read(root) is None:
                marker.overwrite(root, recorded)
        identity = Spool(root).identity
        with database.write() as tx:
            spool_identity.adopt(tx, identity, getpass.getuser(), now)
    finally:
        database.close()
    click.echo(f"{root} is now the spool, with {named - missing} of {named} file(s)")
    if identity != recorded:
        click.echo("restart the node's processes: they still use the previous spool")
