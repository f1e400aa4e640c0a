"""What the looked-at frames of a clip show: a heart that moves, in the sector of a phased array.

Only shapes and motion larger than speckle count, so frames are made small first. What moves as a
whole, such as a hand-held probe or a jittering copy of one frame, is not the heart's motion.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.exclusions import reason
from inference.types import Verdict
from inference.ultrasound.heartbeat import FEWEST_FRAMES_PER_BEAT

FROZEN = reason("FROZEN", "Frozen image")
FEW_FRAMES = reason("FEW_FRAMES", f"Fewer than {FEWEST_FRAMES_PER_BEAT} frames show the heartbeat")

_SIDE = 96
_MARGIN = 8
_CELL = 4
_WINDOW = np.outer(np.hanning(_SIDE), np.hanning(_SIDE))
#: Frames that differ in some of their rows need not be compared whole.
_EVERY_ROW = 16
#: A cell of tissue is lit above this, and moved when its brightness changed by more, 8 bit.
_LIT = 8
_CHANGE = 12
#: Of hearts, at least 0.31 of the lit picture moves outside the liveliest quarter of its height;
#: of copies of one frame with jitter, noise and other gain up to 0.12.
_MOVING_SHARE = 0.2
#: Mean brightness, 8 bit, that the two above are meant for, of what is not black.
_USUAL_LEVEL = 60
_DARKEST = 2
_MOST_GAIN = 4.0
#: Cells whose brightness changes at all are tissue; letters and scales stand still.
_ALIVE = 6
_TOP = 0.06

Frames = NDArray[np.uint8]
Small = NDArray[np.float32]


def distinct_frames(tissue: Frames) -> int:
    """How many different pictures there are among frames (k, h, w)."""
    some_rows = {frame[::_EVERY_ROW].tobytes() for frame in tissue}
    if len(some_rows) == len(tissue):
        return len(tissue)
    return len({frame.tobytes() for frame in tissue})


def enough_frames(tissue: Frames) -> Verdict:
    """Rule: enough different frames show the heartbeat; `tissue` is grey (k, h, w)."""
    count = distinct_frames(tissue)
    detail = f"{count} different frame{'' if count == 1 else 's'} of one heartbeat"
    return Verdict("enough_frames", count >= FEWEST_FRAMES_PER_BEAT, detail)


def moving(tissue: Frames) -> Verdict:
    """Rule: the picture moves, by more than noise, jitter, gain, and an ECG that runs through it.

    An ECG changes a strip of at most a quarter of the height, so the liveliest quarter does not
    count. `tissue` is grey (k, h, w), k at least 2. Further frames only add motion, so that the
    heart filled and the heart emptied are mostly enough.
    """
    share = _moving_share(tissue[[0, 2 * len(tissue) // 5]])
    if share < _MOVING_SHARE:
        share = _moving_share(tissue)
    return Verdict("moving", share >= _MOVING_SHARE, f"{share:.0%} of the picture moves")


def _moving_share(tissue: Frames) -> float:
    cells = _cells(_aligned(_even(_brightened(_small(tissue)))))
    lit = cells.mean(axis=0) > _LIT
    rows = ((np.ptp(cells, axis=0) > _CHANGE) & lit).sum(axis=1)
    quarter = len(rows) // 4
    before = np.concatenate([[0], np.cumsum(rows)])
    liveliest = int((before[quarter:] - before[: len(before) - quarter]).max())
    return (int(rows.sum()) - liveliest) / max(1, int(lit.sum()))


def heart_shaped(tissue: Frames, widest_top: float) -> Verdict:
    """Rule: the picture begins narrow enough for what its header says; `tissue` is grey (k, h, w).

    `widest_top` is the greatest share of the full width that the uppermost tissue may have.
    """
    top = top_share(tissue)
    detail = f"the picture begins with {top:.0%} of its width"
    if top > widest_top:
        detail += ", as that of a linear or convex probe, and its header does not say it is a heart"
    return Verdict("heart_shaped", top <= widest_top, detail)


def top_share(tissue: Frames) -> float:
    """The width of the uppermost tissue as a share of the greatest width; 1 without any tissue."""
    alive = np.ptp(_small(tissue), axis=0) > _ALIVE
    counts = alive.sum(axis=1)
    rows = np.flatnonzero(counts > 1)
    if rows.size == 0:
        return 1.0
    reach = _SIDE - alive.argmax(axis=1) - alive[:, ::-1].argmax(axis=1)
    widths = np.where(counts > 1, reach, 0)[rows[0] : rows[-1] + 1]
    top = widths[: max(1, round(_TOP * len(widths)))]
    return float(min(1.0, np.median(top) / np.percentile(widths, 95)))


def _small(tissue: Frames) -> Small:
    """Frames (k, side, side), each cell the mean of its pixels."""
    shape = (_SIDE, _SIDE)
    pictures = (Image.fromarray(frame).resize(shape, Image.Resampling.BOX) for frame in tissue)
    return np.stack([np.asarray(picture, np.float32) for picture in pictures])


def _brightened(frames: Small) -> Small:
    """Dark frames at the brightness of usual ones, as far as noise allows."""
    shown = frames[frames > _DARKEST]
    gain = _USUAL_LEVEL / float(shown.mean()) if shown.size else 1.0
    return frames * np.float32(min(max(gain, 1.0), _MOST_GAIN))


def _even(frames: Small) -> Small:
    """The frames at the brightness of the first, by how most of their lit cells differ from it."""
    lit = frames.min(axis=0) > _LIT
    if not lit.any():
        return frames
    gains = np.array([np.median(frames[0][lit] / frame[lit]) for frame in frames], np.float32)
    even: Small = frames * gains[:, None, None]
    return even


def _aligned(frames: Small) -> Small:
    """The frames, each moved as a whole to where it fits the first best; their margin is cut."""
    first = np.fft.rfft2((frames[0] - frames[0].mean()) * _WINDOW)
    moved = [frames[0]]
    for frame in frames[1:]:
        here = np.fft.rfft2((frame - frame.mean()) * _WINDOW)
        down, right = _best_shift(np.fft.irfft2(first * np.conj(here), s=frame.shape))
        shifted = _shifted(_shifted(frame, down, axis=0), right, axis=1)
        # What runs through a standing picture must not carry it along.
        moved.append(min(frame, shifted, key=lambda one: _apart(one, frames[0])))
    return np.stack([_within(frame) for frame in moved])


def _within(frame: Small) -> Small:
    return frame[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


def _apart(one: Small, other: Small) -> float:
    """The median difference of two frames, which few lively cells do not change."""
    return float(np.median(np.abs(_within(one) - _within(other))))


def _best_shift(correlation: NDArray[np.float64]) -> tuple[float, float]:
    """Where two frames fit best, in cells with fractions; nowhere beyond the margin."""
    y, x = (int(at) for at in np.unravel_index(np.argmax(correlation), correlation.shape))
    down = _peak(correlation[:, x], y)
    right = _peak(correlation[y], x)
    return (down, right) if max(abs(down), abs(right)) < _MARGIN else (0.0, 0.0)


def _peak(line: NDArray[np.float64], at: int) -> float:
    """The top of the parabola through a maximum and its neighbours, counted from -side/2."""
    before, peak, after = line[at - 1], line[at], line[(at + 1) % len(line)]
    bend = before - 2 * peak + after
    offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float((at + offset + _SIDE / 2) % _SIDE - _SIDE / 2)


def _shifted(frame: Small, by: float, axis: int) -> Small:
    whole = int(np.floor(by))
    part = np.float32(by - whole)
    moved: Small = (1 - part) * np.roll(frame, whole, axis) + part * np.roll(frame, whole + 1, axis)
    return moved


def _cells(frames: Small) -> Small:
    """Means of neighbouring cells, which evens out speckle and what shifting left at edges."""
    count, height, width = frames.shape
    blocks = frames.reshape(count, height // _CELL, _CELL, width // _CELL, _CELL)
    means: Small = blocks.mean(axis=(2, 4))
    return means
