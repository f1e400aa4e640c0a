"""The colours of a PALETTE COLOR image (PS3.3 C.7.6.3.1.5 and C.7.6.3.1.6)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.elements import numbers
from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Samples, to_8_bit
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.exclusions import reason
from inference.types import Verdict

PALETTE_MISFIT = reason("PALETTE_MISFIT", "Colour palette does not fit the pixels")

_COLOURS = ("Red", "Green", "Blue")
#: A palette may leave out this share of the pixels, such as a mark.
_MOST_UNMAPPED = 0.01
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class StoredPalette:
    """A palette: `colours` (values, 3), RGB of every stored value taken as unsigned.

    `mapped` tells of each value whether it has an entry of its own. `notes` say what was put right.
    """

    colours: NDArray[np.uint8]
    mapped: NDArray[np.bool_]
    notes: tuple[str, ...] = ()

    def check(self, pictures: Sequence[Samples]) -> None:
        """Refuse a palette that does not have a colour for most of what some pictures show.

        Raises:
            InstanceExcludedError: it does not fit them.
        """
        last = len(self.mapped) - 1
        missed = [np.mean(~self.mapped[each & each.dtype.type(last)]) for each in pictures]
        share = float(np.mean(missed))
        if share > _MOST_UNMAPPED:
            detail = f"{share:.0%} of the pixels have no colour in the palette"
            raise InstanceExcludedError(Verdict("palette", False, detail), PALETTE_MISFIT)


def read_palette(header: Dataset, written: PixelFormat) -> StoredPalette:
    """The colours of every stored value from 0 to 2**bits - 1.

    Values before the first one that is mapped have its colour, those after the last one the last.
    Where the table is as long as stored values are many, and the descriptor says another number of
    entries, the table is believed.

    Raises:
        InstanceUnreadableError: the palette is missing or malformed.
    """
    try:
        stated, first, bits = numbers(header, "RedPaletteColorLookupTableDescriptor")
        entries = int(stated) % 2**16 or 2**16
        channels = [_channel(header, written, colour, entries, int(bits)) for colour in _COLOURS]
        table = np.stack(channels, axis=-1)
    except Exception as error:  # noqa: BLE001 - pydicom raises whatever the palette provokes
        message = f"the colour palette cannot be read ({type(error).__name__})"
        raise InstanceUnreadableError(message) from None
    notes = []
    if len(table) != entries:
        notes.append(f"The palette holds {len(table)} colours although it says {entries}.")
    # Some write 8-bit entries into a palette that says 16 bits.
    colours = to_8_bit(table, 16 if table.max() > 255 else 8)
    values = np.arange(1 << written.bits_stored)
    if written.signed:
        half = 1 << (written.bits_stored - 1)
        values = (values ^ half) - half
        first = (int(first) + 2**15) % 2**16 - 2**15
    places = values - int(first)
    mapped = (places >= 0) & (places < len(table))
    return StoredPalette(colours[np.clip(places, 0, len(table) - 1)], mapped, tuple(notes))


def _channel(
    header: Dataset, written: PixelFormat, colour: str, entries: int, bits: int
) -> NDArray[np.uint16]:
    order = "<" if written.little_endian else ">"
    data = _bytes(header, f"{colour}PaletteColorLookupTableData", order)
    if data:
        width_bytes, entries = _shape(len(data), entries, bits, 1 << written.bits_stored)
        kind = f"{order}u2" if width_bytes == 2 else "u1"
        return np.frombuffer(data, kind, entries).astype(np.uint16)
    data = _bytes(header, f"Segmented{colour}PaletteColorLookupTableData", order)
    width_bytes = 2 if bits > 8 else 1
    segments = np.frombuffer(data, f"{order}u{width_bytes}", len(data) // width_bytes)
    return np.array(expand(segments.tolist(), width_bytes, entries), np.uint16)


def _shape(length_bytes: int, entries: int, bits: int, values: int) -> tuple[int, int]:
    """The width of an entry in bytes, and how many there are, by the length of a table.

    Raises:
        ValueError: it is neither as long as stated nor as long as there are stored values.
    """
    possible = [(2, entries), (1, entries), (2, values)]
    if bits == 8:
        possible.append((1, values))
    for width_bytes, count in possible:
        if length_bytes == count * width_bytes + count * width_bytes % 2:
            return width_bytes, count
    raise ValueError("the table is of another length than its descriptor says")


def _bytes(header: Dataset, keyword: str, order: str) -> bytes:
    value = header.get(keyword)
    if isinstance(value, bytes):
        return value
    return np.array(numbers(header, keyword), f"{order}u2").tobytes()  # written as US, not OW


def expand(segments: Sequence[int], width_bytes: int, entries: int) -> list[int]:
    """The entries of a segmented palette (PS3.3 C.7.9.2), given by its words.

    Raises:
        ValueError, IndexError: the segments are not what the standard says, or too short.
    """
    values: list[int] = []
    position = 0
    while len(values) < entries:
        code, length = segments[position : position + 2]
        if code != _INDIRECT:
            position = _append(values, segments, position)
            continue
        offset = segments[position + 2 : position + 2 + 4 // width_bytes]
        bits = 8 * width_bytes
        at = sum(word << (bits * place) for place, word in enumerate(offset)) // width_bytes
        for _ in range(length):
            at = _append(values, segments, at)
            if len(values) >= entries:
                break
        position += 2 + len(offset)
    return values[:entries]


def _append(values: list[int], segments: Sequence[int], position: int) -> int:
    """Append the entries of one segment; the position of the next one."""
    code, length = segments[position : position + 2]
    body = position + 2
    if length == 0 or body >= len(segments):
        raise ValueError("a segment is empty")
    if code == _DISCRETE:
        values.extend(segments[body : body + length])
        return body + length
    if code != _LINEAR:
        raise ValueError("a segment is of no kind that may stand here")
    ramp = np.linspace(values[-1], segments[body], length + 1)[1:]
    values.extend(np.rint(ramp).astype(int).tolist())
    return body + 1
