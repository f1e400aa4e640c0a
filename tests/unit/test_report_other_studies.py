"""A report that rests on instances of several studies names each with its study."""

from dataclasses import replace
from io import BytesIO

from pydicom import Dataset, dcmread

from dicom_node.report import build
from tests.report_cases import IDENTITY, MADE_AT, estimate, loops, study

OTHER = "1.2.826.0.1.3680043.8.498.2"
FINDINGS = replace(estimate(), evidence=loops(6))
FIRST, SECOND = (item.instance.sop_instance_uid for item in FINDINGS.evidence[:2])


def made(elsewhere: dict[str, str]) -> dict[str, Dataset]:
    objects = build(FINDINGS, study(elsewhere=elsewhere), identity=IDENTITY, made_at=MADE_AT)
    return {item.kind: dcmread(BytesIO(item.data)) for item in objects if not item.preference}


def named(document: Dataset, keyword: str) -> dict[str, list[str]]:
    """Study -> instances that an evidence sequence names."""
    return {
        item.StudyInstanceUID: [
            reference.ReferencedSOPInstanceUID
            for series in item.ReferencedSeriesSequence
            for reference in series.ReferencedSOPSequence
        ]
        for item in document.get(f"{keyword}Sequence", [])
    }


def test_the_report_names_them_as_other_evidence_one_item_a_study() -> None:
    report = made({FIRST: OTHER, SECOND: f"{OTHER}.1"})["SR"]
    others = named(report, "PertinentOtherEvidence")
    assert others == {OTHER: [FIRST], f"{OTHER}.1": [SECOND]}
    own = named(report, "CurrentRequestedProcedureEvidence")
    assert list(own) == [study().study_instance_uid]
    assert not {FIRST, SECOND} & set(own[study().study_instance_uid])


def test_key_objects_are_of_the_own_study() -> None:
    selection = made({FIRST: OTHER})["KOS"]
    referenced = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in selection.ContentSequence
        if item.ValueType == "IMAGE"
    }
    assert SECOND in referenced
    assert FIRST not in referenced
    assert named(selection, "PertinentOtherEvidence") == {}
    elsewhere = {item.instance.sop_instance_uid: OTHER for item in FINDINGS.evidence}
    assert "KOS" not in made(elsewhere)


def test_without_another_study_there_is_no_other_evidence() -> None:
    assert "PertinentOtherEvidenceSequence" not in made({})["SR"]
