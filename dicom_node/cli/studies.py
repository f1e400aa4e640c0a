"""`echonode study`: what was received, what became of it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from dicom_node.cli.completeness import completeness_lines, completeness_of
from dicom_node.cli.options import with_json, with_limit, with_settings
from dicom_node.cli.output import print_rows, say, text, to_json
from dicom_node.cli.viewing import looking
from dicom_node.policy import LIES_IN_THE_INSTANCE
from dicom_node.settings.model import Settings
from storage.alarms.listing import study_alarms
from storage.corrections import ordered as corrections
from storage.corrections import rejections
from storage.corrections.ordered import Correction
from storage.corrections.rejections import NoteView
from storage.reading.browse import InstanceView, ReportView, StudyDetail, list_studies, show_study
from storage.states import StudyState

_COLUMNS = {
    "id": "study_id",
    "state": "state",
    "rev": "revision",
    "instances": "instances",
    "received": "last_received_at",
    "next check": "look_at",
    "result": "outcomes",
    "patient": "patient_id",
    "accession": "accession_number",
}
_ALARM_COLUMNS = {
    "id": "study_id",
    "what": "about",
    "instances": "instances",
    "since": "raised_at",
    "patient": "patient_id",
    "accession": "accession_number",
}


@click.group()
def study() -> None:
    """List and show studies."""


@study.command("list")
@click.option(
    "--state",
    type=click.Choice([state.value for state in StudyState]),
    help="State of the study.",
)
@click.option("--patient", "patient_id", help="Patient ID.")
@click.option("--accession", "accession_number", help="Accession number.")
@click.option("--alarms", is_flag=True, help="Only studies with an alarm.")
@with_limit
@with_settings
@with_json
def list_(
    state: str | None,
    patient_id: str | None,
    accession_number: str | None,
    alarms: bool,
    limit: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """List studies, the last received first; with --alarms the last alarm first."""
    if alarms:
        if state or patient_id or accession_number:
            raise click.UsageError("--alarms cannot be combined with other filters")
        with looking(settings, "study list", alarms=True) as tx:
            raised = study_alarms(tx, limit, LIES_IN_THE_INSTANCE)
        print_rows(raised, _ALARM_COLUMNS, as_json=as_json, empty="No study has an alarm.")
        return
    with looking(
        settings,
        "study list",
        state=state,
        patient_id=patient_id,
        accession_number=accession_number,
    ) as tx:
        found = list_studies(
            tx,
            state=StudyState(state) if state else None,
            patient_id=patient_id,
            accession_number=accession_number,
            limit=limit,
        )
    print_rows(found, _COLUMNS, as_json=as_json, empty="No matching studies.")


@study.command()
@click.argument("key")
@with_settings
@with_json
def show(key: str, settings: Settings, as_json: bool) -> None:
    """Show everything about one study; KEY is its UID, accession number or id."""
    with looking(settings, "study show", study=key) as tx:
        detail = show_study(tx, key)
        study_id = detail.summary.study_id
        notes = rejections.notes_of(tx, study_id)
        ordered = corrections.corrections_of(tx, study_id)
        known = completeness_of(tx, study_id)
    if as_json:
        more = {"completeness": known, "rejection_notes": notes, "corrections": ordered}
        click.echo(to_json(asdict(detail) | more))
        return
    say(*_lines(detail), *completeness_lines(known), *_correction_lines(notes, ordered))


def _lines(detail: StudyDetail) -> Iterator[str]:
    summary = detail.summary
    yield f"Study {summary.study_id}  {text(summary.study_instance_uid)}"
    patient, accession = text(summary.patient_id), text(summary.accession_number) or "-"
    yield f"  patient {patient}  accession {accession}"
    yield f"  {summary.state}, revision {summary.revision}, {summary.instances} instance(s)"
    if summary.patient_conflict:
        yield "  INSTANCES OF MORE THAN ONE PATIENT: no estimate is made"
    if summary.look_at:
        yield f"  next check for completeness at {text(summary.look_at)}"
    yield "\nInstances"
    for instance in detail.instances:
        yield from _instance_lines(instance)
    yield "\nRevisions"
    for revision in detail.revisions:
        at = text(revision.completed_at)
        count = f"{revision.instances} instance(s)"
        yield f"  {revision.revision}: {count}, complete at {at}: {revision.reason}"
        for pipeline, why in revision.failures.items():
            yield f"     {pipeline}: FAILED: {why}"
    for report in detail.reports:
        yield from _report_lines(report)
    yield "\nDeliveries"
    for item in detail.deliveries:
        trouble = f"  {text(item.trouble)}" if item.trouble else ""
        yield f"  {item.id}: {item.kind} to {item.destination}: {item.standing}{trouble}"
    yield "\nEvents"
    for event in detail.events:
        yield f"  {text(event.at)}  {event.action:22} {text(event.detail)}"


def _correction_lines(notes: Sequence[NoteView], ordered: Sequence[Correction]) -> Iterator[str]:
    if notes or ordered:
        yield "\nCorrections"
    for note in notes:
        effect = f": ignored, {note.ignored_because}" if note.ignored_because else ""
        what = f"rejection note {note.code} on {note.instances} instance(s)"
        yield f"  {text(note.recorded_at)}  {what}, from {note.peer}{effect}"
    for item in ordered:
        what = f"{item.kind} {text(item.identification.given())}".rstrip()
        yield f"  {text(item.at)}  {what}, by {item.actor}: {item.reason}"


def _instance_lines(instance: InstanceView) -> Iterator[str]:
    number = instance.instance_number or "-"
    modality, uid = text(instance.modality), text(instance.sop_instance_uid)
    yield f"  #{number:4} {modality:3} {uid}  from {instance.peer}"
    if not instance.preparations:
        yield "        no pipeline reads its SOP class"
    for made in instance.preparations:
        if made.selected is None:
            verdict = f"{made.state}{f': {made.error}' if made.error else ''}"
        elif made.selected:
            verdict = "selected"
        else:
            verdict = f"rejected: {made.reason_meaning} - {made.detail}"
        yield f"        {made.pipeline}: {verdict}"


def _report_lines(report: ReportView) -> Iterator[str]:
    yield f"\nReport of revision {report.revision}, {report.pipeline}: {report.outcome}"
    if report.findings_json:
        from dicom_node.report.rendering import as_text
        from dicom_node.work.findings_codec import decode_findings

        yield from as_text(decode_findings(report.findings_json)).split("\n")
    for item in report.objects:
        yield f"  {item.kind:3} {item.sop_class_uid:32} {item.sop_instance_uid}"
