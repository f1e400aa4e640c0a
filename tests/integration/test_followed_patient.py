"""Three studies of one patient: each report knows those before, and none is revised for another."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import Dataset, dcmread

from dicom_node.cli import cli
from dicom_node.operations.patients import show_patient
from inference.pipeline import Pipeline, load_pipeline
from storage.corrections import ordered
from storage.states import Outcome
from tests.phantom_model import PHANTOM_BUNDLE
from tests.reporting_node import PIPELINE, Node
from tests.studies import phantom

DAYS = ("20240304", "20250310", "20260131")
MPAP = "8414-5"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(PIPELINE, PHANTOM_BUNDLE, "cpu")


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> Sequence[bytes]:
    """One loop a study, each of another phantom."""
    folder = tmp_path_factory.mktemp("exams")
    loops = [phantom(folder / day, number, loops=1)[0] for number, day in enumerate(DAYS, 1)]
    return [study(loop.read_bytes(), day) for loop, day in zip(loops, DAYS, strict=True)]


@pytest.fixture
def node(tmp_path: Path, pipeline: Pipeline) -> Iterator[Node]:
    made = Node(tmp_path, pipeline)
    yield made
    made.database.close()


def study(loop: bytes, day: str) -> bytes:
    """A loop as one of the same patient on a day."""
    dataset = dcmread(BytesIO(loop))
    dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = "P-7", "Doe^Jane", "19600101"
    dataset.IssuerOfPatientID = "HOSPITAL"
    dataset.StudyDate = day
    dataset.StudyInstanceUID = f"1.2.826.0.1.3680043.8.498.77.{day}"
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def one_after_another(node: Node, exams: Sequence[bytes]) -> None:
    for exam in exams:
        node.receive(exam)
        node.work()


def estimates(report: Dataset) -> list[tuple[str, str]]:
    """The day of each measurement group with an mPAP, "" for the present one, and its value."""
    found = []
    for group in groups(report):
        named = {item.ConceptNameCodeSequence[0].CodeValue: item for item in group.ContentSequence}
        if MPAP in named:
            day = str(named["C2348792"].TextValue) if "C2348792" in named else ""
            found.append((day, str(named[MPAP].MeasuredValueSequence[0].NumericValue)))
    return found


def groups(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        if child.get("ConceptNameCodeSequence", [Dataset()])[0].get("CodeValue") == "125007":
            yield child
        yield from groups(child)


def test_the_third_report_holds_what_the_first_two_estimated(
    node: Node, exams: Sequence[bytes]
) -> None:
    one_after_another(node, exams)
    first, second, third = (estimates(node.newest(study_id=number)) for number in (1, 2, 3))
    [(_, mpap_1)], (_, mpap_2) = first, second[0]
    assert second[1:] == [("2024-03-04", mpap_1)]
    assert third[1:] == [("2024-03-04", mpap_1), ("2025-03-10", mpap_2)]
    assert third[0][0] == ""
    assert [node.outcomes(number) for number in (1, 2, 3)] == [[Outcome.ESTIMATED]] * 3
    picture = node.newest("SC", 3)
    assert picture.NumberOfFrames == 2


def test_a_withdrawn_study_leaves_the_next_report_and_revises_none(
    node: Node, exams: Sequence[bytes]
) -> None:
    one_after_another(node, exams[:2])
    with node.database.write() as tx:
        ordered.withdraw(tx, 1, node.order())
    node.work()
    assert node.outcomes(1) == [Outcome.ESTIMATED, Outcome.WITHDRAWN]
    assert node.outcomes(2) == [Outcome.ESTIMATED], "no later report is revised for it"
    one_after_another(node, exams[2:])
    assert [day for day, _ in estimates(node.newest(study_id=3))] == ["", "2025-03-10"]


def test_one_who_asks_for_the_patient_sees_them_in_order(
    node: Node, exams: Sequence[bytes], tmp_path: Path
) -> None:
    one_after_another(node, exams[::-1])
    found = show_patient(node.database, "eve", "P-7")
    assert [each.summary.study_date for each in found.studies] == list(DAYS)
    assert all(each.is_same_patient for each in found.studies)
    reports = [report for each in found.studies for report in each.reports]
    assert [len(report.estimates) for report in reports] == [3, 3, 3]
    assert not any("since" in said for said in reports[2].said), "it came first"
    assert len(estimates(node.newest(study_id=1))) == 1
    config = tmp_path / "node.toml"
    config.write_text(f'[storage]\ndatabase_url = "sqlite:///{tmp_path / "node.db"}"\n')
    printed = CliRunner().invoke(cli, ["patient", "P-7", "--config", str(config)]).output
    days = [line[:10] for line in printed.splitlines() if line.startswith("20")]
    assert days == ["2024-03-04", "2025-03-10", "2026-01-31"]
    assert printed.count("mPAP") >= 3
    last = show_patient(node.database, "eve", "P-7", limit=1)
    assert ([each.summary.study_date for each in last.studies], last.left_out) == ([DAYS[2]], 2)
