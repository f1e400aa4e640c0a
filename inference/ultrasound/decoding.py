"""Single frames of a stored instance, decoded to grey or colour; the others stay untouched."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.elements import decimal_commas
from inference.dicom.frame_count import FrameCount, count_frames
from inference.dicom.part10 import Part10, open_part10
from inference.dicom.pixels.frames import decoded_frames, faults_as_unreadable
from inference.dicom.pixels.pixel_format import read_pixel_format
from inference.dicom.pixels.samples import Decoded
from inference.errors import InstanceUnreadableError
from inference.ultrasound.palette import read_palette
from inference.ultrasound.photometric import ClipColours
from inference.ultrasound.reading import SampleReader
from inference.ultrasound.rendering import Palette, to_grey, to_rgb

_CLOCKS = ("FrameTime", "FrameTimeVector", "RWaveTimeVector")

_Render = Callable[[Decoded, Palette | None], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Some decoded frames of an image, and short notes on what of its labels was put right."""

    frames: NDArray[np.uint8]
    notes: tuple[str, ...]


def decode_frames(path: Path, frame_indices: Sequence[int]) -> NDArray[np.uint8]:
    """Decode some frames of an image, given by zero-based index, to grey (n, rows, columns).

    Only these frames are read and decoded, of a video those that they are made from as well.

    Raises:
        InstanceExcludedError: labels and pixels disagree, and nothing tells what the pixels are.
        InstanceUnreadableError: the pixels are missing, damaged, cut short or in an unknown syntax.
        OSError: the file cannot be read.
    """
    return _rendered(path, frame_indices, to_grey, luma_only=True).frames


def colour_frames(instance: Path, frames: Sequence[int]) -> NDArray[np.uint8]:
    """Decode some frames of an image, given by zero-based index, to RGB (n, rows, columns, 3).

    An image without colour has three equal samples.

    Raises:
        InstanceExcludedError: labels and pixels disagree, and nothing tells what the pixels are.
        InstanceUnreadableError: the pixels are missing, damaged, cut short or in an unknown syntax.
        OSError: the file cannot be read.
    """
    return _rendered(instance, frames, to_rgb, luma_only=False).frames


def grey_pictures(path: Path, frame_indices: Sequence[int]) -> Pictures:
    """What `decode_frames` gives of an image that is whole, with notes.

    Raises:
        InstanceExcludedError: labels and pixels disagree, and nothing tells what the pixels are.
        InstanceUnreadableError: as `decode_frames`, or frames are missing that the header counts.
        OSError: the file cannot be read.
    """
    with open_grey(path) as clip:
        return clip.read(frame_indices)


@contextmanager
def open_grey(path: Path) -> Iterator["OpenClip"]:
    """Open an image that is whole, to decode its frames to grey in one go or in several.

    Raises:
        InstanceUnreadableError: it holds no pixel data, or is described in a way that no image is.
        OSError: the file cannot be read.
    """
    with open_part10(path) as part10:
        yield OpenClip(part10, to_grey, luma_only=True, whole=True)


def _rendered(path: Path, indices: Sequence[int], render: _Render, *, luma_only: bool) -> Pictures:
    with open_part10(path) as part10:
        return OpenClip(part10, render, luma_only=luma_only).read(indices)


class OpenClip:
    """The frames of one open image, all read alike: as those that were asked for first."""

    def __init__(
        self, part10: Part10, render: _Render, *, luma_only: bool, whole: bool = False
    ) -> None:
        self._part10, self._render, self._luma_only, self._whole = part10, render, luma_only, whole
        self._count = count_frames(part10)
        self.written = replace(read_pixel_format(part10.header), frames=self._count.true)
        if part10.pixels is None:
            raise InstanceUnreadableError("there are no pixel data")
        self._pixels = part10.pixels
        indexed = self.written.photometric == "PALETTE COLOR" and self.written.samples == 1
        self._palette = read_palette(part10.header, self.written) if indexed else None
        self._colours = ClipColours(self.written)
        self._reader = SampleReader(self.written, self._colours, indexed=indexed)

    def read(self, indices: Sequence[int]) -> Pictures:
        """Decode some frames, by zero-based index.

        Raises:
            InstanceExcludedError: labels and pixels disagree, and nothing tells what the pixels
                are.
            InstanceUnreadableError: these frames are missing, damaged, cut short or in an unknown
                syntax.
            OSError: the file cannot be read.
        """
        if not indices or not all(0 <= index < self.written.frames for index in indices):
            raise InstanceUnreadableError(f"there are only {self.written.frames} frames")
        if self._whole and self._count.fault:
            raise InstanceUnreadableError(self._count.fault)
        wanted = sorted(set(indices))
        with faults_as_unreadable():
            palette = self._palette.colours if self._palette else None
            rendered = [self._render(frame, palette) for frame in self._read(wanted)]
        pictures = dict(zip(wanted, rendered, strict=True))
        return Pictures(np.stack([pictures[index] for index in indices]), tuple(self._notes()))

    def _read(self, wanted: Sequence[int]) -> list[Decoded]:
        """The wanted frames with samples of 8 bits, or of a palette's values."""
        written, clip = self.written, self._colours
        decoded = list(
            decoded_frames(self._part10, self._pixels, written, wanted, self._luma_only, clip)
        )
        frames = self._reader.read(decoded)
        if self._palette:
            self._palette.check([frame.samples for frame in frames])
        return frames

    def _notes(self) -> list[str]:
        palette = self._palette.notes if self._palette else ()
        about = _header_notes(self._part10.header, self._count)
        return [*about, *self._colours.notes, *self._reader.notes, *palette]


def _header_notes(header: Dataset, count: FrameCount) -> list[str]:
    notes = []
    if count.miscounted:
        notes.append(f"Number of Frames is {count.stated}, the pixel data hold {count.held}.")
    commas = decimal_commas(header, _CLOCKS)
    if commas:
        notes.append(f"{' and '.join(commas)}: a decimal comma was read as a point.")
    return notes
