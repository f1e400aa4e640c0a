"""Uncompressed frames (PS3.5 8.2): one frame is one range of the file."""

from typing import IO

import numpy as np

from inference.dicom.frame_count import shares_chroma
from inference.dicom.part10 import PixelElement
from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Colours, Decoded, Samples
from inference.errors import InstanceUnreadableError


class NativeFrames:
    """The frames of native Pixel Data.

    In YBR_FULL_422 two pixels share their chroma; some write that label over data with all samples.
    """

    def __init__(self, file: IO[bytes], pixels: PixelElement, written: PixelFormat) -> None:
        self._file = file
        self._offset = pixels.offset
        self._length_bytes = pixels.length_bytes or 0
        self._written = written
        self._frame_bytes = written.frame_bytes
        self._subsampled = written.samples == 3 and shares_chroma(
            written.photometric, written.rows * written.columns, written.frames, self._length_bytes
        )
        if self._subsampled:
            self._frame_bytes = written.rows * written.columns * 2

    def read(self, index: int) -> Decoded:
        """The samples of one frame, zero-based.

        Raises:
            InstanceUnreadableError: the pixel data end before or within this frame.
        """
        start = index * self._frame_bytes
        self._file.seek(self._offset + start)
        data = self._file.read(max(0, min(self._frame_bytes, self._length_bytes - start)))
        if len(data) < self._frame_bytes:
            raise InstanceUnreadableError(f"the pixel data end before or within frame {index + 1}")
        if self._subsampled:
            return Decoded(self._samples_of_422(data), 8, Colours.YBR)
        return decode_native(data, self._written)

    def _samples_of_422(self, data: bytes) -> Samples:
        # Y Y Cb Cr, one such group for two pixels (PS3.3 C.7.6.3.1.2)
        if self._written.columns % 2 or self._written.bits_allocated != 8:
            raise InstanceUnreadableError("chroma cannot be shared by an odd number of columns")
        groups = np.frombuffer(data, np.uint8).reshape(-1, 4)
        pixels = groups[:, [0, 2, 3, 1, 2, 3]]
        return pixels.reshape(self._written.rows, self._written.columns, 3)


def decode_native(data: bytes, written: PixelFormat) -> Decoded:
    """The samples in the bytes of one uncompressed frame, all of them there."""
    order = "<" if written.little_endian else ">"
    stored = np.frombuffer(data, f"{order}u{written.bits_allocated // 8}")
    samples: Samples = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if written.samples == 1:
        samples = samples.reshape(written.rows, written.columns)
    elif written.planar:
        samples = np.moveaxis(samples.reshape(3, written.rows, written.columns), 0, -1)
    else:
        samples = samples.reshape(written.rows, written.columns, 3)
    return Decoded(samples, written.bits_allocated, labelled_order=written.samples == 3)
