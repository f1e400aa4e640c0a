"""JPEG codestreams: their stated size, and which colours they really hold.

Pictures labelled RGB are often YCbCr inside a JPEG, and now and then the reverse; a decoder that
trusts the label or guesses returns them green. The stream itself knows better.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from inference.dicom.pixels.samples import Colours
from inference.errors import InstanceUnreadableError

SEQUENTIAL_PROCESSES = frozenset({0xC0, 0xC1, 0xC3})
LOSSLESS_PROCESS = 0xC3
JPEG_LS_PROCESS = 0xF7

_START_OF_IMAGE = b"\xff\xd8"
_START_OF_SCAN_MARKER = b"\xff\xda"
_END_OF_IMAGE = b"\xff\xd9"
#: More zeros than pad an item: a picture that was cut off, and filled up to a length.
_CUT_AND_FILLED = bytes(4)
_APP0, _APP14, _START_OF_SCAN = 0xE0, 0xEE, 0xDA
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {JPEG_LS_PROCESS}


@dataclass(frozen=True, slots=True)
class JpegStream:
    """The header of a JPEG or JPEG-LS codestream (ISO/IEC 10918-1, 14495-1).

    `process` is the second byte of the start-of-frame marker. `adobe_transform` is None without
    an Adobe marker (APP14), 0 for RGB and 1 for YCbCr.
    """

    process: int
    precision: int
    rows: int
    columns: int
    component_ids: bytes
    subsampled: bool
    jfif: bool
    adobe_transform: int | None
    _colour_markers: tuple[tuple[int, int], ...] = field(repr=False)

    @property
    def evidence(self) -> frozenset[Colours]:
        """What the stream says about its three components; empty or both where unclear."""
        said = set()
        if self.adobe_transform is not None:
            said.add(Colours.YBR if self.adobe_transform == 1 else Colours.RGB)
        if self.component_ids == b"RGB":
            said.add(Colours.RGB)
        if self.jfif or self.subsampled:
            said.add(Colours.YBR)
        return frozenset(said)

    def labelled(self, codestream: bytes, colours: Colours) -> bytes:
        """The same codestream with one unmistakable marker, so that every decoder agrees.

        JFIF and Adobe markers go, an Adobe marker with the given transform comes.
        """
        transform = 1 if colours is Colours.YBR else 0
        adobe = struct.pack(">BBH5sHHHB", 0xFF, _APP14, 14, b"Adobe", 100, 0, 0, transform)
        parts = [_START_OF_IMAGE, adobe]
        position = 2
        for start, end in self._colour_markers:
            parts.append(codestream[position:start])
            position = end
        return b"".join([*parts, codestream[position:]])


def ends(codestream: bytes) -> bool:
    """Whether it ends as a JPEG does, but for padding."""
    return codestream.rstrip(b"\0").endswith(_END_OF_IMAGE)


def with_end(codestream: bytes, stream: JpegStream) -> bytes:
    """A JPEG of one scan that lacks its end marker, with one: a decoder then sees what is missing.

    Raises:
        InstanceUnreadableError: whether all of the picture is there cannot be told.
    """
    if stream.process == JPEG_LS_PROCESS:  # whose decoder takes nothing that is not whole
        return codestream + _END_OF_IMAGE
    scans = codestream.count(_START_OF_SCAN_MARKER)
    padded = codestream.endswith(_CUT_AND_FILLED)
    if stream.process not in SEQUENTIAL_PROCESSES or scans != 1 or padded:
        raise InstanceUnreadableError("a JPEG ends before its picture does")
    return codestream + _END_OF_IMAGE


def read_jpeg(codestream: bytes) -> JpegStream:
    """Read the markers up to the first scan.

    Raises:
        InstanceUnreadableError: these are not the bytes of a JPEG.
    """
    frame = b""
    process = 0
    jfif, adobe_transform = False, None
    colour_markers = []
    for marker, start, body in _segments(codestream):
        if marker == _APP0 and body.startswith(b"JFIF\0"):
            jfif = True
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            adobe_transform = body[11]
        elif marker in _START_OF_FRAME and not frame:
            process, frame = marker, body
            continue
        else:
            continue
        colour_markers.append((start, start + 4 + len(body)))
    components = frame[6 : 6 + 3 * frame[5]] if len(frame) > 6 else b""
    if not components:
        raise InstanceUnreadableError("a frame is not a JPEG as its syntax demands")
    precision, rows, columns = struct.unpack(">BHH", frame[:5])
    return JpegStream(
        process=process,
        precision=precision,
        rows=rows,
        columns=columns,
        component_ids=components[0::3],
        subsampled=len(set(components[1::3])) > 1,
        jfif=jfif,
        adobe_transform=adobe_transform,
        _colour_markers=tuple(colour_markers),
    )


def _segments(codestream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, position and body of every segment before the first scan."""
    if not codestream.startswith(_START_OF_IMAGE):
        return
    position = 2
    while position + 4 <= len(codestream) and codestream[position] == 0xFF:
        marker = codestream[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        length = int.from_bytes(codestream[position + 2 : position + 4], "big")
        if marker == _START_OF_SCAN or length < 2:
            return
        yield marker, position, codestream[position + 4 : position + 2 + length]
        position += 2 + length
