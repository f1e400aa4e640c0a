"""The images of the study: what was analysed (TID 1600), and what was not and why."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from highdicom.sr import ContentItem
from pydicom.sr.codedict import codes

from dicom_node.report import concepts, wording
from dicom_node.report.items import HAS_ACQ_CONTEXT, code, container, image, text
from dicom_node.report.references import is_image
from inference.types import Code, Evidence, Exclusion, Findings, by_relevance

#: CID 29 "Acquisition Modality" by the value of (0008,0060).
_MODALITIES = {
    coded.value: Code(coded.value, coded.scheme_designator, coded.meaning)
    for coded in (getattr(codes.cid29, keyword) for keyword in codes.cid29.dir())
}


def image_library(findings: Findings) -> ContentItem:
    """The images that were analysed, one line each; an empty library where none was.

    Readers of TID 1500 (OHIF, dcmjs) fail where there is no library at all.
    """
    ranked = by_relevance(findings.evidence)
    analysed = [item for item in ranked if is_image(item.instance.sop_class_uid)]
    by_modality = groupby(analysed, key=lambda item: item.instance.modality)
    groups = []
    for modality, members in by_modality:
        known = _MODALITIES.get(modality)
        shared = [code(concepts.MODALITY, known, HAS_ACQ_CONTEXT)] if known else []
        entries = [
            image(
                item.instance,
                concepts.SOURCE,
                children=[text(concepts.COMMENT, _line(item), HAS_ACQ_CONTEXT)],
            )
            for item in members
        ]
        groups.append(container(concepts.IMAGE_LIBRARY_GROUP, [*shared, *entries]))
    return container(concepts.IMAGE_LIBRARY, groups)


def _line(item: Evidence) -> str:
    """Such as "instance 12 (PA), weight 0.31; left border cut off"."""
    name = wording.listed([wording.instance_name(item.instance), wording.weight(item)])
    return "; ".join([name, *filter(None, item.notes)])


def not_analysed(findings: Findings) -> list[ContentItem]:
    """What was not analysed, one container for each reason, the most frequent first.

    What is no image, such as an ECG or an earlier SR, is told in words and referenced by the
    evidence sequence alone, since highdicom's reader fails on items that point at a waveform.
    """
    by_reason: dict[Code, list[Exclusion]] = {}
    for item in findings.exclusions:
        by_reason.setdefault(item.reason, []).append(item)
    ordered = sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0].meaning))
    groups = [container(reason, _excluded(members)) for reason, members in ordered]
    return [container(concepts.NOT_ANALYSED, groups)] if groups else []


def _excluded(members: Sequence[Exclusion]) -> Iterator[ContentItem]:
    """A line for each detail with the instances that it is said of, then the references."""
    by_detail: dict[str, list[Exclusion]] = {}
    for item in members:
        by_detail.setdefault(item.detail, []).append(item)
    for detail, alike in by_detail.items():
        names = "; ".join(_name(item) for item in alike)
        said = f"{len(alike)} x {detail}" if detail else f"{len(alike)}"
        yield text(concepts.COMMENT, f"{said}: {names}")
    for item in members:
        if is_image(item.instance.sop_class_uid):
            yield image(item.instance, concepts.SOURCE)


def _name(item: Exclusion) -> str:
    instance = item.instance
    name = wording.instance_name(instance)
    if is_image(instance.sop_class_uid):
        return name
    return f"{instance.modality or 'object'}, {name}"
