"""The report of a patient who does not exist: recognisable, complete in itself, new each time."""

from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from dicom_node.peer_doctor.synthetic import (
    PATIENT_ID,
    PATIENT_NAME,
    SyntheticStudy,
    rejection_note,
    synthetic_study,
)
from dicom_node.report import KINDS
from tests.report_cases import IDENTITY, MADE_AT


@pytest.fixture(scope="module")
def study() -> SyntheticStudy:
    return synthetic_study(IDENTITY, MADE_AT)


@pytest.fixture(scope="module")
def datasets(study: SyntheticStudy) -> list[Dataset]:
    objects = (*study.objects, rejection_note(study, study.objects))
    return [dcmread(BytesIO(item.data)) for item in objects]


def referenced(item: Dataset) -> Iterator[str]:
    """Every instance that a dataset points at, at whatever depth."""
    for element in item:
        if element.keyword == "ReferencedSOPInstanceUID":
            yield str(element.value)
        if element.VR == "SQ":
            for child in element.value:
                yield from referenced(child)


def test_there_is_one_of_every_kind(study: SyntheticStudy) -> None:
    assert {*study.kinds, "RN"} == KINDS
    assert [item.preference for item in study.renditions("SR")] == [0, 1, 2, 3]


def test_nobody_takes_it_for_a_patient(datasets: list[Dataset]) -> None:
    assert {str(item.PatientID) for item in datasets} == {PATIENT_ID}
    assert {str(item.PatientName) for item in datasets} == {PATIENT_NAME}
    assert all("UNTRAINED MODEL" in item.SeriesDescription for item in datasets)


def test_no_reference_leads_out_of_the_study(datasets: list[Dataset]) -> None:
    ours = {str(item.SOPInstanceUID) for item in datasets}
    assert len(ours) == len(datasets)
    assert {uid for item in datasets for uid in referenced(item)} <= ours


def test_each_examination_has_a_study_of_its_own(study: SyntheticStudy) -> None:
    later = synthetic_study(IDENTITY, MADE_AT + timedelta(seconds=1))
    assert later.context.study_instance_uid != study.context.study_instance_uid
    assert later.context.patient_id == study.context.patient_id
