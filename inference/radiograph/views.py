"""Which projection a film says it is (PS3.3 C.8.7.1, C.8.11.1; PS3.16 CID 4010)."""

import re
from enum import StrEnum

from pydicom import Dataset

from inference.dicom.elements import items, text


class View(StrEnum):
    """What decides whether a film can take part."""

    PA = "PA"
    AP = "AP"
    FRONTAL = "frontal"
    """PA or AP, without saying which."""
    LATERAL = "lateral"
    OTHER = "oblique, lying on a side or angled"
    UNKNOWN = "not stated"


#: By SNOMED CT, and by the SNOMED RT identifiers that stood in CID 4010 before.
_BY_CODE = {
    **dict.fromkeys(("272479007", "R-10214", "R-40888"), View.PA),
    **dict.fromkeys(("399348003", "R-10206"), View.AP),
    **dict.fromkeys(("399033003", "R-10202"), View.FRONTAL),
    **dict.fromkeys(("399067008", "399173006", "399198007"), View.LATERAL),
    **dict.fromkeys(("R-102CD", "R-10236", "R-10232"), View.LATERAL),
}
_WORDS = {
    "PA": View.PA,
    "AP": View.AP,
    "FRONTAL": View.FRONTAL,
    **dict.fromkeys(("LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT"), View.LATERAL),
}
#: Words that make another projection of what stands beside them ("AP LLD", "AP AXIAL").
_OTHERWISE = frozenset(
    {"LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "OBL", "OBLIQUE"}
    | {"DECUBITUS", "DECUB", "AXIAL", "LORDOTIC", "SWIMMERS"}
)


def stated_view(header: Dataset) -> View:
    """By View Code Sequence, else by View Position. Never raises."""
    for code in items(header, "ViewCodeSequence"):
        value = text(code, "CodeValue")
        if value:
            return _BY_CODE.get(value, View.OTHER)
    words = re.findall(r"[A-Z]+", text(header, "ViewPosition").upper())
    if _OTHERWISE.intersection(words):
        return View.OTHER
    return next((_WORDS[word] for word in words if word in _WORDS), View.UNKNOWN)
