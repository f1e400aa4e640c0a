"""Frames that are compressed one by one, handed to the decoder that they need."""

import zlib
from collections.abc import Iterator, Sequence

from inference.dicom.codestreams import Coding, coding_of
from inference.dicom.pixels.jpeg_2000 import decode_jpeg_2000
from inference.dicom.pixels.jpeg_decoder import JpegDecoder
from inference.dicom.pixels.jpeg_xl import decode_jpeg_xl
from inference.dicom.pixels.native import decode_native
from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.rle import decode_rle
from inference.dicom.pixels.samples import Clip, Decoded
from inference.errors import InstanceUnreadableError


def decode_stills(
    codestreams: Sequence[bytes], written: PixelFormat, luma_only: bool, clip: Clip
) -> Iterator[Decoded]:
    """Decode frames of one clip in their order; its first one tells what they are.

    Raises:
        InstanceUnreadableError: they are damaged, of another size than the header says, or unknown.
        InstanceExcludedError: they are JPEG, and their colours cannot be told.
    """
    match coding_of(codestreams[0], written.transfer_syntax):
        case Coding.JPEG:
            yield from JpegDecoder(written, luma_only, clip).decode(codestreams)
        case Coding.JPEG_2000:
            yield from (decode_jpeg_2000(each, written, clip) for each in codestreams)
        case Coding.JPEG_XL:
            yield from decode_jpeg_xl(codestreams, written)
        case Coding.RLE:
            yield from (decode_rle(each, written) for each in codestreams)
        case Coding.DEFLATED:
            yield from (_whole(_inflated(each, written), written) for each in codestreams)
        case Coding.NATIVE:
            yield from (_whole(each, written) for each in codestreams)
        case _:
            raise InstanceUnreadableError(
                f"pixels in transfer syntax {written.transfer_syntax.name} cannot be decoded"
            )


def _whole(data: bytes, written: PixelFormat) -> Decoded:
    if len(data) < written.frame_bytes:
        raise InstanceUnreadableError("a frame ends before its picture does")
    return decode_native(data[: written.frame_bytes], written)


def _inflated(codestream: bytes, written: PixelFormat) -> bytes:
    """One frame of Deflated Image Frame Compression (PS3.5 A.4.13), up to what it can be."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(codestream, written.frame_bytes)
