"""The Image Library (TID 1600): every image of the study, analysed or not and why."""

from collections.abc import Iterator

from highdicom.sr import ContentItem
from pydicom.sr.codedict import codes

from dicom_node.report import concepts, wording
from dicom_node.report.items import HAS_ACQ_CONTEXT, code, container, reference, text
from dicom_node.report.references import ReferenceType, reference_type
from inference.types import Code, Exclusion, Findings, InstanceRef, by_relevance

#: CID 29 "Acquisition Modality" by the value of (0008,0060).
_MODALITIES = {
    coded.value: Code(coded.value, coded.scheme_designator, coded.meaning)
    for coded in (getattr(codes.cid29, keyword) for keyword in codes.cid29.dir())
}


def image_library(findings: Findings) -> list[ContentItem]:
    """The library with a group "analysed" and one "not analysed"; nothing where both are empty."""
    analysed = [
        reference(item.instance, concepts.SOURCE, children=_description(item.instance, "analysed"))
        for item in by_relevance(findings.evidence)
    ]
    excluded = [_excluded(item) for item in findings.exclusions if _is_image(item)]
    groups = [
        container(concepts.IMAGE_LIBRARY_GROUP, entries)
        for entries in (analysed, excluded)
        if entries
    ]
    return [container(concepts.IMAGE_LIBRARY, groups)] if groups else []


def other_objects(findings: Findings) -> list[ContentItem]:
    """What is in the study but is no image, such as an ECG or an earlier SR, with its reason.

    The Image Library takes images only, so these stand in a container of their own.
    """
    others = [_excluded(item) for item in findings.exclusions if not _is_image(item)]
    return [container(concepts.OTHER_OBJECTS, others)] if others else []


def _excluded(exclusion: Exclusion) -> ContentItem:
    return reference(
        exclusion.instance,
        concepts.SOURCE,
        children=[
            *_description(exclusion.instance, exclusion.detail),
            code(concepts.EXCLUSION_REASON, exclusion.reason, HAS_ACQ_CONTEXT),
        ],
    )


def _description(instance: InstanceRef, detail: str) -> Iterator[ContentItem]:
    modality = _MODALITIES.get(instance.modality)
    if modality is not None:
        yield code(concepts.MODALITY, modality, HAS_ACQ_CONTEXT)
    for remark in filter(None, (wording.loop_name(instance), detail)):
        yield text(concepts.COMMENT, remark, HAS_ACQ_CONTEXT)


def _is_image(exclusion: Exclusion) -> bool:
    return reference_type(exclusion.instance.sop_class_uid) is ReferenceType.IMAGE
