"""`echonode backup` and `echonode restore`: the database and every file it needs."""

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from dicom_node import app
from dicom_node.app.spools import new_spool
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import to_json
from dicom_node.settings.model import Settings
from storage.audit import trail
from storage.clock import readings
from storage.database.engine import Database
from storage.keeping import spool_identity
from storage.keeping.backup import Backup, make_backup, restore_backup
from storage.migrations import upgrading


@click.command()
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder, preferably on another disk; a second backup into it copies only new files.",
)
@with_settings
@with_json
def backup(folder: Path, settings: Settings, as_json: bool) -> None:
    """Back up database and spool, also while the node runs.

    Exit status 1 if files are missing.
    """
    database = app.open_database(settings)
    try:
        made = make_backup(database, app.open_spool(settings, database), folder, datetime.now(UTC))
        _record(database, trail.Action.BACKUP_MADE, made)
    finally:
        database.close()
    _tell(made, "backed up", as_json=as_json)
    sys.exit(1 if made.missing else 0)


@click.command()
@click.option(
    "--from",
    "folder",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the backup.",
)
@with_settings
@with_json
def restore(folder: Path, settings: Settings, as_json: bool) -> None:
    """Restore a backup into an empty place.

    The settings name it. Start the node only when the restore has ended.
    """
    url = settings.database_url
    spool = new_spool(settings)
    restored = restore_backup(folder, url, spool)
    database = Database(url)
    try:
        upgrading.upgrade(database)
        with database.write() as tx:
            spool_identity.adopt(tx, spool.identity, getpass.getuser(), datetime.now(UTC))
            readings.database_was_away(tx)
        _record(database, trail.Action.BACKUP_RESTORED, restored)
    finally:
        database.close()
    _tell(restored, "restored", as_json=as_json)


def _record(database: Database, action: trail.Action, about: Backup) -> None:
    event = trail.Event(
        action=action,
        at=datetime.now(UTC),
        actor=getpass.getuser(),
        outcome="failure" if about.missing else "success",
        detail={"made_at": about.made_at, "files": about.count, "missing": len(about.missing)},
    )
    with database.write() as tx:
        trail.record(tx, event)


def _tell(about: Backup, done: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(to_json(about))
        return
    click.echo(f"{done}: state of {about.made_at}, {about.count} file(s)")
    for digest in about.missing:
        click.echo(f"missing or damaged in the spool: {digest}")
