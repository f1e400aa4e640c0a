"""A backslash in a Patient ID: DICOM divides values by it, and it is shown as it was sent."""

from pathlib import Path

from pydicom import Dataset, dcmread

from dicom_node.hl7.people import patient
from dicom_node.intake.identification import identify
from dicom_node.report.context import StudyContext
from dicom_node.scu.query import StudyQuery, found_studies
from tests.peers import shared
from tests.scp_listening import EXPLICIT_LITTLE, item, parts

SENT = "12\\345"


def test_the_index_has_it_as_sent(tmp_path: Path) -> None:
    file = tmp_path / "instance"
    file.write_bytes(item(PatientID=SENT)[3])
    assert identify(file, 0, EXPLICIT_LITTLE).patient_id == SENT


def test_the_case_has_it_as_sent(tmp_path: Path) -> None:
    one = parts(shared("cases", "h-id-backslash.dcm"))
    file = tmp_path / "instance"
    file.write_bytes(one[3])
    assert identify(file, 0, one[2]).patient_id == SENT


def test_a_report_and_a_message_have_it_as_sent() -> None:
    header = dcmread(shared("cases", "h-id-backslash.dcm"), stop_before_pixels=True)
    study = StudyContext.from_header(header, revision=1)
    assert study.patient_id == SENT
    assert patient(study).startswith("PID|1||12\\E\\345|")


def test_half_an_id_is_another_patient() -> None:
    answers = []
    for number, patient_id in enumerate((SENT, "12", "345")):
        answer = Dataset()
        answer.StudyInstanceUID, answer.PatientID = f"1.2.{number}", patient_id
        answers.append(answer)
    found, strangers = found_studies(answers, StudyQuery(patient_id=SENT))
    assert ([study.patient_id for study in found], strangers) == ([SENT], 2)
