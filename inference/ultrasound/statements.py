"""What a header says in words of its examination, by attribute, nearest to the loop first.

Codes speak by their meaning; those of CPT that sites send with a meaning of their own, or none,
by their value.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydicom import Dataset

from inference.dicom.elements import items, text, texts
from inference.ultrasound.vocabulary import Vocabulary

#: CPT codes of echocardiography.
_CPT = {
    **dict.fromkeys(
        ("93303", "93304", "93306", "93307", "93308"), "transthoracic echocardiography"
    ),
    **dict.fromkeys(
        ("93312", "93313", "93314", "93315", "93316", "93317", "93318", "93355"),
        "transesophageal echocardiography",
    ),
    **dict.fromkeys(("93350", "93351"), "stress echocardiography"),
    **dict.fromkeys(("76825", "76826", "76827", "76828"), "fetal echocardiography"),
}
#: Where an order, a procedure step or a person says what is examined, nearest to the loop first.
_WRITTEN = (
    ("SeriesDescription", "Series Description"),
    ("ProtocolName", "Protocol Name"),
    ("PerformedProtocolCodeSequence", "Performed Protocol Code"),
    ("PerformedProcedureStepDescription", "Performed Procedure Step Description"),
    ("StudyDescription", "Study Description"),
    ("ProcedureCodeSequence", "Procedure Code"),
    ("RequestedProcedureDescription", "Requested Procedure Description"),
    ("RequestedProcedureCodeSequence", "Requested Procedure Code"),
)
_REQUESTED = (
    ("RequestedProcedureDescription", "Requested Procedure Description"),
    ("RequestedProcedureCodeSequence", "Requested Procedure Code"),
    ("ScheduledProcedureStepDescription", "Scheduled Procedure Step Description"),
    ("ScheduledProtocolCodeSequence", "Scheduled Protocol Code"),
)
#: What the cart is set to, or fills in by itself.
_SET = (
    ("ProcessingFunction", "Processing Function"),
    ("AnatomicRegionSequence", "Anatomic Region"),
    ("BodyPartExamined", "Body Part Examined"),
)
_TRANSDUCER = (
    ("TransducerType", "Transducer Type"),
    ("TransducerData", "Transducer Data"),
    ("TransducerApplicationCodeSequence", "Transducer Application"),
    ("TransducerGeometryCodeSequence", "Transducer Geometry"),
)
_STAGE = (
    ("StageName", "Stage Name"),
    ("StageCodeSequence", "Stage Code"),
)
_VIEW = (("ViewName", "View Name"),)


class Statement(NamedTuple):
    """The name of an attribute, and what it says."""

    attribute: str
    text: str


def written(header: Dataset) -> Iterator[Statement]:
    """What people and orders wrote."""
    yield from _of(header, _WRITTEN)
    for request in items(header, "RequestAttributesSequence"):
        yield from _of(request, _REQUESTED)


def set_by_cart(header: Dataset) -> Iterator[Statement]:
    """What the cart is set to: Image Type value 3 (PS3.3 C.8.5.6.1.1), preset, part of the body."""
    image_type = texts(header, "ImageType")
    if len(image_type) > 2 and image_type[2]:
        yield Statement("Image Type", image_type[2])
    yield from _of(header, _SET)


def of_transducer(header: Dataset) -> Iterator[Statement]:
    """Which transducer took it."""
    yield from _of(header, _TRANSDUCER)


def stage(header: Dataset) -> Iterator[Statement]:
    """The stage of a staged examination, and the view in it (PS3.3 C.8.5.8)."""
    yield from _of(header, (*_STAGE, *_VIEW))


def stages_only(header: Dataset) -> Iterator[Statement]:
    """The stage alone: views of a heart at rest are called "mid" and "low" as well."""
    yield from _of(header, _STAGE)


def saying(words: Vocabulary, statements: Iterable[Statement]) -> Iterator[str]:
    """Which statements hold one of these words, each quoted."""
    for attribute, said in statements:
        found = words.find(said)
        if found:
            yield quote(attribute, found)


def quote(attribute: str, word: str) -> str:
    """Such as `Study Description says "thyroid"`."""
    return f'{attribute} says "{word}"'


def _of(header: Dataset, attributes: tuple[tuple[str, str], ...]) -> Iterator[Statement]:
    for keyword, name in attributes:
        codes = items(header, keyword)
        said = [_meaning(code) for code in codes] if codes else texts(header, keyword)
        if any(said):
            yield Statement(name, " / ".join(said))


def _meaning(code: Dataset) -> str:
    """Code Meaning, and what the value of a CPT code means."""
    known = _CPT.get(text(code, "CodeValue"), "")
    return f"{text(code, 'CodeMeaning')} {known}".strip()
