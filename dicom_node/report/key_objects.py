"""The Key Object Selection: the images worth a second look, for viewers that jump to them."""

from collections.abc import Sequence
from datetime import datetime

from pydicom import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_node.report import concepts, wording
from dicom_node.report.content import device_observer
from dicom_node.report.context import NodeIdentity, StudyContext
from dicom_node.report.header import ObjectSpec, start
from dicom_node.report.items import (
    HAS_CONCEPT_MOD,
    code,
    drop_names,
    image,
    root,
    text,
)
from dicom_node.report.references import is_image
from dicom_node.report.relations import add_evidence, add_requests
from inference.types import Evidence, Findings

#: More than this is no selection any more.
MOST_IMAGES = 6


def key_object_selection(
    findings: Findings, study: StudyContext, identity: NodeIdentity, made_at: datetime
) -> Dataset | None:
    """The relevant images, best first (TID 2010, "Of Interest"); None where there is none.

    They are of the report's own study: a document that names others must be stored in each of them
    too (PS3.3 table C.17.6-2).
    """
    shown = _shown(findings, study)
    instances = [item.instance for item in shown]
    if not instances:
        return None
    spec = ObjectSpec(
        sop_class_uid=KeyObjectSelectionDocumentStorage,
        kind="KOS",
        modality="KO",
        series_number=9002,
        series_description=wording.series_description(findings, f"AI key {findings.words.nouns}"),
    )
    document = start(spec, study, identity, findings.model, made_at)
    document.ReferencedPerformedProcedureStepSequence = []
    add_requests(document, study)
    add_evidence(document, study, instances)
    content = root(
        concepts.KEY_OBJECT_TITLE,
        "2010",
        [
            code(concepts.LANGUAGE, concepts.ENGLISH, HAS_CONCEPT_MOD),
            *device_observer(findings.model, identity),
            text(concepts.KEY_OBJECT_DESCRIPTION, _description(findings, shown)),
            *(image(instance, concepts.SOURCE) for instance in instances),
        ],
    )
    drop_names(content, concepts.SOURCE)
    document.update(content)
    return document


def _shown(findings: Findings, study: StudyContext) -> list[Evidence]:
    shown = wording.shown_evidence(findings, MOST_IMAGES)
    images = (item for item in shown if is_image(item.instance.sop_class_uid))
    return [item for item in images if item.instance.sop_instance_uid not in study.elsewhere]


def _description(findings: Findings, shown: Sequence[Evidence]) -> str:
    nouns = wording.nouns(findings)
    lines = [
        findings.model.warning,
        f"{wording.NOT_VERIFIED}.",
        f"{nouns} that mattered most, best first, of {len(findings.evidence)} analysed:",
    ]
    lines += [_line(item) for item in shown]
    return "\r\n".join(lines)


def _line(item: Evidence) -> str:
    told = wording.listed([wording.weight(item), wording.strangeness(item)])
    return ": ".join(filter(None, [wording.instance_name(item.instance), told]))
