"""The page as a DICOM document: for archives and viewers that know PDF better than SR."""

from datetime import datetime

from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from dicom_node.report import concepts, wording
from dicom_node.report.context import NodeIdentity, Notice, Predecessor, StudyContext
from dicom_node.report.header import ObjectSpec, start
from dicom_node.report.items import concept
from dicom_node.report.page import report_page
from dicom_node.report.references import sop_reference
from dicom_node.report.relations import add_predecessors
from inference.types import Findings


def encapsulated_pdf(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
    predecessor: Predecessor | None,
    notice: Notice,
) -> Dataset:
    """An Encapsulated PDF (PS3.3 A.45.1) that names all that it rests on as its source."""
    spec = ObjectSpec(
        sop_class_uid=EncapsulatedPDFStorage,
        kind="PDF",
        modality="DOC",
        series_number=9005,
        series_description=wording.series_description(findings, wording.kind_of(findings, notice)),
    )
    document = start(spec, study, identity, findings.model, made_at)
    document.ConversionType = "SYN"
    document.AcquisitionDateTime = None
    document.BurnedInAnnotation = "YES"
    document.RecognizableVisualFeatures = "NO"
    document.DocumentTitle = spec.series_description
    document.ConceptNameCodeSequence = [concept(concepts.TEXT_REPORT_TITLE)]
    document.VerificationFlag = "UNVERIFIED"
    sources = [item.instance for item in findings.evidence]
    if sources:
        document.SourceInstanceSequence = [
            sop_reference(source.sop_class_uid, source.sop_instance_uid) for source in sources
        ]
    add_predecessors(document, study, predecessor)
    page = report_page(findings, study, identity, made_at, predecessor, notice)
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocumentLength = len(page)
    document.EncapsulatedDocument = page + b"\0" * (len(page) % 2)
    return document
