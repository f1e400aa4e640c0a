"""What requests for storage commitment and their reports say, and what of malformed ones."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from dicom_node.commitment_messages import (
    Report,
    UnreadableMessageError,
    meaning,
    read_report,
    read_request,
    report_dataset,
    request_dataset,
)
from storage.keeping.promises import FailureReason, Reference

UIDS = st.from_regex(r"2\.25\.[1-9][0-9]{0,30}", fullmatch=True)
REFERENCES = st.builds(Reference, UIDS, UIDS)
SC = "1.2.840.10008.5.1.4.1.1.7"


def over_the_wire(dataset: Dataset) -> Dataset:
    """What a peer reads of it, in Implicit VR Little Endian."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, True
    write_dataset(buffer, dataset)
    return read_dataset(BytesIO(buffer.getvalue()), is_implicit_VR=True, is_little_endian=True)


@given(UIDS, st.lists(REFERENCES, min_size=1, max_size=5))
def test_a_request_says_what_it_was_asked_to(uid: str, references: list[Reference]) -> None:
    assert read_request(over_the_wire(request_dataset(uid, references))) == (uid, references)


@given(
    UIDS,
    st.lists(REFERENCES, max_size=5, unique=True),
    st.dictionaries(REFERENCES, st.integers(0, 0xFFFF), max_size=5),
)
def test_a_report_says_what_is_held_and_what_is_not(
    uid: str, committed: list[Reference], failed: dict[Reference, int]
) -> None:
    kept = tuple(item for item in committed if item not in failed)
    report = Report(uid, kept, failed)
    read = read_report(over_the_wire(report_dataset(report)))
    assert (read.transaction_uid, read.committed, dict(read.failed)) == (uid, kept, failed)
    assert read.event_type == (2 if failed else 1)


def test_a_sequence_without_items_is_left_out() -> None:
    dataset = report_dataset(Report("2.25.1", (Reference(SC, "2.25.2"),), {}))
    assert "FailedSOPSequence" not in dataset
    assert "ReferencedSOPSequence" in dataset


def test_what_is_named_twice_has_failed() -> None:
    reference = Reference(SC, "2.25.2")
    dataset = report_dataset(Report("2.25.1", (reference,), {reference: 0x0112}))
    read = read_report(dataset)
    assert (read.committed, dict(read.failed)) == ((), {reference: 0x0112})


def test_a_failure_without_a_reason_is_a_processing_failure() -> None:
    reference = Reference(SC, "2.25.2")
    dataset = report_dataset(Report("2.25.1", (), {reference: 1}))
    del dataset.FailedSOPSequence[0].FailureReason
    assert dict(read_report(dataset).failed) == {reference: FailureReason.PROCESSING_FAILURE}


@pytest.mark.parametrize("missing", ["TransactionUID", "ReferencedSOPSequence"])
def test_a_request_without_its_parts_names_what_is_missing(missing: str) -> None:
    dataset = request_dataset("2.25.1", [Reference(SC, "2.25.2")])
    delattr(dataset, missing)
    with pytest.raises(UnreadableMessageError, match=missing):
        read_request(dataset)


@pytest.mark.parametrize("uid", ["", "1" * 65])
def test_an_instance_without_a_uid_makes_a_request_unreadable(uid: str) -> None:
    dataset = request_dataset("2.25.1", [Reference(SC, "2.25.2")])
    dataset.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = uid
    with pytest.raises(UnreadableMessageError, match="ReferencedSOPInstanceUID"):
        read_request(dataset)


def test_every_reason_has_words() -> None:
    assert all("0x" not in meaning(reason) for reason in FailureReason)
    assert meaning(0xA711) == "it gives the reason 0xA711"
