"""The Structured Report in the four SOP classes that a destination may take."""

from collections.abc import Iterator
from datetime import datetime
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
)

from dicom_node.report import wording
from dicom_node.report.basic_text import basic_text_content
from dicom_node.report.content import report_content
from dicom_node.report.context import NodeIdentity, Notice, Predecessor, StudyContext
from dicom_node.report.encoding import settle
from dicom_node.report.header import ObjectSpec, encode, set_series, start
from dicom_node.report.items import concept
from dicom_node.report.references import every_instance
from dicom_node.report.relations import add_evidence, add_predecessors, add_requests
from inference.types import Findings

#: The report with its numbers, best class first: what IHE AIR names, what cardiology PACS list,
#: and what old archives still take.
MEASURED_CLASSES = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)
#: The report in words, for what takes none of them.
TEXT_CLASSES = (BasicTextSRStorage,)


def structured_reports(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
    predecessor: Predecessor | None,
    notice: Notice,
    *,
    only_summary: bool = False,
) -> Iterator[Dataset]:
    """One document for each class (PS3.3 A.35), best first, unverified and preliminary.

    A tree is encoded once: elements that pydicom has read but not touched are written as they
    are, which makes the second and third document nearly free.
    """
    measured = report_content(
        findings, study, identity, predecessor, notice, only_summary=only_summary
    )
    in_words = basic_text_content(
        findings, study, identity, predecessor, notice, only_summary=only_summary
    )
    for content, classes in ((measured, MEASURED_CLASSES), (in_words, TEXT_CLASSES)):
        best, *_ = classes
        document = start(_spec(best, findings, notice), study, identity, findings.model, made_at)
        _add_document_general(document, findings, study)
        document.update(content)
        settle(document)
        data = encode(document, identity)
        for sop_class_uid in classes:
            document = dcmread(BytesIO(data))
            set_series(document, _spec(sop_class_uid, findings, notice), study, findings.model)
            add_predecessors(document, study, predecessor)
            yield document


def _spec(sop_class_uid: str, findings: Findings, notice: Notice) -> ObjectSpec:
    return ObjectSpec(
        sop_class_uid=sop_class_uid,
        kind="SR",
        modality="SR",
        series_number=9001,
        series_description=wording.series_description(findings, wording.kind_of(findings, notice)),
    )


def _add_document_general(document: Dataset, findings: Findings, study: StudyContext) -> None:
    """SR Document Series and General modules (PS3.3 C.17.1, C.17.2)."""
    document.ReferencedPerformedProcedureStepSequence = []
    document.CompletionFlag = "COMPLETE"
    document.PreliminaryFlag = "PRELIMINARY"
    document.VerificationFlag = "UNVERIFIED"
    document.PerformedProcedureCodeSequence = [concept(code) for code in study.procedures]
    add_requests(document, study)
    add_evidence(document, study, every_instance(findings))
