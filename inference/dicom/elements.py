"""Single elements of a header, read without ever raising on a malformed value."""

import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from pydicom import Dataset
from pydicom import Sequence as DicomSequence
from pydicom.datadict import dictionary_description, dictionary_VR
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

#: A decimal comma where a Decimal String has a point (PS3.5 6.2), as some local settings write it.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")


def text(header: Dataset, keyword: str) -> str:
    """The value as stripped text, the first of several; empty where absent or malformed."""
    values = _values(header, keyword)
    return str(values[0]).strip(" \0") if values else ""


def texts(header: Dataset, keyword: str) -> tuple[str, ...]:
    """All values as stripped text, in their order; empty where absent or malformed."""
    return tuple(
        str(value).strip(" \0")
        for value in _values(header, keyword)
        if not isinstance(value, Dataset)
    )


def integer(header: Dataset, keyword: str) -> int | None:
    """The value as a whole number, the first of several; None where it is not one."""
    values = _values(header, keyword)
    number = _finite(values[0]) if values else None
    return int(number) if number is not None and number.is_integer() else None


def numbers(header: Dataset, keyword: str) -> tuple[float, ...]:
    """All values that are finite numbers, in their order."""
    values = _values(header, keyword)
    if not values or not all(map(_is_number, values)):
        values = _with_points(_written(header, keyword)) or values
    found = (_finite(value) for value in values)
    return tuple(number for number in found if number is not None)


def number(header: Dataset, keyword: str, otherwise: float) -> float:
    """The first value that is a finite number; `otherwise` without any."""
    return next(iter(numbers(header, keyword)), otherwise)


def data(header: Dataset, keyword: str) -> bytes:
    """The value as bytes; empty where absent or malformed."""
    values = _values(header, keyword)
    return values[0] if values and isinstance(values[0], bytes) else b""


def decimal_commas(header: Dataset, keywords: Iterable[str]) -> tuple[str, ...]:
    """The names of those attributes whose numbers are written with a decimal comma."""
    return tuple(
        dictionary_description(keyword)
        for keyword in keywords
        if any(_DECIMAL_COMMA.fullmatch(value) for value in _written(header, keyword))
    )


def items(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; empty where absent or not a sequence."""
    return tuple(item for item in _values(header, keyword) if isinstance(item, Dataset))


def _values(header: Dataset, keyword: str) -> Sequence[Any]:
    try:
        if _tag(keyword) not in header:  # most are not: pydicom takes its time to say so
            return ()
        value = header.get(keyword)
        if value is None or value == "":
            return ()
        if isinstance(value, MultiValue | DicomSequence | list | tuple):
            return list(value)
    except Exception:  # noqa: BLE001 - pydicom converts here and raises whatever the bytes provoke
        return ()
    return (value,)


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def _is_number(value: Any) -> bool:
    return _finite(value) is not None


def _with_points(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        value.replace(",", ".") if _DECIMAL_COMMA.fullmatch(value) else value for value in values
    )


def _written(header: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of a Decimal String as they are written, stripped; empty for anything else."""
    if dictionary_VR(keyword) != "DS":
        return ()
    try:
        value = header.get_item(keyword).value
        if isinstance(value, bytes):
            value = value.decode("ascii").split("\\")
    except Exception:  # noqa: BLE001 - absent, or no text
        return ()
    several = value if isinstance(value, MultiValue | list) else [value]
    return tuple(str(each).strip(" \0") for each in several)


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
