"""The calibration pulse before or after a row: 1 mV for 0.2 s."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.ecg.page.upright import PX

_GAINS_MM_PER_MV, _SPEEDS_MM_PER_S = (5.0, 10.0, 20.0), (25.0, 50.0)
_PULSE_S = 0.2
#: Pulses deviate from one of these by at most this share and this width.
_GAIN_SHARE, _WIDTH_MM = 0.07, 1.0
#: The top of a pulse is level to this, and between flanks as close as this.
_LEVEL_MM, _FLANK_MM = 0.25, 0.7

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pulse:
    """From column `left` to `right`; `high_mm` from foot to top, `wide_mm` between its flanks.

    `pen_px` is how wide the pen is: how high the ink of its level top is.
    """

    left: int
    right: int
    high_mm: float
    wide_mm: float
    pen_px: float


def find_pulse(top: _Floats, bottom: _Floats, pen: float) -> Pulse | None:
    """The pulse in a part of a row, by the ends of its ink (pixels; NaN where there is none)."""
    thin = bottom - top < pen + _LEVEL_MM * PX
    middle = (top + bottom) / 2
    starts = np.flatnonzero(thin & ~np.r_[False, thin[:-1]])
    ends = np.flatnonzero(thin & ~np.r_[thin[1:], False]) + 1
    for start, end in zip(starts, ends, strict=True):
        pulse = _pulse(top, bottom, slice(start, end), float(np.median(middle[start:end])), pen)
        if pulse:
            return pulse
    return None


def gain(pulses: list[Pulse]) -> float | None:
    """mm for 1 mV, of which all pulses speak; None where they do not."""
    return _agreed([pulse.high_mm for pulse in pulses], _GAINS_MM_PER_MV, _GAIN_SHARE, 0.0)


def speed(pulses: list[Pulse]) -> float | None:
    """mm for 1 s, of which all pulses speak; None where they do not."""
    wide = _agreed(
        [pulse.wide_mm for pulse in pulses],
        tuple(_PULSE_S * speed for speed in _SPEEDS_MM_PER_S),
        0.0,
        _WIDTH_MM,
    )
    return None if wide is None else wide / _PULSE_S


def _agreed(
    found: list[float], known: tuple[float, ...], share: float, around: float
) -> float | None:
    nearest = {min(known, key=lambda one: abs(one - each) / one) for each in found}
    if len(nearest) != 1:
        return None
    (agreed,) = nearest
    most = agreed * share + around
    return agreed if all(abs(each - agreed) <= most for each in found) else None


def _pulse(top: _Floats, bottom: _Floats, level: slice, height: float, pen: float) -> Pulse | None:
    """What the level part of a trace is the top of, if it is one of a pulse."""
    middle = (top[level] + bottom[level]) / 2
    if not 3 * PX <= level.stop - level.start <= 12 * PX or np.ptp(middle) > _LEVEL_MM * PX * 2:
        return None
    reach = round(_FLANK_MM * PX)
    before = slice(max(level.start - reach, 0), level.start)
    after = slice(level.stop, level.stop + reach)
    feet = [_foot(top[flank], bottom[flank], height, pen) for flank in (before, after)]
    if feet[0] is None or feet[1] is None or abs(feet[0] - feet[1]) > 0.6 * PX:
        return None
    high = ((feet[0] + feet[1]) / 2 - height) / PX
    long = [
        np.flatnonzero(bottom[flank] - top[flank] > high * PX / 2) + flank.start
        for flank in (before, after)
    ]
    if high < 3 or not len(long[0]) or not len(long[1]):
        return None
    wide = (long[1].mean() - long[0].mean()) / PX
    thick = float(np.median(bottom[level] - top[level]))
    return Pulse(int(long[0][0]), int(long[1][-1]), float(high), float(wide), thick)


def _foot(top: _Floats, bottom: _Floats, height: float, pen: float) -> float | None:
    """Where the middle of the pen is at the foot of a flank that rises to this height."""
    if not len(top) or np.isnan(bottom).all():
        return None
    if abs(float(np.nanmin(top)) + pen / 2 - height) > PX / 2:
        return None
    return float(np.nanmax(bottom)) - pen / 2
