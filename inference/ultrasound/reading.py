"""From what decoders return to pictures of 8 bits, with every label held against the pixels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.errors import LoopUnreadableError
from inference.ultrasound.depth import Depth, seen_depth
from inference.ultrasound.layout import Layout, arranged, seen_layout
from inference.ultrasound.photometric import ClipColours, coarse, require_alike
from inference.ultrasound.pixel_format import PixelFormat
from inference.ultrasound.samples import Decoded, Samples

_Item = TypeVar("_Item")
#: Shares of white and black ground, where greys run the other way than the label says.
_WHITE, _BLACK = 247, 8
_GROUND_SHARE = 0.25


def read_samples(
    frames: Sequence[Decoded], written: PixelFormat, clip: ClipColours, *, indexed: bool
) -> tuple[list[Decoded], list[str]]:
    """Frames of one clip with samples of 8 bits and known colours, and what was put right.

    Frames that are `indexed` keep their samples, which point into a palette. Frames whose colours
    their decoder has judged are of 8 bits already.

    Raises:
        LoopExcludedError: the pixels are not what is said of them, and nothing tells what they are.
        LoopUnreadableError: the label does not fit the number of samples.
    """
    if all(frame.judged for frame in frames):
        return list(frames), []
    if any(frame.judged for frame in frames):
        raise LoopUnreadableError("the frames are compressed in different ways")
    layout, layout_note = _layout(_some(frames), written)
    bits = max(frame.bits for frame in frames)
    ordered = [arranged(frame.samples, layout) for frame in frames]
    depth, depth_note = seen_depth(_some(ordered), written, bits, scaled=not indexed)
    notes = [note for note in (layout_note, depth_note) if note]
    if indexed:
        return _with(frames, [depth.values(samples) for samples in ordered]), notes
    if written.samples == 1:
        greys, note = _greys(ordered, depth, written)
        return _with(frames, greys), [*notes, *([note] if note else [])]
    pictures = [depth.to_8_bit(samples) for samples in ordered]
    some = _some(pictures)
    colours = clip.settle(frames[0].colours, lambda count: coarse(some[:count]))
    require_alike(pictures, colours)
    return [replace(f, colours=colours) for f in _with(frames, pictures)], notes


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


def _greys(
    samples: Sequence[Samples], depth: Depth, written: PixelFormat
) -> tuple[list[NDArray[np.uint8]], str]:
    """Greys from black to white, MONOCHROME1 turned round, unless the ground is then white."""
    turned = written.photometric == "MONOCHROME1"
    greys = [depth.to_8_bit(each) for each in samples]
    seen = np.stack(_some(greys))
    low, high = float(np.mean(seen <= _BLACK)), float(np.mean(seen >= _WHITE))
    white, black = (low, high) if turned else (high, low)
    note = ""
    if white >= _GROUND_SHARE and black < _GROUND_SHARE * white:
        turned = not turned
        runs = "white to black" if turned else "black to white"
        note = f"Greys run from {runs} although labelled {written.photometric}; corrected."
    return [255 - grey if turned else grey for grey in greys], note
