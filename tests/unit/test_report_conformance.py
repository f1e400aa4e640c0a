"""Our own check finds what would make an archive refuse an object or a viewer misread it."""

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.report import build, check
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate, study

BUILT = {
    item.kind: item.data
    for item in reversed(build(estimate(2), study(), identity=IDENTITY, made_at=MADE_AT))
}


def damaged(kind: str, damage: Callable[[Dataset], object]) -> bytes:
    dataset = dcmread(BytesIO(BUILT[kind]))
    damage(dataset)
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def remove(*keywords: str) -> Callable[[Dataset], None]:
    def damage(dataset: Dataset) -> None:
        for keyword in keywords:
            delattr(dataset, keyword)

    return damage


def first(dataset: Dataset, value_type: str) -> Dataset:
    for item in dataset.ContentSequence:
        if item.ValueType == value_type:
            return item
        if "ContentSequence" in item:
            found = first(item, value_type)
            if found:
                return found
    return Dataset()


@pytest.mark.parametrize("kind", sorted(BUILT))
def test_what_was_built_is_sound(kind: str) -> None:
    assert check(BUILT[kind], study()) == []


def test_an_abstention_is_sound() -> None:
    for item in build(abstention(), study(), identity=IDENTITY, made_at=MADE_AT):
        assert check(item.data, study()) == []


@pytest.mark.parametrize(
    ("kind", "damage", "problem"),
    [
        ("SR", remove("PatientID"), "PatientID is missing"),
        ("SR", remove("CompletionFlag"), "CompletionFlag is missing"),
        ("SR", remove("DeviceSerialNumber"), "DeviceSerialNumber is missing"),
        ("SC", remove("Rows"), "Rows is missing"),
        ("KOS", remove("ReferencedPerformedProcedureStepSequence"), "is missing"),
        ("SR", lambda d: setattr(d, "Manufacturer", ""), "Manufacturer is empty"),
        ("SR", lambda d: setattr(d, "VerificationFlag", "VERIFIED"), "not UNVERIFIED"),
        ("SR", lambda d: setattr(d, "PatientID", "OTHER"), "PatientID differs"),
        ("SR", remove("CodingSchemeIdentificationSequence"), "99ECHONODE is not declared"),
        ("SR", remove("CurrentRequestedProcedureEvidenceSequence"), "not among the evidence"),
        ("SR", lambda d: setattr(d, "ContinuityOfContent", "CONTINUOUS"), "is not SEPARATE"),
        (
            "SR",
            lambda d: setattr(first(d, "CONTAINER"), "ContinuityOfContent", "CONTINUOUS"),
            "container Image Library is not SEPARATE",
        ),
        (
            "SR",
            lambda d: delattr(
                first(d, "NUM").MeasuredValueSequence[0], "MeasurementUnitsCodeSequence"
            ),
            "has no unit",
        ),
        ("SR", lambda d: delattr(first(d, "NUM"), "RelationshipType"), "has no relationship"),
        (
            "SR",
            lambda d: setattr(
                first(d, "IMAGE").ReferencedSOPSequence[0], "ReferencedSOPInstanceUID", ""
            ),
            "ReferencedSOPInstanceUID is not a UID",
        ),
        ("SC", lambda d: setattr(d, "SOPClassUID", "1.2.3"), "none of a result object"),
    ],
)
def test_what_is_wrong_is_named(
    kind: str, damage: Callable[[Dataset], object], problem: str
) -> None:
    problems = check(damaged(kind, damage), study())

    assert any(problem in line for line in problems), problems


def test_no_problem_repeats_a_value_of_the_patient() -> None:
    def damage(dataset: Dataset) -> None:
        dataset.PatientName = "Marked^Person"
        dataset.SOPInstanceUID = "1.2.3.04.MARK"

    text = "\n".join(check(damaged("SR", damage), study()))

    assert "PatientName differs" in text
    assert "SOPInstanceUID" in text
    assert "Marked" not in text
    assert "MARK" not in text


@pytest.mark.parametrize("data", [b"", b"nothing of DICOM", BUILT["SR"][:400], BUILT["SR"][:2000]])
def test_a_file_that_cannot_be_read_is_a_problem_not_a_crash(data: bytes) -> None:
    assert check(data, study())


def test_the_files_are_explicit_little_endian() -> None:
    for data in BUILT.values():
        assert dcmread(BytesIO(data)).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
