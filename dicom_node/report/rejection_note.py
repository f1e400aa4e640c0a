"""Our own rejection note: takes back at an archive what this node sent and no longer stands for."""

from collections.abc import Iterator
from datetime import datetime

from highdicom.sr import ContentItem
from pydicom import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_node.report import concepts, wording
from dicom_node.report.content import device_observer
from dicom_node.report.context import DocumentRef, NodeIdentity, Notice, StudyContext
from dicom_node.report.header import ObjectSpec, start
from dicom_node.report.items import (
    HAS_CONCEPT_MOD,
    code,
    composite,
    drop_names,
    image,
    root,
    text,
)
from dicom_node.report.references import is_image
from dicom_node.report.relations import add_evidence, add_requests
from dicom_node.report.uids import uid_of
from inference.types import Findings, InstanceRef


def rejection_note(
    notice: Notice,
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    made_at: datetime,
) -> Dataset:
    """A Key Object Selection (TID 2010) titled with the reason, over our own earlier objects.

    IHE RAD TF-2, RAD-66, as a Change Requester. `notice` has a `rejection` and objects to reject,
    all of one destination.
    """
    spec = ObjectSpec(
        sop_class_uid=KeyObjectSelectionDocumentStorage,
        kind="RN",
        modality="KO",
        series_number=9004,
        series_description=wording.series_description(findings, "AI, rejection note"),
    )
    (where,) = {item.destination for item in notice.rejects}
    document = start(spec, study, identity, findings.model, made_at)
    document.SOPInstanceUID = uid_of(document.SOPInstanceUID, where)
    document.ReferencedPerformedProcedureStepSequence = []
    add_requests(document, study)
    add_evidence(document, study, map(_instance, notice.rejects))
    assert notice.rejection is not None  # noqa: S101 - the caller's promise
    content = root(notice.rejection, "2010", _items(notice, findings, identity))
    drop_names(content, concepts.SOURCE)
    document.update(content)
    return document


def _items(notice: Notice, findings: Findings, identity: NodeIdentity) -> Iterator[ContentItem]:
    yield code(concepts.LANGUAGE, concepts.ENGLISH, HAS_CONCEPT_MOD)
    yield from device_observer(findings.model, identity)
    why = [notice.withdrawn] if notice.withdrawn is not None else notice.sentences
    yield text(concepts.KEY_OBJECT_DESCRIPTION, " ".join(why))
    for reference in notice.rejects:
        if is_image(reference.sop_class_uid):
            yield image(_instance(reference), concepts.SOURCE)
        else:
            yield composite(reference.sop_class_uid, reference.sop_instance_uid, concepts.SOURCE)


def _instance(reference: DocumentRef) -> InstanceRef:
    return InstanceRef(
        reference.sop_class_uid, reference.sop_instance_uid, reference.series_instance_uid
    )
