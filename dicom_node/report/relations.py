"""What a document says of the objects and orders around it (PS3.3 C.17.2, C.17.6, C.24.2)."""

from collections.abc import Iterable
from itertools import groupby

from pydicom import Dataset

from dicom_node.report import concepts
from dicom_node.report.context import DocumentRef, Predecessor, StudyContext
from dicom_node.report.references import evidence_of, sop_reference
from dicom_node.report.requested_procedures import referenced_requests
from inference.types import Code, Findings, InstanceRef


def procedures_reported(findings: Findings, study: StudyContext) -> tuple[Code, ...]:
    """The procedure as the source names it; TID 1500 asks for one at least.

    Where the source names none, no more is claimed than what the pipeline is certain of.
    """
    return study.procedures or (findings.words.procedure or concepts.IMAGING_PROCEDURE,)


def add_requests(document: Dataset, study: StudyContext) -> None:
    """The orders that the study answers (0040,A370), where its images name any."""
    items = referenced_requests(
        study.requested_procedures, study.study_instance_uid, study.accession_number
    )
    if items:
        document.ReferencedRequestSequence = items


def add_evidence(document: Dataset, study: StudyContext, instances: Iterable[InstanceRef]) -> None:
    """Name the instances of the study, and beside them those of other studies (PS3.3 C.17.2)."""
    by_uid = {instance.sop_instance_uid: instance for instance in instances}
    others = {uid: item for uid, item in by_uid.items() if uid in study.elsewhere}
    own = [item for uid, item in by_uid.items() if uid not in others]
    if own:
        document.CurrentRequestedProcedureEvidenceSequence = [
            evidence_of(study.study_instance_uid, own)
        ]
    if others:
        ordered = sorted(others, key=lambda uid: (study.elsewhere[uid], uid))
        document.PertinentOtherEvidenceSequence = [
            evidence_of(study_uid, [others[uid] for uid in members])
            for study_uid, members in groupby(ordered, key=lambda uid: study.elsewhere[uid])
        ]


def add_predecessors(
    document: Dataset, study: StudyContext, predecessor: Predecessor | None
) -> None:
    """The earlier one of the same class (0040,A360): the one that the same destination holds."""
    earlier = predecessor.documents if predecessor is not None else ()
    replaced = [ref for ref in earlier if ref.sop_class_uid == document.SOPClassUID]
    if replaced:
        document.PredecessorDocumentsSequence = [_document(study, ref) for ref in replaced]


def _document(study: StudyContext, ref: DocumentRef) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = ref.series_instance_uid
    series.ReferencedSOPSequence = [sop_reference(ref.sop_class_uid, ref.sop_instance_uid)]
    item = Dataset()
    item.StudyInstanceUID = study.study_instance_uid
    item.ReferencedSeriesSequence = [series]
    return item
