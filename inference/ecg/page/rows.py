"""Where on a page the rows of traces lie."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import find_peaks

from inference.ecg.page.upright import PX, Ink

#: A trace is mostly within so much of its level.
_NEAR = round(2.0 * PX)
_CLOSEST = 9 * PX
#: A row is inked over so large a share of what the best one is.
_AS_LONG = 0.55
#: Distances between rows differ at most by this share.
_REGULAR = 0.25


def row_levels(ink: Ink) -> NDArray[np.float64]:
    """The levels of the rows, in pixels from above; only those that follow each other regularly."""
    inked = ink.dark > ink.threshold
    near = maximum_filter1d(inked[:, ::2], 2 * _NEAR + 1, axis=0)
    share = near.mean(axis=1)
    density = inked.mean(axis=1)
    peaks, _ = find_peaks(np.convolve(density, np.ones(PX) / PX, "same"), distance=_CLOSEST)
    peaks = peaks[share[peaks] >= _AS_LONG * share.max(initial=0)]
    return _regular(peaks.astype(float))


def _regular(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The longest sequence of levels at regular distances."""
    best = levels[:0]
    for first in range(len(levels)):
        for last in range(first + 2, len(levels)):
            steps = np.diff(levels[first : last + 1])
            if np.ptp(steps) <= _REGULAR * steps.mean() and last + 1 - first > len(best):
                best = levels[first : last + 1]
    return best
