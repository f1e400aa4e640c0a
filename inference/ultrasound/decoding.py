"""Single frames of a stored instance, decoded to grey; the other frames stay untouched."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MPEGTransferSyntaxes,
    RLELossless,
)

from inference.dicom.part10 import Part10, PixelElement, open_part10
from inference.errors import LoopUnreadableError
from inference.ultrasound.compressed import JpegDecoder, decode_jpeg2000, decode_rle
from inference.ultrasound.frame_bytes import EncapsulatedFrames
from inference.ultrasound.grey import Decoded, grey_palette, to_grey
from inference.ultrasound.native import NativeFrames
from inference.ultrasound.pixel_format import PixelFormat, read_pixel_format


def decode_frames(path: Path, frame_indices: Sequence[int]) -> NDArray[np.uint8]:
    """Decode some frames of an image, given by zero-based index, to grey (n, rows, columns).

    Only these frames are read and decoded. Every native and JPEG, JPEG-LS, JPEG 2000 or RLE
    syntax is, but no video, HTJ2K or JPEG 2000 Part 2.

    Raises:
        LoopUnreadableError: the pixels are missing, damaged, cut short or in another syntax.
        OSError: the file cannot be read.
    """
    with open_part10(path) as part10:
        written = read_pixel_format(part10.header)
        if part10.pixels is None:
            raise LoopUnreadableError("there are no pixel data")
        if not frame_indices or not all(0 <= index < written.frames for index in frame_indices):
            raise LoopUnreadableError(f"there are only {written.frames} frames")
        read = _frames(part10, part10.pixels, written)
        palette = None
        if written.photometric == "PALETTE COLOR" and written.samples == 1:
            palette = grey_palette(part10.header, written)
        grey = {i: to_grey(read(i), written, palette) for i in sorted(set(frame_indices))}
    return np.stack([grey[index] for index in frame_indices])


def _frames(part10: Part10, pixels: PixelElement, written: PixelFormat) -> Callable[[int], Decoded]:
    """What reads and decodes one frame by its index."""
    syntax = written.transfer_syntax
    compressed = syntax.is_transfer_syntax and syntax.is_encapsulated
    if compressed != (pixels.length_bytes is None):
        raise LoopUnreadableError("the pixel data are not in the transfer syntax that is stated")
    if not compressed:
        return NativeFrames(part10.file, pixels, written).read
    decode = _codec(syntax, written)
    offsets = _extended_offsets(part10.header)
    frames = EncapsulatedFrames(part10.file, pixels.offset, written.frames, offsets)
    limit_bytes = 2 * written.frame_bytes + 2**20

    def read(index: int) -> Decoded:
        codestream = frames.read(index, limit_bytes)
        try:
            return decode(codestream)
        except LoopUnreadableError:
            raise
        except Exception as error:
            message = f"frame {index + 1} cannot be decoded ({type(error).__name__})"
            raise LoopUnreadableError(message) from error

    return read


def _codec(syntax: UID, written: PixelFormat) -> Callable[[bytes], Decoded]:
    if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        return JpegDecoder(written)
    if syntax in {JPEG2000, JPEG2000Lossless}:
        return partial(decode_jpeg2000, written=written)
    if syntax == RLELossless:
        return partial(decode_rle, written=written)
    kind = "video" if syntax in MPEGTransferSyntaxes else "pixels"
    raise LoopUnreadableError(
        f"{kind} in transfer syntax {syntax.name} ({syntax}) cannot be decoded"
    )


def _extended_offsets(header: Dataset) -> bytes:
    """The Extended Offset Table (7FE0,0001), where there is one."""
    try:
        offsets = header.get("ExtendedOffsetTable")
    except Exception:  # noqa: BLE001 - a malformed table is as good as none
        return b""
    return offsets if isinstance(offsets, bytes) else b""
