"""`echonode patient`: a patient's studies, and how the estimates went."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dicom_node.cli.options import with_json, with_limit
from dicom_node.cli.output import say, text, to_json
from dicom_node.cli.session import Session, with_session
from storage.states import Outcome

if TYPE_CHECKING:
    from dicom_node.operations.patients import PatientShown, StudyOfPatient


@click.command()
@click.argument("patient_id", metavar="ID")
@with_limit
@with_session
@with_json
def patient(patient_id: str, limit: int, session: Session, as_json: bool) -> None:
    """Show the studies of a patient in their order in time; ID is the Patient ID.

    Of each study: what every pipeline reports, and how its estimates differ from those of the
    study before. The command is recorded in the audit.
    """
    from dicom_node.operations.patients import show_patient

    found = show_patient(session.database, session.who, patient_id, limit=limit)
    if as_json:
        click.echo(to_json(found))
    else:
        say(*_lines(found))


def _lines(found: "PatientShown") -> Iterator[str]:
    yield f"Patient {text(found.patient_id)}: {len(found.studies)} study(ies), the oldest first"
    if found.left_out:
        yield f"  {found.left_out} older ones are not shown: --limit"
    for each in found.studies:
        yield from _study(each)


def _study(shown: "StudyOfPatient") -> Iterator[str]:
    study = shown.summary
    day = text(study.study_date)
    day = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 else day or "without date"
    accession = text(study.accession_number) or "-"
    issuer = f", issuer {text(shown.issuer_of_patient_id)}" if shown.issuer_of_patient_id else ""
    yield f"\n{day}  study {study.study_id}: {study.state}, accession {accession}{issuer}"
    if not shown.is_same_patient:
        yield "  perhaps another patient: issuer, birth date or sex differs from the last study's"
    if not shown.reports:
        yield "  no report yet"
    concerning = [each for each in shown.reports if each.outcome != Outcome.NOT_APPLICABLE]
    for report in concerning or shown.reports:
        made = f"revision {report.revision}, {text(report.made_at)}"
        yield f"  {report.pipeline}: {report.outcome}, {made}, bundle {report.bundle_digest[:16]}"
        yield from (f"    {text(sentence)}" for sentence in report.said)
