"""R waves read from the ECG that a cart draws into its picture.

Carts draw it in one of three ways, and in each something tells the present moment: a whole trace
with a marker that runs along it (HP, Agilent, GE), a trace that grows (Philips), a sweep that
overwrites itself behind a bar (Toshiba). Where that moment lies in some of the frames tells which
column belongs to which frame, so that neither a clock nor the scale of the strip is needed. What
does not fit one of them is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Fewer frames tell too little about how the moment moves.
FEWEST_FRAMES = 5

_STRONG = 60
_SHARE_INKED = 0.5
_SHARE_STEADY = 0.7
_R_HEIGHT = 0.2
_R_LEVEL = 0.6

Strips = NDArray[np.uint8]
Columns = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Moments:
    """The column of the present in each strip; `width` of what covers the trace there, pixels."""

    columns: Columns
    width: float


@dataclass(frozen=True, slots=True)
class _Sweep:
    """One pass over the strip: frame = (column - offset) / speed, between two of the frames.

    `strip` is the last one of the pass, by number; `follows` the first of the next, if any.
    """

    offset: float
    speed: float
    strip: int
    follows: int | None
    first_frame: float
    last_frame: float
    is_only: bool


def r_wave_frames(strips: Strips, frames: Sequence[int]) -> tuple[float, ...]:
    """Where on the clip's axis of frames (zero-based, with fractions) its R waves lie, ascending.

    `strips` are RGB (k, height, width, 3): the ECG region in some ascending `frames` of the clip,
    its last one among them. Empty where the trace cannot be read.
    """
    if len(frames) < FEWEST_FRAMES:
        return ()
    ink = _ink(strips)
    at = np.asarray(frames, np.float64)
    moments = _growing_end(ink) or _marker(strips)
    found: list[float] = []
    for sweep in _sweeps(moments, at):
        columns = _r_columns(_trace(ink, moments, sweep))
        waves = (columns - sweep.offset) / sweep.speed
        inside = (waves > sweep.first_frame - 1) & (waves < sweep.last_frame + 1.5)
        found.extend(waves[inside].tolist())
    return tuple(sorted(found))


def _ink(strips: Strips) -> Mask:
    """Where the trace is drawn (k, height, width): by its colour, or bright where it has none."""
    brightest, darkest = strips.max(axis=-1), strips.min(axis=-1)
    coloured: Mask = brightest - darkest > _STRONG
    if coloured.any(axis=(0, 1)).mean() >= _SHARE_INKED:
        return coloured
    bright: Mask = brightest > np.uint8(brightest.max() // 2)
    return bright


def _growing_end(ink: Mask) -> _Moments | None:
    """The end of a trace that grows from frame to frame; None where it does not."""
    inked: Mask = np.any(ink, axis=1)
    if not inked.any(axis=1).all():
        return None
    ends = inked.shape[1] - 1 - np.argmax(inked[:, ::-1], axis=1).astype(np.float64)
    if np.all(np.diff(ends) > 0) and ends[-1] - ends[0] > inked.shape[1] / 4:
        return _Moments(ends, width=0)
    return None


def _marker(strips: Strips) -> _Moments:
    """The middle of what each strip has and most do not."""
    usual = np.median(strips, axis=0)
    change = np.abs(strips - usual).mean(axis=(1, 3))
    peaks = change.max(axis=1, keepdims=True)
    weights = np.where(change > peaks / 2, change, 0)
    width = strips.shape[2]
    nearby = np.abs(np.arange(width) - change.argmax(axis=1)[:, None]) < max(8, width / 20)
    weights = weights * nearby + 1e-9
    columns = weights @ np.arange(width) / weights.sum(axis=1)
    covered = float(np.median((weights > 1e-6).sum(axis=1)))
    return _Moments(columns, covered)


def _sweeps(moments: _Moments, frames: Columns) -> list[_Sweep]:
    """The passes of the present over the strip; none where it does not move steadily."""
    columns = moments.columns
    speeds = np.diff(columns) / np.diff(frames)
    forward = speeds[speeds > 0]
    if len(forward) < _SHARE_STEADY * len(speeds):
        return []
    speed = float(np.median(forward))
    wraps = np.flatnonzero(np.diff(columns) < -np.ptp(columns) / 4)
    starts = [0, *(wraps + 1).tolist()]
    ends = [*starts[1:], len(frames)]
    sweeps, off = [], []
    for start, end in zip(starts, ends, strict=True):
        offsets = columns[start:end] - speed * frames[start:end]
        offset = float(np.median(offsets))
        off.append(np.abs(offsets - offset))
        follows = end if end < len(frames) else None
        last = end - 1 if follows is None else follows
        only = len(starts) == 1
        sweeps.append(_Sweep(offset, speed, end - 1, follows, frames[start], frames[last], only))
    tolerance = max(2.0, speed / 2)
    steady = float(np.mean(np.concatenate(off) <= tolerance))
    return sweeps if steady >= _SHARE_STEADY else []


def _trace(ink: Mask, moments: _Moments, sweep: _Sweep) -> Mask:
    """What a pass has drawn (height, width).

    What it drew after its last strip shows in the next. What a marker covers shows in the strip
    before, but where a pass overwrites the one before it, that shows the former pass.
    """
    drawn, column = ink[sweep.strip], moments.columns[sweep.strip]
    columns = np.arange(ink.shape[2])
    if sweep.follows is not None:
        is_drawn = columns < column - moments.width / 2
        elsewhere = ink[sweep.follows]
    else:
        is_drawn = (moments.width == 0) | (np.abs(columns - column) > moments.width / 2 + 2)
        elsewhere = ink[sweep.strip - 1] & sweep.is_only
    trace: Mask = np.where(is_drawn, drawn, elsewhere)
    return trace


def _r_columns(trace: Mask) -> Columns:
    """The columns of the peaks of a trace (height, width), to whichever side they are higher."""
    inked = np.flatnonzero(trace.any(axis=0))
    if inked.size < 2:
        return np.empty(0)
    height, width = trace.shape
    top = trace.argmax(axis=0)
    bottom = height - 1 - trace[::-1].argmax(axis=0)
    level = float(np.median((top + bottom)[inked])) / 2
    up, down = np.zeros(width), np.zeros(width)
    up[inked], down[inked] = level - top[inked], bottom[inked] - level
    deflection = up if up.max() >= down.max() else down
    if deflection.max() < _R_HEIGHT * height:
        return np.empty(0)
    high = np.flatnonzero(deflection > _R_LEVEL * deflection.max())
    peaks = np.split(high, np.flatnonzero(np.diff(high) > max(2, width // 100)) + 1)
    return np.array([np.average(peak, weights=deflection[peak]) for peak in peaks])
