"""Whom a report is filed under, and what it says about what did not get in."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.pipeline import Pipeline, load_pipeline
from storage.alarms import about_studies
from storage.corrections import ordered
from storage.corrections.ordered import Identification
from storage.reading.browse import show_study
from storage.states import AlarmKind, Outcome
from storage.studies import refused_instances
from tests.peers import shared
from tests.phantom_model import PHANTOM_BUNDLE
from tests.reporting_node import PIPELINE, Node
from tests.studies import phantom


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(PIPELINE, PHANTOM_BUNDLE, "cpu")


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    files = phantom(tmp_path_factory.mktemp("exam"), 1)
    return [file.read_bytes() for file in files[:2]]


@pytest.fixture
def node(tmp_path: Path, pipeline: Pipeline) -> Iterator[Node]:
    made = Node(tmp_path, pipeline)
    yield made
    made.database.close()


def changed(data: bytes, **values: str | None) -> bytes:
    dataset = dcmread(BytesIO(data))
    for keyword, value in values.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("first", [0, 1], ids=["the blank one first", "the blank one last"])
def test_a_report_is_filed_under_the_patient_id_that_any_instance_has(
    node: Node, exam: Sequence[bytes], first: int
) -> None:
    both = [changed(exam[0], PatientID=None), exam[1]]
    node.receive(both[first], both[1 - first])
    node.work()
    assert node.outcomes() == [Outcome.ESTIMATED]
    known = dcmread(BytesIO(exam[1]), stop_before_pixels=True)
    assert node.newest().PatientID == known.PatientID != ""


@pytest.mark.parametrize("first", [0, 1])
def test_the_case_of_a_missing_id_is_one_patient(node: Node, first: int) -> None:
    control = shared("cases", "base-jpeg.dcm").read_bytes()
    study = str(dcmread(BytesIO(control), stop_before_pixels=True).StudyInstanceUID)
    blank = changed(shared("cases", "h-id-missing.dcm").read_bytes(), StudyInstanceUID=study)
    both = [control, blank]
    node.receive(both[first], both[1 - first])
    node.work()
    with node.database.read() as tx:
        assert not show_study(tx, "1").summary.patient_conflict
    assert node.outcomes() == [Outcome.ESTIMATED]
    assert node.newest().PatientID == dcmread(BytesIO(control)).PatientID


def test_without_any_patient_id_nothing_is_filed_until_somebody_says_whose_it_is(
    node: Node, exam: Sequence[bytes]
) -> None:
    node.receive(*(changed(data, PatientID="") for data in exam))
    node.work()
    assert node.outcomes() == [Outcome.UNFILED]
    with node.database.read() as tx:
        detail = show_study(tx, "1")
        assert not detail.reports[0].objects and not detail.deliveries
        assert about_studies.standing(tx, 1).keys() == {AlarmKind.NO_PATIENT_ID}
    with node.database.write() as tx:
        ordered.correct_identification(
            tx, 1, Identification(patient_id="P-7"), node.order("found the patient")
        )
    node.work()
    assert node.outcomes() == [Outcome.UNFILED, Outcome.ESTIMATED]
    assert node.newest().PatientID == "P-7"
    with node.database.read() as tx:
        assert about_studies.standing(tx, 1) == {}


def test_a_report_tells_what_was_refused_until_it_comes(node: Node, exam: Sequence[bytes]) -> None:
    lost = dcmread(BytesIO(exam[1]), stop_before_pixels=True)
    with node.database.write() as tx:
        refused_instances.remember(
            tx,
            sop_instance_uid=lost.SOPInstanceUID,
            study_instance_uid=lost.StudyInstanceUID,
            peer="cart",
            status=0xA700,
            reason="No space left to store the instance",
            at=datetime.now(UTC),
        )
    node.receive(exam[0])
    node.work()
    told = "1 instance was refused (no disk space or no database) and not sent again."
    assert told in texts(node.newest())
    node.receive(exam[1])
    node.work()
    assert node.outcomes() == [Outcome.ESTIMATED] * 2
    assert told not in texts(node.newest())


def texts(document: Dataset) -> str:
    return " ".join(
        str(element.value)
        for element in document.iterall()
        if element.keyword in ("TextValue", "CodeMeaning")
    )


def test_a_patient_id_with_a_backslash_is_reported_as_sent(
    node: Node, exam: Sequence[bytes]
) -> None:
    node.receive(*(changed(data, PatientID="12\\345") for data in exam))
    node.work()
    element = node.newest()["PatientID"]
    assert list(element.value) == ["12", "345"]
