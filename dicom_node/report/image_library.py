"""The Image Library (TID 1600): every image of the study, analysed or not and why."""

from collections.abc import Iterator

from highdicom.sr import ContentItem, RelationshipTypeValues
from pydicom.sr.codedict import codes

from dicom_node.report import concepts, wording
from dicom_node.report.items import HAS_ACQ_CONTEXT, HAS_PROPERTIES, code, container, image, text
from dicom_node.report.references import is_image
from inference.types import Code, Findings, InstanceRef, by_relevance

#: CID 29 "Acquisition Modality" by the value of (0008,0060).
_MODALITIES = {
    coded.value: Code(coded.value, coded.scheme_designator, coded.meaning)
    for coded in (getattr(codes.cid29, keyword) for keyword in codes.cid29.dir())
}


def image_library(findings: Findings) -> list[ContentItem]:
    """The library with a group "analysed" and one "not analysed"; nothing where both are empty."""
    analysed = [
        image(item.instance, concepts.SOURCE, children=_description(item.instance, "analysed"))
        for item in by_relevance(findings.evidence)
    ]
    excluded = [
        image(
            item.instance,
            concepts.SOURCE,
            children=[
                *_description(item.instance, item.detail),
                code(concepts.EXCLUSION_REASON, item.reason, HAS_ACQ_CONTEXT),
            ],
        )
        for item in findings.exclusions
        if is_image(item.instance.sop_class_uid)
    ]
    groups = [
        container(concepts.IMAGE_LIBRARY_GROUP, entries)
        for entries in (analysed, excluded)
        if entries
    ]
    return [container(concepts.IMAGE_LIBRARY, groups)] if groups else []


def other_objects(findings: Findings) -> list[ContentItem]:
    """What is in the study but is no image, such as an ECG or an earlier SR, with its reason.

    The Image Library takes images only. These are told in words and referenced by the evidence
    sequence alone, since highdicom's reader fails on items that point at a waveform.
    """
    others = [
        text(
            concepts.COMMENT,
            f"{item.instance.modality or 'Object'}, {wording.loop_name(item.instance)}",
            children=[
                code(concepts.EXCLUSION_REASON, item.reason, HAS_PROPERTIES),
                *_remark(item.detail, HAS_PROPERTIES),
            ],
        )
        for item in findings.exclusions
        if not is_image(item.instance.sop_class_uid)
    ]
    return [container(concepts.OTHER_OBJECTS, others)] if others else []


def _description(instance: InstanceRef, detail: str) -> Iterator[ContentItem]:
    modality = _MODALITIES.get(instance.modality)
    if modality is not None:
        yield code(concepts.MODALITY, modality, HAS_ACQ_CONTEXT)
    yield from _remark(wording.loop_name(instance), HAS_ACQ_CONTEXT)
    yield from _remark(detail, HAS_ACQ_CONTEXT)


def _remark(words: str, relationship: RelationshipTypeValues) -> Iterator[ContentItem]:
    if words:
        yield text(concepts.COMMENT, words, relationship)
