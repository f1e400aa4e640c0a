"""Every frame of an exam's loops, compressed one by one, so that any of them is read alone.

A frame is kept as the differences along its rows, compressed by Zstandard. Nothing is lost, and
of all lossless codecs at hand this one is the fastest to read. A frame of 64 x 64 pixels takes
about 2.2 kB (0.54 of its pixels), one of 256 x 256 about 25 kB (0.38).

The file holds the codestreams of all frames, loop after loop, then where each of them ends, as
little-endian unsigned integers of 64 bits.
"""

import os
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from inference.errors import TrainingDataError

#: Higher levels save another hundredth and take ten times longer to write.
_LEVEL = 1
_END = np.dtype("<u8")


def compress(frames: NDArray[np.uint8]) -> list[bytes]:
    """The codestreams of frames (k, size, size)."""
    return [
        bytes(imagecodecs.zstd_encode(imagecodecs.delta_encode(frame, axis=-1), _LEVEL))
        for frame in frames
    ]


class ClipWriter:
    """Writes the frames of one loop after the other; `counts` says how many each has."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._lengths: list[int] = []
        self.counts: list[int] = []

    def add(self, codestreams: Sequence[bytes]) -> None:
        """Add the next loop's compressed frames."""
        self._out.writelines(codestreams)
        self._lengths += [len(each) for each in codestreams]
        self.counts.append(len(codestreams))

    def finish(self) -> None:
        """Write where each frame ends."""
        self._out.write(np.array(list(accumulate(self._lengths)), _END).tobytes())


class Clips:
    """The frames of an exam's loops; `counts` says how many each has. The file is open only while
    it is read."""

    def __init__(self, path: Path, counts: Sequence[int], size: int) -> None:
        self.counts = tuple(counts)
        self._path, self._size = path, size

    def read(self, loop: int, frames: Iterable[int]) -> NDArray[np.uint8]:
        """Some frames (k, size, size) of a loop, both counted from 0.

        Raises:
            TrainingDataError: the file is gone, damaged, or cannot be read.
        """
        wanted = list(frames)
        read = np.empty((len(wanted), self._size, self._size), np.uint8)
        try:
            with self._path.open("rb", buffering=0) as file:
                ends = self._ends(file.fileno(), loop)
                for pixels, at in zip(read.reshape(len(wanted), -1), wanted, strict=True):
                    _expand(os.pread(file.fileno(), ends[at + 1] - ends[at], ends[at]), pixels)
        except (OSError, ValueError, RuntimeError) as error:
            raise TrainingDataError(
                f"frames: {self._path} cannot be read ({type(error).__name__}): delete it and run "
                "`echonode cohort cache` again"
            ) from None

        imagecodecs.delta_decode(read, axis=-1, out=read)
        return read

    def _ends(self, file: int, loop: int) -> list[int]:
        """Where each frame of a loop begins, and where the last one ends."""
        first, count = sum(self.counts[:loop]), self.counts[loop]
        table = os.fstat(file).st_size - _END.itemsize * sum(self.counts)
        before = 1 if first else 0
        at = table + _END.itemsize * (first - before)
        ends: list[int] = np.frombuffer(
            os.pread(file, _END.itemsize * (count + before), at), _END
        ).tolist()
        ends = ends if before else [0, *ends]
        if len(ends) <= count or sorted(ends) != ends or ends[-1] > table:
            raise ValueError("the file is cut short")
        return ends


def _expand(codestream: bytes, pixels: NDArray[np.uint8]) -> None:
    if len(imagecodecs.zstd_decode(codestream, out=pixels.data)) < pixels.size:
        raise ValueError("a frame is cut short")
