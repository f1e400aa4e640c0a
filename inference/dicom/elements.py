"""Single elements of a header, read without ever raising on a malformed value."""

import math
from collections.abc import Sequence
from typing import Any

from pydicom import Dataset
from pydicom import Sequence as DicomSequence
from pydicom.multival import MultiValue


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
    found = (_finite(value) for value in _values(header, keyword))
    return tuple(number for number in found if number is not None)


def items(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; empty where absent or not a sequence."""
    return tuple(item for item in _values(header, keyword) if isinstance(item, Dataset))


def _values(header: Dataset, keyword: str) -> Sequence[Any]:
    try:
        value = header.get(keyword)
        if value is None or value == "":
            return ()
        if isinstance(value, MultiValue | DicomSequence | list | tuple):
            return list(value)
    except Exception:  # noqa: BLE001 - pydicom converts here and raises whatever the bytes provoke
        return ()
    return (value,)


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
