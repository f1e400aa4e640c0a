"""RLE frames (PS3.5 Annex G)."""

import struct
from itertools import pairwise

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Decoded, Samples
from inference.errors import InstanceUnreadableError

_HEADER_BYTES = 64


def decode_rle(codestream: bytes, written: PixelFormat) -> Decoded:
    """Decode one frame: a segment for every byte of a sample, the most significant one first.

    Raises:
        InstanceUnreadableError: there are other segments than the pixels need, or too little in
            them.
    """
    bytes_each = written.bits_allocated // 8
    needed = written.samples * bytes_each
    count, *offsets = struct.unpack("<16I", codestream[:_HEADER_BYTES].ljust(_HEADER_BYTES, b"\0"))
    if count != needed:
        raise InstanceUnreadableError(f"a frame needs {needed} RLE segments and has others")
    bounds = pairwise((*offsets[:count], len(codestream)))
    plane_bytes = written.rows * written.columns
    planes = np.stack([_segment(codestream[start:end], plane_bytes) for start, end in bounds])
    whole = planes.reshape(written.samples, bytes_each, written.rows, written.columns)
    words = np.ascontiguousarray(np.moveaxis(whole, 1, -1)).view(f">u{bytes_each}")[..., 0]
    samples: Samples = words.astype(f"u{bytes_each}", copy=False)
    shaped = samples[0] if written.samples == 1 else np.moveaxis(samples, 0, -1)
    return Decoded(shaped, written.bits_allocated)


def _segment(packed: bytes, plane_bytes: int) -> NDArray[np.uint8]:
    # Some unpack to a little more than the plane; what unpacks to much more is none.
    unpacked = imagecodecs.packbits_decode(packed, out=2 * plane_bytes)
    if len(unpacked) < plane_bytes:
        raise InstanceUnreadableError("an RLE segment ends before its picture does")
    return np.frombuffer(unpacked, np.uint8, plane_bytes)
