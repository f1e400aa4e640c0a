"""Whether the pixels of two files look the same, however each is encoded.

| encodings of the two                | compared                                                  |
| ----------------------------------- | --------------------------------------------------------- |
| the same syntax, the same bytes     | the bytes of each frame, all of them                       |
| both lossless or native             | decoded, exact but for what a colour transform rounds      |
| one of them lossy                   | decoded, within what two decoders of one codestream differ |

Decoding takes a bounded number of frames, spread over the clip with its first and last.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID

from inference.dicom.elements import integer
from inference.dicom.frame_bytes import EncapsulatedFrames
from inference.dicom.part10 import Part10
from inference.ultrasound.decoding import colour_frames

#: Frames that are decoded of a clip; a resend that was made from other pictures differs in all.
_MOST_FRAMES = 8
_CHUNK_BYTES = 4 << 20
_LARGEST_FRAME_BYTES = 64 << 20
#: Samples of 8 bits: a transform between YBR and RGB rounds twice.
_ROUNDING = 2
#: Two JPEG decoders differ by some steps where chroma is interpolated (PS3.5 A.4.1): the mean says
#: whether it is one picture, the share of larger steps whether a part of it was changed.
_LOSSY_MEAN = 2.0
_LOSSY_STEP = 24
_LOSSY_SHARE = 0.02
_LOSSY_STEM = "1.2.840.10008.1.2.4."
_LOSSLESS = frozenset(
    f"{_LOSSY_STEM}{suffix}" for suffix in ("57", "70", "80", "90", "92", "201", "202", "110")
)


@dataclass(frozen=True, slots=True)
class Pixels:
    """The pixels of one file, and where to find them."""

    path: Path
    part10: Part10

    @property
    def header(self) -> Dataset:
        """Its header."""
        return self.part10.header

    @property
    def frames(self) -> int:
        """Number of Frames (0028,0008)."""
        return max(1, integer(self.header, "NumberOfFrames") or 1)

    @property
    def transfer_syntax(self) -> UID:
        """Its transfer syntax."""
        return UID(str(self.header.file_meta.get("TransferSyntaxUID", "")))


def look_the_same(one: Pixels, other: Pixels, deadline: float) -> bool | None:
    """Whether two files show the same; None: it takes longer than until `deadline` (monotonic, s).

    Raises:
        inference.errors.InstanceUnreadableError: one of them cannot be decoded.
        OSError: a file cannot be read.
    """
    if one.part10.pixels is None or other.part10.pixels is None:
        return one.part10.pixels is None and other.part10.pixels is None
    if one.frames != other.frames:
        return False
    if one.transfer_syntax == other.transfer_syntax and _same_bytes(one, other):
        return True
    return _same_pictures(one, other, deadline)


def _same_bytes(one: Pixels, other: Pixels) -> bool:
    """Whether all frames have the same bytes, in whatever fragments they come."""
    mine, theirs = one.part10.pixels, other.part10.pixels
    if mine is None or theirs is None:
        return False
    if mine.length_bytes is None and theirs.length_bytes is None:
        first = EncapsulatedFrames(one.part10.file, mine.offset, one.frames)
        second = EncapsulatedFrames(other.part10.file, theirs.offset, other.frames)
        return all(_is_same_frame(first, second, index) for index in range(one.frames))
    if mine.length_bytes is None or theirs.length_bytes is None:
        return False
    if abs(mine.length_bytes - theirs.length_bytes) > 1:  # one byte may be padding
        return False
    return _is_same_range(
        (one.part10.file, mine.offset),
        (other.part10.file, theirs.offset),
        min(mine.length_bytes, theirs.length_bytes),
    )


def _is_same_frame(one: EncapsulatedFrames, other: EncapsulatedFrames, index: int) -> bool:
    first, second = (each.read(index, _LARGEST_FRAME_BYTES) for each in (one, other))
    return first.rstrip(b"\0") == second.rstrip(b"\0")


def _is_same_range(
    one: tuple[IO[bytes], int], other: tuple[IO[bytes], int], length_bytes: int
) -> bool:
    for start in range(0, length_bytes, _CHUNK_BYTES):
        size = min(_CHUNK_BYTES, length_bytes - start)
        parts = []
        for file, offset in (one, other):
            file.seek(offset + start)
            parts.append(file.read(size))
        if parts[0] != parts[1]:
            return False
    return True


def _same_pictures(one: Pixels, other: Pixels, deadline: float) -> bool | None:
    wanted = sorted({round(at) for at in np.linspace(0, one.frames - 1, _MOST_FRAMES)})
    is_exact = not (_is_lossy(one.transfer_syntax) or _is_lossy(other.transfer_syntax))
    for index in wanted:
        if time.monotonic() > deadline:
            return None
        first, second = (colour_frames(each.path, [index])[0] for each in (one, other))
        if first.shape != second.shape or not _alike(first, second, is_exact=is_exact):
            return False
    return True


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8], *, is_exact: bool) -> bool:
    steps = np.abs(one.astype(np.int16) - other.astype(np.int16))
    if is_exact:
        return bool(steps.max(initial=0) <= _ROUNDING)
    return bool(steps.mean() <= _LOSSY_MEAN and (steps > _LOSSY_STEP).mean() <= _LOSSY_SHARE)


def _is_lossy(transfer_syntax: UID) -> bool:
    """Whether a syntax may have lost something; those of PS3.5 A.4 that may not are listed."""
    return transfer_syntax.startswith(_LOSSY_STEM) and transfer_syntax not in _LOSSLESS
