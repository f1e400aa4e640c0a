"""The Structured Report in the three SOP classes a destination may take, all with one tree."""

from collections.abc import Iterator
from datetime import datetime
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from dicom_node.report import concepts, wording
from dicom_node.report.content import report_content
from dicom_node.report.context import (
    DocumentRef,
    NodeIdentity,
    Notice,
    Predecessor,
    StudyContext,
)
from dicom_node.report.encoding import settle
from dicom_node.report.header import ObjectSpec, encode, set_series, start
from dicom_node.report.items import concept
from dicom_node.report.references import evidence_sequence, sop_reference
from inference.types import Findings

#: Best first: what IHE AIR names, what echo PACS list, and what old archives still take.
SR_CLASSES = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)


def structured_reports(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
    predecessor: Predecessor | None,
    notice: Notice,
) -> Iterator[Dataset]:
    """One document for each class of SR_CLASSES (PS3.3 A.35), unverified and preliminary.

    The tree is encoded once: elements that pydicom has read but not touched are written as they
    are, which makes the second and third document nearly free.
    """
    best, *_ = SR_CLASSES
    document = start(_spec(best, findings, notice), study, identity, findings.model, made_at)
    _add_document_general(document, findings, study)
    document.update(report_content(findings, study, identity, predecessor, notice))
    settle(document)
    data = encode(document, identity)
    for sop_class_uid in SR_CLASSES:
        document = dcmread(BytesIO(data))
        set_series(document, _spec(sop_class_uid, findings, notice), study, findings.model)
        _add_predecessor(document, study, predecessor)
        yield document


def _spec(sop_class_uid: str, findings: Findings, notice: Notice) -> ObjectSpec:
    what = "AI, unverified" if notice.withdrawn is None else "AI, WITHDRAWN"
    return ObjectSpec(
        sop_class_uid=sop_class_uid,
        kind="SR",
        modality="SR",
        series_number=9001,
        series_description=wording.series_description(findings, what),
    )


def _add_document_general(document: Dataset, findings: Findings, study: StudyContext) -> None:
    """SR Document Series and General modules (PS3.3 C.17.1, C.17.2)."""
    document.ReferencedPerformedProcedureStepSequence = []
    document.CompletionFlag = "COMPLETE"
    document.PreliminaryFlag = "PRELIMINARY"
    document.VerificationFlag = "UNVERIFIED"
    document.PerformedProcedureCodeSequence = [concept(concepts.ECHOCARDIOGRAPHY)]
    instances = [item.instance for item in findings.evidence]
    instances += [item.instance for item in findings.exclusions]
    evidence = evidence_sequence(study.study_instance_uid, instances)
    if evidence:
        document.CurrentRequestedProcedureEvidenceSequence = evidence


def _add_predecessor(
    document: Dataset, study: StudyContext, predecessor: Predecessor | None
) -> None:
    """The earlier SR of the same class (0040,A360): the one that the same destination holds."""
    earlier = predecessor.documents if predecessor is not None else ()
    replaced = [ref for ref in earlier if ref.sop_class_uid == document.SOPClassUID]
    if replaced:
        document.PredecessorDocumentsSequence = [_predecessor(study, ref) for ref in replaced]


def _predecessor(study: StudyContext, ref: DocumentRef) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = ref.series_instance_uid
    series.ReferencedSOPSequence = [sop_reference(ref.sop_class_uid, ref.sop_instance_uid)]
    item = Dataset()
    item.StudyInstanceUID = study.study_instance_uid
    item.ReferencedSeriesSequence = [series]
    return item
