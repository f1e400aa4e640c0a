"""Uncompressed frames (PS3.5 8.2): one frame is one range of the file."""

from typing import IO

import numpy as np

from inference.dicom.part10 import PixelElement
from inference.errors import LoopUnreadableError
from inference.ultrasound.grey import Decoded, Samples, colours_by_picture
from inference.ultrasound.jpeg import Colours
from inference.ultrasound.pixel_format import PixelFormat


class NativeFrames:
    """The frames of native Pixel Data.

    In YBR_FULL_422 two pixels share their chroma. Some write that label over data with all
    samples; what these are is then seen in the first frame that is read.
    """

    def __init__(self, file: IO[bytes], pixels: PixelElement, written: PixelFormat) -> None:
        self._file = file
        self._offset = pixels.offset
        self._length_bytes = pixels.length_bytes or 0
        self._written = written
        self._frame_bytes = written.frame_bytes
        labelled_422 = written.photometric == "YBR_FULL_422" and written.samples == 3
        self._subsampled = labelled_422 and self._length_bytes < written.frames * self._frame_bytes
        if self._subsampled:
            self._frame_bytes = written.rows * written.columns * 2
        self._doubtful = labelled_422 and not self._subsampled
        self._colours: Colours | None = None

    def read(self, index: int) -> Decoded:
        """The samples of one frame, zero-based; of subsampled colour the luma alone.

        Raises:
            LoopUnreadableError: the pixel data end before or within this frame.
        """
        start = index * self._frame_bytes
        self._file.seek(self._offset + start)
        data = self._file.read(max(0, min(self._frame_bytes, self._length_bytes - start)))
        if len(data) < self._frame_bytes:
            raise LoopUnreadableError(f"the pixel data end before or within frame {index + 1}")
        if self._subsampled:
            return Decoded(self._luma_of_422(data), 8)
        decoded = Decoded(self._samples(data), self._written.bits_stored, self._colours)
        if self._doubtful and self._colours is None:
            self._colours = colours_by_picture(decoded, Colours.YBR)
            return Decoded(decoded.samples, decoded.bits, self._colours)
        return decoded

    def _samples(self, data: bytes) -> Samples:
        written = self._written
        order = "<" if written.little_endian else ">"
        stored = np.frombuffer(data, f"{order}u{written.bits_allocated // 8}")
        samples: Samples = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        if written.samples == 1:
            return samples.reshape(written.rows, written.columns)
        if written.planar:
            return np.moveaxis(samples.reshape(3, written.rows, written.columns), 0, -1)
        return samples.reshape(written.rows, written.columns, 3)

    def _luma_of_422(self, data: bytes) -> Samples:
        # Y Y Cb Cr, one such group for two pixels (PS3.3 C.7.6.3.1.2)
        if self._written.columns % 2 or self._written.bits_allocated != 8:
            raise LoopUnreadableError("chroma cannot be shared by an odd number of columns")
        luma = np.frombuffer(data, np.uint8).reshape(-1, 4)[:, :2]
        return luma.reshape(self._written.rows, self._written.columns)
