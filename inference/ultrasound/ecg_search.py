"""Where a cart has drawn the ECG that no ultrasound region names: a coloured line below the tissue.

Only colour tells it from text and scales, which carts draw in white, so a white trace is not
found. A line is taken for an ECG only after its R waves were read and confirmed.
"""

import numpy as np
from numpy.typing import NDArray

from inference.ultrasound.regions import Bounds

#: Difference of the brightest and the darkest colour, 8 bit, of a coloured line.
_COLOURED = 60
#: A trace spans at least this share of the picture's width, and so many pixels in height.
_SHORTEST_SHARE = 0.25
_LOWEST_PX = 8
#: Rows without any colour that part one thing from another.
_GAP_PX = 3
#: Most columns below a trace are inked by it.
_SHARE_INKED = 0.6
#: A trace is a line: so many of a strip's pixels are inked at most.
_MOST_INK = 0.4

Pictures = NDArray[np.uint8]


def find_strip(pictures: Pictures, tissue: Bounds) -> Pictures | None:
    """The strip with a coloured trace below the tissue region, of RGB frames (k, h, w, 3)."""
    below = pictures[:, tissue.y1 + 1 :]
    if below.shape[1] < _LOWEST_PX:
        return None
    red, green, blue = np.moveaxis(below, -1, 0)
    most = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    ink = (most - least > _COLOURED).any(axis=0)
    rows = np.flatnonzero(ink.any(axis=1))
    for band in np.split(rows, np.flatnonzero(np.diff(rows) > _GAP_PX) + 1):
        strip = _trace_in(ink, band)
        if strip is not None:
            return below[:, strip[0], strip[1]]
    return None


def _trace_in(ink: NDArray[np.bool_], rows: NDArray[np.intp]) -> tuple[slice, slice] | None:
    """Rows and columns of what is inked in a band of rows, where it has the shape of a trace."""
    if rows.size == 0:
        return None
    band = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero(ink[band].any(axis=0))
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    strip = ink[band, across]
    spans = strip.shape[1] >= _SHORTEST_SHARE * ink.shape[1] and strip.shape[0] >= _LOWEST_PX
    is_line = strip.any(axis=0).mean() >= _SHARE_INKED and strip.mean() <= _MOST_INK
    return (band, across) if spans and is_line else None
