"""The colours of a PALETTE COLOR image (PS3.3 C.7.6.3.1.5 and C.7.6.3.1.6)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.elements import numbers
from inference.errors import LoopUnreadableError
from inference.ultrasound.pixel_format import PixelFormat
from inference.ultrasound.samples import to_8_bit

_COLOURS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def read_palette(header: Dataset, written: PixelFormat) -> NDArray[np.uint8]:
    """The RGB colour (values, 3) of every stored value from 0 to 2**bits - 1, taken as unsigned.

    Values before the first one that is mapped have its colour, those after the last one the last.

    Raises:
        LoopUnreadableError: the palette is missing or malformed.
    """
    try:
        count, first, bits = numbers(header, "RedPaletteColorLookupTableDescriptor")
        entries = int(count) % 2**16 or 2**16
        channels = [_channel(header, written, colour, entries, int(bits)) for colour in _COLOURS]
    except Exception as error:  # noqa: BLE001 - pydicom raises whatever the palette provokes
        message = f"the colour palette cannot be read ({type(error).__name__})"
        raise LoopUnreadableError(message) from None
    table = np.stack(channels, axis=-1)
    # Some write 8-bit entries into a palette that says 16 bits.
    colours = to_8_bit(table, 16 if table.max() > 255 else 8)
    values = np.arange(1 << written.bits_stored)
    if written.signed:
        half = 1 << (written.bits_stored - 1)
        values = (values ^ half) - half
        first = (int(first) + 2**15) % 2**16 - 2**15
    return colours[np.clip(values - int(first), 0, entries - 1)]


def _channel(
    header: Dataset, written: PixelFormat, colour: str, entries: int, bits: int
) -> NDArray[np.uint16]:
    order = "<" if written.little_endian else ">"
    data = _bytes(header, f"{colour}PaletteColorLookupTableData", order)
    if data:
        words = len(data) >= 2 * entries
        return np.frombuffer(data, f"{order}u2" if words else "u1", entries).astype(np.uint16)
    data = _bytes(header, f"Segmented{colour}PaletteColorLookupTableData", order)
    width_bytes = 2 if bits > 8 else 1
    segments = np.frombuffer(data, f"{order}u{width_bytes}", len(data) // width_bytes)
    return np.array(expand(segments.tolist(), width_bytes, entries), np.uint16)


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
