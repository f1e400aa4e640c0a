"""JPEG 2000 frames, high throughput (Part 15) included: their header, and decoding them."""

import struct
from dataclasses import dataclass

import imagecodecs

from inference.dicom.codestreams import JPEG_2000_START
from inference.dicom.pixels.pixel_format import PixelFormat, check_size
from inference.dicom.pixels.samples import Clip, Colours, Decoded, Samples
from inference.errors import InstanceUnreadableError

_FILE_HEADER_BYTES = 4096
_START_OF_TILE = b"\xff\x90"
_END = b"\xff\xd9"

END_NOTE = "JPEG 2000 frames lack the end marker; all pixels are present."


@dataclass(frozen=True, slots=True)
class Jpeg2000Stream:
    """The header of a JPEG 2000 codestream (ISO/IEC 15444-1 Annex A) that begins at `start`.

    `colour_transform` tells that three components were transformed from RGB, and that a decoder
    therefore returns RGB.
    """

    start: int
    rows: int
    columns: int
    components: int
    precision: int
    colour_transform: bool


def decode_jpeg_2000(codestream: bytes, written: PixelFormat, clip: Clip) -> Decoded:
    """Decode one frame; its colour transform, where it has one, is undone.

    A missing end marker is put there and noted with the clip: a decoder then sees what is missing,
    as the length of each tile is stated.

    Raises:
        InstanceUnreadableError: it is of another size than the header says.
    """
    stream = read_jpeg_2000(codestream)
    check_size(written, stream.rows, stream.columns, stream.components)
    # Without the file around it: the decoder is to see what was checked, and nothing else.
    naked = codestream[stream.start :]
    if not naked.rstrip(b"\0").endswith(_END):
        naked = naked[: _tiles_end(naked)] + _END
        clip.note(END_NOTE)
    decoded = imagecodecs.jpeg2k_decode(naked, numthreads=1)
    samples: Samples = decoded.view(f"u{decoded.dtype.itemsize}")
    return Decoded(samples, stream.precision, Colours.RGB if stream.colour_transform else None)


def _tiles_end(naked: bytes) -> int:
    """Where the last tile-part ends by its stated length (A.4.2).

    Raises:
        InstanceUnreadableError: it is cut off, or goes on to an end that is not there.
    """
    end = naked.find(_START_OF_TILE)
    while 0 < end < len(naked) and naked.startswith(_START_OF_TILE, end):
        length = int.from_bytes(naked[end + 6 : end + 10], "big")
        end = end + length if length else len(naked) + 1
    if not 0 < end <= len(naked):
        raise InstanceUnreadableError("a JPEG 2000 ends before its picture does")
    return end


def read_jpeg_2000(codestream: bytes) -> Jpeg2000Stream:
    """Read the SIZ and COD markers, also inside a JP2 file.

    Raises:
        InstanceUnreadableError: these are not the bytes of a JPEG 2000.
    """
    start = codestream[:_FILE_HEADER_BYTES].find(JPEG_2000_START)
    size = codestream[start + 6 : start + 43]
    if start < 0 or len(size) < 37:
        raise InstanceUnreadableError("a frame is not a JPEG 2000 as its syntax demands")
    _, x_end, y_end, x_start, y_start = struct.unpack(">HIIII", size[:18])
    components, depth = struct.unpack(">HB", size[34:37])
    style = codestream.find(b"\xff\x52", start)
    return Jpeg2000Stream(
        start=start,
        rows=y_end - y_start,
        columns=x_end - x_start,
        components=components,
        precision=(depth & 0x7F) + 1,
        colour_transform=codestream[style + 8 : style + 9] == b"\1" if style > 0 else False,
    )
