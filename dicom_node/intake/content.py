"""Whether two files under one SOP Instance UID are the same instance by another route.

A PACS sends an instance in another transfer syntax, a router stamps a private element or its AE
title: other bytes, the same content. Compared is all that matters, element by element, and the
pixels as they look. Only what can be told within bounds of size and time is told.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag
from pydicom.uid import UID

from dicom_node.intake.pixel_content import Pixels, look_the_same
from inference.dicom.part10 import HEADER_LIMIT_BYTES, open_part10
from inference.errors import InstanceUnreadableError

#: An instance that is larger is not compared; the largest cines of carts have a tenth of it.
LARGEST_BYTES = 2 << 30
#: The sender waits meanwhile, no longer than this.
LONGEST_S = 10.0
_MOST_DEPTH = 16

#: What whoever stores, sends or decompresses an instance may add or change (PS3.3 C.12.1 and
#: C.7.6.3, PS3.4 C.4): it says nothing about the examination.
_BOOKKEEPING = frozenset(
    {
        0x00080001,  # Length to End
        0x00080005,  # Specific Character Set: values are compared as text
        0x00080015,  # Instance Coercion DateTime
        0x00080052,  # Query/Retrieve Level
        0x00080054,  # Retrieve AE Title
        0x00080056,  # Instance Availability
        0x00080057,  # Station AE Title
        0x00080201,  # Timezone Offset From UTC
        0x00081190,  # Retrieve URL
        0x0018A001,  # Contributing Equipment Sequence
        0x00201206,  # Number of Study Related Series
        0x00201208,  # Number of Study Related Instances
        0x00201209,  # Number of Series Related Instances
        0x00280004,  # Photometric Interpretation
        0x00280006,  # Planar Configuration
        0x00280106,  # Smallest Image Pixel Value
        0x00280107,  # Largest Image Pixel Value
        0x00282110,  # Lossy Image Compression
        0x00282112,  # Lossy Image Compression Ratio
        0x00282114,  # Lossy Image Compression Method
        0x00880130,  # Storage Media File-set ID
        0x00880140,  # Storage Media File-set UID
        0x00880200,  # Icon Image Sequence
        0x04000500,  # Encrypted Attributes Sequence
        0x04000561,  # Original Attributes Sequence
        0x4FFE0001,  # MAC Parameters Sequence
        0x7FE00001,  # Extended Offset Table
        0x7FE00002,  # Extended Offset Table Lengths
        0xFFFAFFFA,  # Digital Signatures Sequence
        0xFFFCFFFC,  # Data Set Trailing Padding
    }
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One element that two files do not have alike: its keyword, and its values as text."""

    keyword: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What sets two files apart; None where it cannot be told.

    `routes` says, in words, what differs that does not matter.
    """

    differences: tuple[Difference, ...]
    pixels_differ: bool
    routes: tuple[str, ...]


class UndecidedError(Exception):
    """It cannot be told, or not within the bounds."""


def compare(stored: Path, other: Path) -> Comparison | None:
    """Compare the content of two files in the spool; None: it cannot be told.

    Raises:
        OSError: a file cannot be read.
    """
    deadline = time.monotonic() + LONGEST_S
    if max(stored.stat().st_size, other.stat().st_size) > LARGEST_BYTES:
        return None
    try:
        with (
            open_part10(stored, inflated_limit_bytes=HEADER_LIMIT_BYTES) as one,
            open_part10(other, inflated_limit_bytes=HEADER_LIMIT_BYTES) as two,
        ):
            differences = tuple(_differences(one.header, two.header))
            routes = tuple(_routes(one.header, two.header))
            pixels = Pixels(stored, one), Pixels(other, two)
            same = look_the_same(*pixels, deadline)
    except (UndecidedError, InstanceUnreadableError):
        return None
    return None if same is None else Comparison(differences, not same, routes)


def _differences(one: Dataset, other: Dataset) -> Iterator[Difference]:
    for tag in sorted(_tags(one) | _tags(other)):
        before, after = _element(one, tag), _element(other, tag)
        values = _value(before), _value(after)
        if values[0] != values[1]:
            known = before if before is not None else after
            keyword = (known.keyword if known is not None else "") or str(tag)
            yield Difference(keyword, _text(values[0]), _text(values[1]))


def _tags(dataset: Dataset) -> set[BaseTag]:
    return {tag for tag in dataset.keys() if _matters(tag)}  # noqa: SIM118 - by tags


def _matters(tag: BaseTag) -> bool:
    is_length = tag.element == 0
    return not (tag.is_private or is_length or int(tag) in _BOOKKEEPING or tag.group <= 2)


def _element(dataset: Dataset, tag: BaseTag) -> DataElement | None:
    """An element with its value converted.

    Raises:
        UndecidedError: it is too large to be compared, or makes no sense.
    """
    if tag not in dataset:
        return None
    raw = dataset.get_item(tag)
    if isinstance(raw, RawDataElement) and raw.value is None and raw.length:
        raise UndecidedError  # left on disk for its size
    try:
        return dataset[tag]
    except Exception as error:  # pydicom raises nearly anything on a damaged value
        raise UndecidedError from error


def _value(element: DataElement | None, depth: int = 0) -> Any:
    """A value that can be compared; what is empty is as good as absent."""
    value = None if element is None else element.value
    if depth > _MOST_DEPTH:
        raise UndecidedError
    if isinstance(value, Items):
        items = [_item(item, depth + 1) for item in value]
        return items or None
    if isinstance(value, MultiValue | list | tuple):
        return [_single(each) for each in value] or None
    return _single(value)


def _item(item: Dataset, depth: int) -> dict[int, Any]:
    values = {int(tag): _value(_element(item, tag), depth) for tag in _tags(item)}
    return {tag: value for tag, value in values.items() if value is not None}


def _single(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.rstrip(b"\0 ") or None
    if value is None or isinstance(value, int | float):
        return None if value is None else float(value)
    text = str(value).strip(" \0")
    if "^" in text or "=" in text:  # what ends a name emptily means nothing (PS3.5 6.2.1.1)
        text = "=".join(group.rstrip("^ ") for group in text.split("=")).rstrip("=")
    return text or None


def _text(value: Any) -> str:
    """For the audit: short, and nothing of a sequence's insides."""
    if value is None:
        return ""
    if isinstance(value, list):
        is_sequence = any(isinstance(each, dict) for each in value)
        return f"{len(value)} item(s)" if is_sequence else "\\".join(map(str, value))[:200]
    return str(value)[:200] if not isinstance(value, bytes) else f"{len(value)} bytes"


def _routes(one: Dataset, other: Dataset) -> Iterator[str]:
    syntaxes = [_syntax(dataset) for dataset in (one, other)]
    if syntaxes[0] != syntaxes[1]:
        yield f"transfer syntax {syntaxes[1].name} instead of {syntaxes[0].name}"
    changed = [_raw(one, tag) != _raw(other, tag) for tag in _private(one) | _private(other)]
    if any(changed):
        yield "private elements"
    stamped = [tag for tag in _BOOKKEEPING if (tag in one) != (tag in other)]
    if stamped:
        yield "elements of storing and sending"


def _syntax(dataset: Dataset) -> UID:
    meta: Any = getattr(dataset, "file_meta", None)
    return UID(str(meta.get("TransferSyntaxUID", "")) if meta is not None else "")


def _private(dataset: Dataset) -> set[BaseTag]:
    return {tag for tag in dataset.keys() if tag.is_private}  # noqa: SIM118 - by tags


def _raw(dataset: Dataset, tag: BaseTag) -> Any:
    element = dataset.get_item(tag) if tag in dataset else None
    return getattr(element, "value", None)
