"""Rejection notes are recognised by their title and read whatever they hold."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from dicom_node.intake import rejection_note
from dicom_node.intake.rejection_note import read_rejection_note
from dicom_node.intake.rejection_reasons import REASONS
from inference.dicom.header import read_header
from inference.errors import InstanceUnreadableError
from tests.rejection_notes import encoded, note


def instance(number: int, study_uid: str = "1.2.9") -> Dataset:
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    made.SOPInstanceUID = f"1.2.3.{number}"
    made.SeriesInstanceUID = "1.2.8"
    made.StudyInstanceUID = study_uid
    return made


def reread(made: Dataset) -> Dataset:
    return dcmread(BytesIO(encoded(made)))


@pytest.mark.parametrize("code", REASONS)
def test_a_note_says_why_and_what(code: str) -> None:
    read = read_rejection_note(reread(note(code, [instance(1), instance(2, "1.2.10")])))
    assert read is not None
    assert read.reason.value == code
    assert read.rejected == {"1.2.3.1": "1.2.9", "1.2.3.2": "1.2.10"}
    assert not read.problem


@pytest.mark.parametrize(("code", "scheme"), [("113000", "DCM"), ("113001", "99ECHONODE")])
def test_a_selection_with_another_title_is_none(code: str, scheme: str) -> None:
    assert read_rejection_note(reread(note(code, [instance(1)], scheme=scheme))) is None


def test_another_object_with_such_a_title_is_none() -> None:
    made = note("113001", [instance(1)])
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    assert read_rejection_note(reread(made)) is None


def test_a_note_without_evidence_names_nothing() -> None:
    read = read_rejection_note(reread(note("113001", [])))
    assert read is not None
    assert (read.rejected, read.problem) == ({}, "it names no instance")


def test_one_instance_in_two_studies_is_a_mistake() -> None:
    read = read_rejection_note(reread(note("113001", [instance(1), instance(1, "1.2.10")])))
    assert read is not None
    assert (read.rejected, read.problem) == ({}, "it names one instance in two studies")


def test_a_reference_that_is_no_uid_spoils_the_note() -> None:
    made = note("113001", [instance(1), instance(2)])
    study = made.CurrentRequestedProcedureEvidenceSequence[1]
    del study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    read = read_rejection_note(reread(made))
    assert read is not None
    assert (read.rejected, read.problem) == ({}, "it holds a reference that is not a UID")


def test_a_note_names_no_more_than_a_study_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejection_note, "MOST_INSTANCES", 2)
    read = read_rejection_note(reread(note("113001", [instance(n) for n in range(3)])))
    assert read is not None
    assert not read.rejected
    assert read.problem


GOOD = encoded(note("113001", [instance(n) for n in range(3)]))


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@given(
    changes=st.lists(
        st.tuples(st.integers(132, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=12
    ),
    length=st.integers(132, len(GOOD)),
)
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_bytes_never_raise_and_never_reject_what_is_no_uid(
    tmp_path: Path, changes: list[tuple[int, int]], length: int
) -> None:
    damaged = bytearray(GOOD)
    for position, value in changes:
        damaged[position] = value
    file = tmp_path / "note.dcm"
    file.write_bytes(damaged[:length])
    try:
        header = read_header(file)
    except InstanceUnreadableError:
        return
    read = read_rejection_note(header)
    if read is not None:
        assert bool(read.rejected) is not bool(read.problem)
        assert all(set(uid) <= set("0123456789.") for uid in read.rejected)
