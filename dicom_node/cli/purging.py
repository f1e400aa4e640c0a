"""`echonode study purge` and `study purged`: remove a patient's data, and prove it afterwards."""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from dicom_node import app
from dicom_node.cli.options import with_json, with_settings
from dicom_node.cli.output import print_rows, to_json
from dicom_node.settings.model import Settings
from dicom_node.study.wall_clock import clock_standing
from storage.corrections import ordered
from storage.database.engine import Database
from storage.files.spool import Spool
from storage.keeping import purge as purging
from storage.keeping import removal
from storage.keeping.purge import Purged
from storage.studies import anchors

_PROOF = {
    "id": "study_id",
    "purged": "purged_at",
    "by": "actor",
    "instances": "instances",
    "reason": "reason",
}


@click.command()
@click.argument("key", required=False)
@click.option("--patient", "patient_id", help="All studies of this Patient ID instead of one.")
@click.option("--reason", required=True, help="Reason. It is kept for ever: enter no patient data.")
@click.option("--force", is_flag=True, help="Even while it is being received, analysed or sent.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_settings
@with_json
def purge(
    key: str | None,
    patient_id: str | None,
    reason: str,
    force: bool,
    yes: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Remove a study for good: files, findings, reports, identities; KEY is its UID or id.

    The audit stays and names the patient: it is the record of who did what with whose data, which
    the law asks for. Backups, and what was sent to other systems, are not changed.
    """
    if (key is None) == (patient_id is None):
        raise click.UsageError("give either KEY or --patient")
    if not reason.strip():
        raise click.UsageError("--reason is empty")
    database = app.open_database(settings)
    try:
        spool = app.open_spool(settings, database)
        numbers = _numbers(database, key, patient_id)
        if not numbers:
            raise click.UsageError("this patient has no study here")
        if not yes:
            named = ", ".join(map(str, numbers))
            click.confirm(f"Remove study {named} for good?", abort=True)
        done = [_purge(database, number, reason, numbers, force=force) for number in numbers]
        waiting = _remove_files(database, spool)
        in_log = not purging.forget_deleted(database)
    finally:
        database.close()
    if as_json:
        click.echo(to_json({"purged": done, "files_waiting": waiting, "log_waits": in_log}))
        return
    for item in done:
        click.echo(
            f"study {item.study_id}: {item.instances} instance(s), {item.files} file(s) removed; "
            f"{item.audit_events} audit event(s) about it stay"
        )
    if waiting:
        click.echo(f"{waiting} file(s) will be deleted within an hour (automatic)")
    if in_log:
        click.echo("the database's log still holds deleted rows: repeat when the node is idle")


@click.command()
@click.argument("study_instance_uid")
@with_settings
@with_json
def purged(study_instance_uid: str, settings: Settings, as_json: bool) -> None:
    """Show the proof that a study was purged, by its Study Instance UID."""
    database = app.open_database(settings)
    try:
        with database.read() as tx:
            found = purging.proofs(tx, study_instance_uid)
    finally:
        database.close()
    print_rows(found, _PROOF, as_json=as_json, empty="No study with this UID was purged here.")


def _numbers(database: Database, key: str | None, patient_id: str | None) -> list[int]:
    with database.read() as tx:
        if patient_id is not None:
            return list(purging.studies_of(tx, patient_id))
        return [ordered.study_id_of(tx, key or "")]


def _purge(
    database: Database, number: int, reason: str, numbers: Sequence[int], *, force: bool
) -> Purged:
    """Purge one of some studies; what it took part in, and stays, is reported again without it."""
    now = datetime.now(UTC)
    with database.write() as tx:
        rested_on_it = anchors.anchors_of(tx, number)
        staying = [found for found in rested_on_it if found[0] not in numbers]
        done = purging.purge_study(
            tx, number, actor=getpass.getuser(), reason=reason, now=now, force=force
        )
        anchors.revise_anchors(tx, staying, now)
    return done


def _remove_files(database: Database, spool: Spool) -> int:
    """Remove what may go at once; how many files are left to the node."""
    time_of_day, set_by = clock_standing(database)
    is_steady = time_of_day is None or (not set_by and time_of_day.is_steady(removal.YOUNG))
    with removal.holding(spool) as ours:
        if ours and is_steady:
            removal.remove_queued(database, spool, datetime.now(UTC))
    return removal.waiting(database)
