"""Look-up tables in the header (PS3.3 C.11.1, C.11.2)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.elements import items

Values = NDArray[np.float64]

_MOST_ENTRIES = 2**16


@dataclass(frozen=True, slots=True)
class LookUpTable:
    """The outputs for `first`, `first` + 1 and so on; inputs beyond an end take the end's."""

    first: int
    entries: Values

    def __call__(self, values: Values) -> Values:
        """The outputs for whole values, of the same shape."""
        places = np.rint(values).astype(np.int64) - self.first
        found: Values = self.entries[np.clip(places, 0, len(self.entries) - 1)]
        return found

    @property
    def white(self) -> float:
        """The greatest output that as many bits as the entries need can say.

        LUT Descriptor states the bits too, but 16 stand there above tables of fewer.
        """
        return float(max(1, 2 ** int(self.entries.max()).bit_length() - 1))


def read_table(header: Dataset, sequence: str, *, signed: bool) -> LookUpTable | None:
    """The first usable table of a sequence; None where there is none. Never raises.

    `signed` tells that its input values, and so the first of them in the descriptor, may be
    negative.
    """
    little_endian = header.original_encoding[1] is not False
    tables = (_read(item, signed, little_endian) for item in items(header, sequence))
    return next((table for table in tables if table is not None), None)


def _read(item: Dataset, signed: bool, little_endian: bool) -> LookUpTable | None:
    try:
        count, first, _ = (int(number) for number in item.LUTDescriptor)
        entries = _entries(item["LUTData"].value, count or _MOST_ENTRIES, little_endian)
    except Exception:  # noqa: BLE001 - absent or malformed in any way
        return None
    if entries is None:
        return None
    return LookUpTable(first - 2**16 if signed and first >= 2**15 else first, entries)


def _entries(data: Any, count: int, little_endian: bool) -> Values | None:
    """Entries of 8 or 16 bits; None where there are fewer than stated."""
    if isinstance(data, bytes):
        order = "<" if little_endian else ">"
        wide = len(data) >= 2 * count
        data = np.frombuffer(data, f"{order}u2" if wide else np.uint8, len(data) // (1 + wide))
    entries = np.atleast_1d(np.asarray(data, np.float64))
    return entries[:count] if 0 < count <= len(entries) else None
