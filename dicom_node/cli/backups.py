"""`echonode backup` and `echonode restore`: the database and every file it needs."""

import getpass
import sys
from pathlib import Path

import click

from dicom_node.app.spools import new_spool
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import backups
from dicom_node.settings.model import Settings
from storage.keeping.backup import Backup


@click.command()
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder, preferably on another disk; a second backup into it copies only new files.",
)
@with_session
@with_json
def backup(folder: Path, session: Session, as_json: bool) -> None:
    """Back up database and spool, also while the node runs.

    Exit status 1 if files are missing.
    """
    made = backups.backup(session.database, session.spool(), folder, session.who)
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
    spool = new_spool(settings)
    restored = backups.restore(folder, settings.database_url, spool, getpass.getuser())
    _tell(restored, "restored", as_json=as_json)


def _tell(about: Backup, done: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(to_json(about))
        return
    click.echo(f"{done}: state of {about.made_at}, {about.count} file(s)")
    for digest in about.missing:
        click.echo(f"missing or damaged in the spool: {digest}")
