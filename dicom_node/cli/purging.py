"""`echonode study purge` and `study purged`: remove a patient's data, and prove it afterwards."""

import click

from dicom_node.cli.options import with_json, with_reason
from dicom_node.cli.output import print_rows, to_json
from dicom_node.cli.session import Session, with_session
from dicom_node.operations import purging

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
@with_reason("Reason. It is kept for ever: enter no patient data.")
@click.option("--force", is_flag=True, help="Even while it is being received, analysed or sent.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_session
@with_json
def purge(
    key: str | None,
    patient_id: str | None,
    reason: str,
    force: bool,
    yes: bool,
    session: Session,
    as_json: bool,
) -> None:
    """Remove a study for good: files, findings, reports, identities; KEY is its UID or id.

    The audit stays and names the patient: it is the record of who did what with whose data, which
    the law asks for. Backups, and what was sent to other systems, are not changed.
    """
    if (key is None) == (patient_id is None):
        raise click.UsageError("give either KEY or --patient")
    spool = session.spool()
    studies = purging.studies_meant(session.database, key, patient_id)
    if not yes:
        named = ", ".join(map(str, studies))
        click.confirm(f"Remove study {named} for good?", abort=True)
    done = purging.purge(
        session.database, spool, studies, who=session.who, reason=reason, force=force
    )
    if as_json:
        click.echo(to_json(done))
        return
    for item in done.purged:
        click.echo(
            f"study {item.study_id}: {item.instances} instance(s), {item.files} file(s) removed; "
            f"{item.audit_events} audit event(s) about it stay"
        )
    if done.files_waiting:
        click.echo(f"{done.files_waiting} file(s) will be deleted within an hour (automatic)")
    if done.log_waits:
        click.echo("the database's log still holds deleted rows: repeat when the node is idle")


@click.command()
@click.argument("study_instance_uid")
@with_session
@with_json
def purged(study_instance_uid: str, session: Session, as_json: bool) -> None:
    """Show the proof that a study was purged, by its Study Instance UID."""
    found = purging.proofs(session.database, study_instance_uid)
    print_rows(found, _PROOF, as_json=as_json, empty="No study with this UID was purged here.")
