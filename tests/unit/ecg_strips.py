"""ECG strips as carts draw them: a green trace, and something that tells the present moment."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FRAMES = 220, 36, 40
TRACE, MARKER = (20, 200, 70), (205, 205, 205)

Strips = NDArray[np.uint8]


class Style(StrEnum):
    """How a cart shows which part of the ECG belongs to a frame."""

    MARKER = "a marker runs along a whole trace"
    GROWING = "the trace grows"
    SWEEP = "a bar runs over the old trace, again and again"
    STANDING = "nothing moves"


def draw(
    style: Style, r_waves: Sequence[float], frames: Sequence[int], *, inverted: bool = False
) -> Strips:
    """RGB strips (k, height, width, 3) of these frames; R waves are frames with fractions."""
    return np.stack([_DRAW[style](r_waves, frame, inverted) for frame in frames])


def ecg(at: NDArray[np.float64], r_waves: Sequence[float]) -> NDArray[np.float64]:
    """P, QRS and T by frame; the R wave is 1 high and two frames wide."""
    level = np.zeros_like(at)
    for wave in r_waves:
        for delay, height, width in ((-5, 0.12, 1.2), (0, 1, 0.7), (0.9, -0.15, 0.5), (9, 0.3, 2)):
            level += height * np.exp(-(((at - wave - delay) / width) ** 2))
    return level


def _trace(picture: Strips, level: NDArray[np.float64], columns: range, inverted: bool) -> None:
    height = HEIGHT - 6
    rows = (HEIGHT - 8 - np.clip(level, -0.2, 1) * (height - 6)).round().astype(int)
    if inverted:
        rows = HEIGHT - 1 - rows
    for column in columns:
        before = rows[max(columns.start, column - 1)]
        low, high = sorted((int(before), int(rows[column])))
        picture[low : high + 1, column] = TRACE


def _with_marker(r_waves: Sequence[float], frame: int, inverted: bool) -> Strips:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    level = ecg(np.arange(WIDTH) / WIDTH * FRAMES, r_waves)
    left = round(frame / FRAMES * WIDTH)
    picture[2:-2, left : left + 5] = MARKER
    _trace(picture, level, range(WIDTH), inverted)
    return picture


def _growing(r_waves: Sequence[float], frame: int, inverted: bool) -> Strips:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    level = ecg(np.arange(WIDTH) / WIDTH * FRAMES, r_waves)
    _trace(picture, level, range(round((frame + 1) / FRAMES * WIDTH)), inverted)
    return picture


def _sweeping(r_waves: Sequence[float], frame: int, inverted: bool) -> Strips:
    """The strip shows 50 frames; the clip begins when the bar is at three fifths of it."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    speed = WIDTH / 50
    bar = round(0.6 * WIDTH + frame * speed) % WIDTH
    columns = np.arange(WIDTH)
    at = frame - ((bar - columns) % WIDTH) / speed
    _trace(picture, ecg(at, r_waves), range(WIDTH), inverted)
    picture[2:-2, max(0, bar - 1) : bar + 2] = (60, 255, 60)
    return picture


def _standing(r_waves: Sequence[float], _frame: int, inverted: bool) -> Strips:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    _trace(picture, ecg(np.arange(WIDTH) / WIDTH * FRAMES, r_waves), range(WIDTH), inverted)
    return picture


_DRAW = {
    Style.MARKER: _with_marker,
    Style.GROWING: _growing,
    Style.SWEEP: _sweeping,
    Style.STANDING: _standing,
}
