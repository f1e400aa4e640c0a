"""From what decoders return to pictures of 8 bits, with every label held against the pixels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Decoded, Samples
from inference.errors import InstanceUnreadableError
from inference.ultrasound.depth import Depth, seen_depth
from inference.ultrasound.layout import Layout, arranged, seen_layout
from inference.ultrasound.photometric import ClipColours, require_alike

_Item = TypeVar("_Item")
#: Shares of white and black ground, where greys run the other way than the label says.
_WHITE, _BLACK = 247, 8
_GROUND_SHARE = 0.25


class SampleReader:
    """Reads the frames of one clip, in one go or in several.

    What the labels are worth is settled by the frames that are read first; all others are read as
    they were. `notes` say what was put right.
    """

    def __init__(self, written: PixelFormat, clip: ClipColours, *, indexed: bool) -> None:
        self._written, self._clip, self._indexed = written, clip, indexed
        self._layout: Layout | None = None
        self._depth: Depth | None = None
        self._turned: bool | None = None
        self._first: list[NDArray[np.uint8]] = []
        self.notes: list[str] = []

    def read(self, frames: Sequence[Decoded]) -> list[Decoded]:
        """The frames with samples of 8 bits and known colours.

        Frames that are `indexed` keep their samples, which point into a palette. Frames whose
        colours their decoder has judged are of 8 bits already.

        Raises:
            InstanceExcludedError: the pixels are not what is said of them, and nothing tells what
                they are.
            InstanceUnreadableError: the label does not fit the number of samples.
        """
        if all(frame.judged for frame in frames):
            return list(frames)
        if any(frame.judged for frame in frames):
            raise InstanceUnreadableError("the frames are compressed in different ways")
        if self._layout is None:
            self._layout = self._noted(*_layout(_some(frames), self._written))
        ordered = [arranged(frame.samples, self._layout) for frame in frames]
        depth = self._settled_depth(ordered, max(frame.bits for frame in frames))
        if self._indexed:
            return _with(frames, [depth.values(samples) for samples in ordered])
        pictures = [depth.to_8_bit(samples) for samples in ordered]
        if self._written.samples == 1:
            if self._turned is None:
                self._turned = self._noted(*_turned(_some(pictures), self._written))
            return _with(frames, [255 - grey if self._turned else grey for grey in pictures])
        some = _some(pictures)
        colours = self._clip.settle(frames[0].colours, lambda count: some[:count])
        require_alike([*self._first, *pictures], colours)
        self._first = self._first or pictures[:1]
        return [replace(f, colours=colours) for f in _with(frames, pictures)]

    def _settled_depth(self, ordered: Sequence[Samples], bits: int) -> Depth:
        if self._depth is None:
            scaled = not self._indexed
            self._depth = self._noted(
                *seen_depth(_some(ordered), self._written, bits, scaled=scaled)
            )
        return self._depth

    def _noted(self, settled: _Item, note: str) -> _Item:
        if note:
            self.notes.append(note)
        return settled


def _some(frames: Sequence[_Item]) -> list[_Item]:
    """The first frame, one in the middle and the last one."""
    places = sorted({0, len(frames) // 2, len(frames) - 1})
    return [frames[place] for place in places]


def _with(frames: Sequence[Decoded], samples: Sequence[Samples]) -> list[Decoded]:
    return [
        replace(frame, samples=each, bits=8) for frame, each in zip(frames, samples, strict=True)
    ]


def _layout(frames: Sequence[Decoded], written: PixelFormat) -> tuple[Layout, str]:
    if frames[0].samples.ndim == 2:
        return Layout.AS_READ, ""
    labelled = frames[0].labelled_order
    others = [Layout.BY_PLANE, Layout.BY_PIXEL]
    if labelled:
        others = [Layout.BY_PIXEL if written.planar else Layout.BY_PLANE]
    layout = seen_layout([frame.samples for frame in frames], others, labelled)
    if layout is Layout.AS_READ:
        return layout, ""
    if not labelled:
        return layout, f"Colours were compressed in the wrong order; read {layout}."
    value = int(written.planar)
    return layout, f"Colours lie {layout} although Planar Configuration is {value}; corrected."


def _turned(greys: Sequence[NDArray[np.uint8]], written: PixelFormat) -> tuple[bool, str]:
    """Whether greys run from white to black: as MONOCHROME1, unless the ground is then white."""
    turned = written.photometric == "MONOCHROME1"
    seen = np.stack(greys)
    low, high = float(np.mean(seen <= _BLACK)), float(np.mean(seen >= _WHITE))
    white, black = (low, high) if turned else (high, low)
    if white < _GROUND_SHARE or black >= _GROUND_SHARE * white:
        return turned, ""
    runs = "black to white" if turned else "white to black"
    note = f"Greys run from {runs} although labelled {written.photometric}; corrected."
    return not turned, note
