"""What the header of a stranger says: as text, and as the bytes it was said with."""

import re
from collections.abc import Callable, Collection

from pydicom import Dataset
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag
from pydicom.valuerep import PersonName

from dicom_node.report.character_sets import CharacterSet, are_defined

#: No letters, yet pydicom leaves them in the text: zeros, and the escape that it does not know,
#: always so with GB 2312, which it announces (PS3.5 annex K).
_NO_LETTERS = re.compile(r"\x1b(\$\)A)?|\0")


def text_of(header: Dataset, keyword: str, valid: Callable[[str], object] | None = None) -> str:
    """A value without padding; "" where it is absent, unreadable or not `valid`.

    Empty components and groups at the end of a name mean nothing (PS3.5 section 6.2.1.1).
    """
    try:
        value = header.get(keyword)
    except Exception:  # noqa: BLE001 - pydicom raises whatever the stranger's bytes lead it to
        return ""
    if value is None:
        return ""
    parts = value if hasattr(value, "append") else [value]
    text = "\\".join(_words(part) for part in parts)
    return text if valid is None or valid(text) else ""


def _words(value: object) -> str:
    text = _NO_LETTERS.sub("", str(value)).strip(" ")
    if isinstance(value, PersonName):
        text = "=".join(group.rstrip("^ ") for group in text.split("=")).rstrip("=")
    return text


def items_of(header: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is absent or unreadable."""
    try:
        return [item for item in header.get(keyword) or [] if isinstance(item, Dataset)]
    except Exception:  # noqa: BLE001 - as above
        return []


def character_set_of(header: Dataset) -> CharacterSet | None:
    """The character set that a header names; None where it is none of DICOM's."""
    text = text_of(header, "SpecificCharacterSet")
    terms = tuple(term.strip() for term in text.split("\\")) if text else ()
    return terms if are_defined(terms) else None


def bytes_of(header: Dataset, keywords: Collection[str]) -> dict[str, bytes]:
    """Keyword -> bytes as they were received, of what has any; ask before a value is looked at.

    Zeros at the end, which are no padding of text (PS3.5 section 6.2), become spaces.
    """
    received: dict[str, bytes] = {}
    for keyword in keywords:
        element = header.get_item(Tag(keyword)) if keyword in header else None
        if isinstance(element, RawDataElement) and element.value:
            value = bytes(element.value)
            text = value.rstrip(b"\0")
            padded = text.ljust(len(value) + len(value) % 2)
            if padded.strip():
                received[keyword] = padded
    return received


def put(dataset: Dataset, keyword: str, value: str) -> None:
    """Write a value of the source unchecked: pydicom's warnings about it would repeat it."""
    tag = Tag(keyword)
    dataset.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))


def put_bytes(dataset: Dataset, keyword: str, value: bytes) -> None:
    """Write a value of the source with its own bytes; the dataset has its character set."""
    tag = Tag(keyword)
    raw = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)
    dataset[tag] = raw


def is_date(text: str) -> object:
    """DA, PS3.5 section 6.2: YYYYMMDD."""
    return re.fullmatch(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", text)


def is_time(text: str) -> object:
    """TM, PS3.5 section 6.2: HH[MM[SS[.F{1,6}]]]."""
    return re.fullmatch(
        r"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?(?<=\d{6})(\.\d{1,6})?|[0-5]\d)?", text
    )


def is_offset(text: str) -> object:
    """(0008,0201), PS3.3 C.12.1.1.8: &ZZXX from -1200 to +1400."""
    return re.fullmatch(r"[+-](0\d|1[0-4])[0-5]\d", text)
