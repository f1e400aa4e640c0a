"""From the ink of a trace to the line that the pen's middle has drawn."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter1d, minimum_filter1d
from scipy.signal import find_peaks

from inference.ecg.page.tracing import Traces

#: A tip stands out by so much more than noise does.
_TIP_PX = 3.0

_Floats = NDArray[np.float64]


def pen_px(traces: Traces) -> float:
    """How wide the pen is: how high the ink of traces is where they are level."""
    high = traces.bottom - traces.top
    return float(np.nanpercentile(high, 25)) if np.isfinite(high).any() else 0.0


def curve(top: _Floats, bottom: _Floats, pen: float) -> _Floats:
    """The line (columns) in pixels from above, of the upper and lower ends of its ink.

    A pen of some width draws, in each column, all that lies within half its width. So the upper
    end is an erosion of the line and the lower end a dilation; undone they give its opening and
    closing, which are alike wherever the line is not narrower than the pen. Where it is, its tips
    are those of the ends, and it runs straight from tip to tip.
    """
    size = 2 * max(round((pen - 1) / 2), 0) + 1
    upper, lower = top + pen / 2, bottom - pen / 2
    middle = (upper + lower) / 2
    upper, lower = np.minimum(upper, middle), np.maximum(lower, middle)
    opened = np.minimum(maximum_filter1d(upper, size), lower)
    closed = np.maximum(minimum_filter1d(lower, size), upper)
    heights = (opened + closed) / 2
    ends = [(upper, _tips(-upper)), (lower, _tips(lower))]
    beside = np.zeros(len(top), bool)
    for _, tips in ends:
        beside[tips] = True
    known = ~binary_dilation(beside, iterations=size // 2 + 1)
    for end, tips in ends:
        known[tips], heights[tips] = True, end[tips]
    places = np.arange(len(top))
    line: _Floats = np.interp(places, places[known], heights[known])
    return line


def _tips(end: _Floats) -> NDArray[np.intp]:
    """Where the upper side of a line stands out."""
    tips, _ = find_peaks(end, prominence=_TIP_PX)
    return tips
