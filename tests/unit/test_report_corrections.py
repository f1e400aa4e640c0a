"""A report that takes something back says so first, and its rejection note names what it was."""

from dataclasses import replace
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_node.report import BuiltObject, DocumentRef, Notice, Predecessor, build
from inference.types import Code
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate, study

SR = "1.2.840.10008.5.1.4.1.1.88.34"
SC = "1.2.840.10008.5.1.4.1.1.7"
EARLIER = (DocumentRef(SR, "2.25.11", "2.25.1"), DocumentRef(SC, "2.25.12", "2.25.2"))
PREDECESSOR = Predecessor(1, EARLIER[:1])
WITHDRAWN = Notice(
    withdrawn="The study was withdrawn: deleted.",
    rejection=Code("113037", "DCM", "Rejected for Patient Safety Reasons"),
    rejects=EARLIER,
)


def built(notice: Notice, *, estimated: bool = False) -> dict[str, BuiltObject]:
    """The best object of each kind."""
    objects = build(
        estimate() if estimated else abstention(()),
        study(revision=2),
        identity=IDENTITY,
        made_at=MADE_AT,
        predecessor=PREDECESSOR,
        notice=notice,
    )
    return {item.kind: item for item in reversed(objects)}


def read(item: BuiltObject) -> Dataset:
    return dcmread(BytesIO(item.data))


def sentences(report: Dataset) -> list[str]:
    """The lines of the summary, then the comments of the evaluations."""
    summary = next(
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "121111"
    )
    evaluations = next(
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "C0034375"
    )
    comments = [
        item.TextValue
        for item in evaluations.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "121106"
    ]
    return [*summary.TextValue.splitlines(), *comments]


def test_a_withdrawal_stands_in_the_first_line_and_in_the_list_of_series() -> None:
    objects = built(WITHDRAWN)
    assert sorted(objects) == ["PDF", "RN", "SC", "SR"]
    report = read(objects["SR"])
    first, *_ = sentences(report)
    assert first.startswith("WITHDRAWN: The study was withdrawn: deleted.")
    assert "WITHDRAWN" in report.SeriesDescription
    assert "WITHDRAWN" in read(objects["SC"]).SeriesDescription
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    [replaced] = report.PredecessorDocumentsSequence
    reference = replaced.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == "2.25.11"


def test_a_rejection_note_points_at_each_object_as_what_it_is() -> None:
    note = read(built(WITHDRAWN)["RN"])
    assert note.SOPClassUID == KeyObjectSelectionDocumentStorage
    assert note.ConceptNameCodeSequence[0].CodeValue == "113037"
    references = [
        (item.ValueType, item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for item in note.ContentSequence
        if "ReferencedSOPSequence" in item
    ]
    assert references == [("COMPOSITE", "2.25.11"), ("IMAGE", "2.25.12")]


def test_each_destination_gets_a_note_over_what_it_holds() -> None:
    """Archives (dcm4chee) refuse a note that names an instance which they have not."""
    there = (
        replace(EARLIER[0], destination="archive"),
        replace(EARLIER[0], destination="pacs"),
        replace(EARLIER[1], destination="pacs"),
    )
    notes = build(
        abstention(()),
        study(revision=2),
        identity=IDENTITY,
        made_at=MADE_AT,
        notice=replace(WITHDRAWN, rejects=there),
        kinds=("RN",),
    )
    assert [(item.destination, item.preference) for item in notes] == [("archive", 0), ("pacs", 1)]
    assert [_rejected(read(item)) for item in notes] == [["2.25.11"], ["2.25.11", "2.25.12"]]
    assert len({item.sop_instance_uid for item in notes}) == 2


def _rejected(note: Dataset) -> list[str]:
    return [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in note.ContentSequence
        if "ReferencedSOPSequence" in item
    ]


def test_without_anything_sent_there_is_no_rejection_note() -> None:
    assert sorted(built(Notice(withdrawn="Deleted."))) == ["PDF", "SC", "SR"]


def test_a_report_that_stands_tells_what_was_corrected_first_behind_its_summary() -> None:
    objects = built(Notice(("The identification was corrected.",)), estimated=True)
    assert sorted(objects) == ["KOS", "PDF", "SC", "SR"]
    said = sentences(read(objects["SR"]))
    assert said[0] == estimate().model.warning
    behind = said.index("The identification was corrected.")
    assert said[behind - 1].startswith("Pre-capillary pulmonary hypertension: present")
