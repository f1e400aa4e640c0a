"""What frames are compressed with: their first bytes know better than their transfer syntax."""

import struct
from enum import StrEnum

from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MPEGTransferSyntaxes,
    RLELossless,
)

JPEG_2000_START = b"\xff\x4f\xff\x51"
JPEG_XL_START = b"\xff\x0a"
JPEG_XL_FILE_START = b"\x00\x00\x00\x0cJXL"


class Coding(StrEnum):
    """How the pixels in the items of encapsulated Pixel Data are written."""

    JPEG = "JPEG or JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    JPEG_XL = "JPEG XL"
    RLE = "RLE"
    DEFLATED = "deflated"
    NATIVE = "uncompressed"
    VIDEO = "video"


_STARTS = {
    b"\xff\xd8\xff": Coding.JPEG,  # start of image, then a marker
    JPEG_2000_START: Coding.JPEG_2000,
    b"\x00\x00\x00\x0cjP": Coding.JPEG_2000,  # in its file format
    JPEG_XL_START: Coding.JPEG_XL,
    JPEG_XL_FILE_START: Coding.JPEG_XL,
}
_RLE_HEADER_BYTES = 64
_MOST_RLE_SEGMENTS = 15
#: Zeros and fill bytes (0xFF) that may stand before a JPEG's start of image.
_MOST_FILL_BYTES = 64
_AFTER_FILL = (b"\xff\xd8\xff", JPEG_2000_START)
#: So many bytes of a frame are enough to see what it is.
START_BYTES = _MOST_FILL_BYTES + 8

#: PS3.5 A.4: what each encapsulated transfer syntax says; pydicom does not name the last five yet.
_STATED = {
    **dict.fromkeys((*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes), Coding.JPEG),
    **dict.fromkeys(JPEG2000TransferSyntaxes, Coding.JPEG_2000),
    **dict.fromkeys(MPEGTransferSyntaxes, Coding.VIDEO),
    RLELossless: Coding.RLE,
    UID("1.2.840.10008.1.2.4.110"): Coding.JPEG_XL,
    UID("1.2.840.10008.1.2.4.111"): Coding.JPEG_XL,
    UID("1.2.840.10008.1.2.4.112"): Coding.JPEG_XL,
    UID("1.2.840.10008.1.2.8.1"): Coding.DEFLATED,
    UID("1.2.840.10008.1.2.1.98"): Coding.NATIVE,
}


def stated_coding(transfer_syntax: UID) -> Coding | None:
    """What a transfer syntax says of the items; None where it has none, or is not known."""
    return _STATED.get(transfer_syntax)


def coding_by_start(codestream: bytes) -> Coding | None:
    """What the first `START_BYTES` of a frame show; None where they show nothing.

    Only RLE and codestreams with a signature are known so. Fill before a signature does not count.
    """
    for start, coding in _STARTS.items():
        if codestream.startswith(start):
            return coding
    segments, first = struct.unpack("<II", codestream[:8].ljust(8, b"\0"))
    if 1 <= segments <= _MOST_RLE_SEGMENTS and first == _RLE_HEADER_BYTES:
        return Coding.RLE
    if fill_bytes(codestream):
        return coding_by_start(codestream[fill_bytes(codestream) :])
    return None


def fill_bytes(codestream: bytes) -> int:
    """How many zeros and fill bytes stand before the signature of a JPEG or JPEG 2000."""
    start = codestream[:START_BYTES]
    places = [at for at in map(start.find, _AFTER_FILL) if at > 0]
    return next((at for at in places if not start[:at].strip(b"\0\xff")), 0)


def coding_of(codestream: bytes, transfer_syntax: UID) -> Coding | None:
    """How a frame is written: what it shows, then what its transfer syntax states."""
    stated = stated_coding(transfer_syntax)
    if stated in {Coding.DEFLATED, Coding.NATIVE}:  # whose bytes may begin like anything
        return stated
    return coding_by_start(codestream) or stated
