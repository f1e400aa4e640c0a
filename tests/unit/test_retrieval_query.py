"""What an archive answers is believed only where it is what was asked for."""

from datetime import date

import pytest
from pydicom import Dataset

from dicom_node.retrieval.criteria import Criteria
from dicom_node.scu.query import FoundStudy, StudyQuery, found_instances, found_studies
from tests.odd_archive import study

TOLD = FoundStudy(
    study_instance_uid="1.2",
    accession_number="A1",
    patient_id="P1",
    study_date="20261103",
    modalities=("SR", "US"),
    instances=3,
)


@pytest.mark.parametrize(
    ("asked", "is_met"),
    [
        ({}, True),
        ({"study_instance_uid": "1.2", "accession_number": "A1"}, True),
        ({"accession_number": "A"}, False),
        ({"patient_id": "P1"}, True),
        ({"patient_id": "p1"}, False),
        ({"study_date": "20261103"}, True),
        ({"study_date": "20261101-20261107"}, True),
        ({"study_date": "20261101-"}, True),
        ({"study_date": "-20261102"}, False),
        ({"study_date": "20261104"}, False),
        ({"modality": "US"}, True),
        ({"modality": "CT"}, False),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_told_apart(
    asked: dict[str, str], is_met: bool
) -> None:
    assert StudyQuery(**asked).is_met_by(TOLD) is is_met


def test_an_archive_that_does_not_tell_the_modalities_is_believed() -> None:
    [[found], strangers] = found_studies([study("1.2")], StudyQuery(modality="US"))
    assert found.modalities == ()
    assert strangers == 0


def test_a_study_without_a_date_is_in_no_range() -> None:
    assert found_studies([study("1.2")], StudyQuery(study_date="20261103")) == ([], 1)


def test_answers_are_read_whatever_their_character_set() -> None:
    answer = study("1.2", SpecificCharacterSet="ISO_IR 144")
    answer.PatientID = "Пациент-7"
    answer.ModalitiesInStudy = ["US", "SR"]
    answer.StudyDate = "2026.11.03"
    [[found], _] = found_studies([answer], StudyQuery(patient_id="Пациент-7"))
    assert (found.study_date, found.modalities) == ("20261103", ("SR", "US"))


def test_a_study_that_is_answered_twice_counts_once() -> None:
    [found, strangers] = found_studies([study("1.2"), study("1.2"), study("")], StudyQuery())
    assert [one.study_instance_uid for one in found] == ["1.2"]
    assert strangers == 0


def test_instances_of_other_studies_and_without_uid_are_dropped() -> None:
    mine, other, none = Dataset(), study("9.9"), Dataset()
    mine.SOPInstanceUID, mine.SOPClassUID = "1.2.3", "1.1"
    other.SOPInstanceUID = "9.9.3"
    [found] = found_instances([mine, other, none, mine], "1.2", "1.2.1")
    assert (found.series_instance_uid, found.sop_instance_uid) == ("1.2.1", "1.2.3")


def test_a_range_is_asked_day_by_day_over_the_end_of_a_month() -> None:
    criteria = Criteria(modality="US", first_day=date(2026, 2, 27), last_day=date(2026, 3, 1))
    assert [query.study_date for query in criteria.queries()] == [
        "20260227",
        "20260228",
        "20260301",
    ]
    assert Criteria.of(criteria.given()) == criteria


def test_without_a_date_one_query_asks_for_all() -> None:
    criteria = Criteria(accession_number="A1")
    assert list(criteria.queries()) == [StudyQuery(accession_number="A1")]
    assert Criteria.of(criteria.given()) == criteria
