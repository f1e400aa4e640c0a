"""Codes of the source, such as those of its orders: carried on where they are well formed.

A site may have coding schemes of its own (99RIS). An object that uses such a code must declare the
scheme in Coding Scheme Identification Sequence (0008,0110); see PS3.16 chapter 8 and PS3.3 C.12.1.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydicom import Dataset

from dicom_node.report.character_sets import every
from dicom_node.report.concepts import PRIVATE_SCHEME as _OWN
from dicom_node.report.source import items_of, put, text_of
from inference.types import Code

#: What U+FFFD stands for did not decode; half a word is no word. Backslashes separate values.
_NO_WORD = re.compile("[\N{REPLACEMENT CHARACTER}\\\\\x00-\x1f\x7f-\x9f]")
_LONGEST_SCHEME, _LONGEST_MEANING, _LONGEST_VALUE = 16, 64, 1024
_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")
_UID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")


@dataclass(frozen=True, slots=True)
class CodingScheme:
    """How a source declares a coding scheme; "" where it does not say."""

    designator: str
    uid: str = ""
    name: str = ""
    organization: str = ""


def word_of(item: Dataset, keyword: str) -> str:
    """A text of the source that may stand in an object of ours; "" where it may not."""
    text = text_of(item, keyword)
    return "" if _NO_WORD.search(text) else text


def codes_of(item: Dataset, keyword: str) -> tuple[Code, ...]:
    """The well-formed codes of a sequence, each once; the others are left out."""
    found = (_code(each) for each in items_of(item, keyword))
    return tuple(dict.fromkeys(code for code in found if code is not None))


def meanings_of(item: Dataset, keyword: str) -> str:
    """What the codes of a sequence mean, in words, well formed or not."""
    found = (word_of(each, "CodeMeaning") for each in items_of(item, keyword))
    return ", ".join(dict.fromkeys(filter(None, found)))


def coding_schemes_of(header: Dataset) -> tuple[CodingScheme, ...]:
    """The coding schemes that a source declares."""
    return tuple(
        CodingScheme(
            designator=designator,
            uid=uid if _UID.fullmatch(uid) and len(uid) <= 64 else "",
            name=word_of(item, "CodingSchemeName"),
            organization=word_of(item, "CodingSchemeResponsibleOrganization"),
        )
        for item in items_of(header, "CodingSchemeIdentificationSequence")
        if 0 < len(designator := word_of(item, "CodingSchemeDesignator")) <= _LONGEST_SCHEME
        for uid in [word_of(item, "CodingSchemeUID")]
    )


def codes_in(thing: object) -> Iterator[Code]:
    """Every code in a value and in what it is made of."""
    return every(Code, thing)


def declarations(used: Iterable[Code], known: Sequence[CodingScheme]) -> list[Dataset]:
    """Items of (0008,0110) for the private schemes of codes but our own, told as they are known."""
    by_designator = {scheme.designator: scheme for scheme in known}
    private = sorted({code.scheme for code in used if code.scheme.startswith("99")} - {_OWN})
    return [_declaration(by_designator.get(each, CodingScheme(each))) for each in private]


def _code(item: Dataset) -> Code | None:
    value = next(filter(None, (word_of(item, keyword) for keyword in _VALUES)), "")
    scheme, meaning = word_of(item, "CodingSchemeDesignator"), word_of(item, "CodeMeaning")
    fits = len(value) <= _LONGEST_VALUE and len(scheme) <= _LONGEST_SCHEME
    if value and scheme and meaning and fits and len(meaning) <= _LONGEST_MEANING:
        return Code(value, scheme, meaning)
    return None


def _declaration(scheme: CodingScheme) -> Dataset:
    item = Dataset()
    for keyword, value in (
        ("CodingSchemeDesignator", scheme.designator),
        ("CodingSchemeUID", scheme.uid),
        ("CodingSchemeName", scheme.name),
        ("CodingSchemeResponsibleOrganization", scheme.organization),
    ):
        if value:
            put(item, keyword, value)
    return item
