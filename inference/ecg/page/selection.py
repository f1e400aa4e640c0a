"""Which pictures and documents may be ECG pages, by their header; their page has to show it.

Every rule has a name, a code of why an instance takes no part, and a sentence for the reader.
"""

import re
from collections.abc import Callable, Mapping

from pydicom import Dataset

from inference.dicom.elements import integer, items, text
from inference.dicom.header import instance_ref
from inference.exclusions import reason, rejection
from inference.types import Code, Selected, Selection, Verdict

DOCUMENT = "1.2.840.10008.5.1.4.1.1.104.1"
_PICTURES = ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.4")
PAGE_SOP_CLASS_UIDS = frozenset({DOCUMENT, *_PICTURES})

REASONS: Mapping[str, Code] = {
    "page": reason("NOT_ECG", "Not an ECG"),
    "single_frame": reason("SEVERAL_FRAMES", "More than one frame"),
    "original": reason("ANALYSIS_RESULT", "Result of an analysis, not an original"),
    "may_be_ecg": reason("NOT_ECG_PAGE", "Not an ECG page by its header"),
}

_ECG_MODALITIES = frozenset({"ECG", "HD", "EPS"})
#: Modalities of what was scanned or converted: they say nothing of what it shows.
_ANY_MODALITIES = frozenset({"", "OT", "SC", "DOC", "XC"})
_ECG_WORDS = re.compile(
    r"\b(ECGs?|EKGs?|electro-?cardio\w*|elektro-?kardio\w*|(12|twelve)[ -]?leads?)\b", re.IGNORECASE
)
_DESCRIPTIONS = ("DocumentTitle", "SeriesDescription", "ProtocolName", "StudyDescription")
_AI = "artificial intelligence"


def select(header: Dataset) -> Selection:
    """Judge one instance by its header; the first rule that fails is the reason. Never raises.

    The plan holds `document`: whether it is a PDF, not a picture.
    """
    instance = instance_ref(header)
    verdicts = tuple(rule(header) for rule in _RULES)
    if rejected := rejection(instance, verdicts, REASONS):
        return rejected
    return Selected(instance, verdicts, {"document": text(header, "SOPClassUID") == DOCUMENT})


def _page(header: Dataset) -> Verdict:
    uid = text(header, "SOPClassUID")
    what = "document" if uid == DOCUMENT else "picture"
    known = uid in PAGE_SOP_CLASS_UIDS
    return Verdict("page", known, what if known else "SOP class of another kind of object")


def _single_frame(header: Dataset) -> Verdict:
    frames = integer(header, "NumberOfFrames") or 1
    return Verdict("single_frame", frames == 1, f"{frames} frame{'s' if frames != 1 else ''}")


def _original(header: Dataset) -> Verdict:
    """No picture of ECGs that this node, or another analysis, has made of one."""
    made = any(
        _AI in text(item, "ContributionDescription").lower()
        for item in items(header, "ContributingEquipmentSequence")
    )
    return Verdict("original", not made, "made by an analysis" if made else "no analysis named")


def _may_be_ecg(header: Dataset) -> Verdict:
    modality = text(header, "Modality").upper()
    named = any(_ECG_WORDS.search(text(header, keyword)) for keyword in _DESCRIPTIONS)
    coded = any(
        _ECG_WORDS.search(text(item, "CodeMeaning"))
        for item in items(header, "ConceptNameCodeSequence")
    )
    if modality in _ECG_MODALITIES or named or coded:
        return Verdict("may_be_ecg", True, "named an ECG")
    detail = f"modality {modality or 'not stated'}, not named an ECG"
    return Verdict("may_be_ecg", modality in _ANY_MODALITIES, detail)


_RULES: tuple[Callable[[Dataset], Verdict], ...] = (_page, _single_frame, _original, _may_be_ecg)
