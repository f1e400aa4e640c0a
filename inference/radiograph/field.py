"""The exposed field of a film: what lies between the collimator's blades."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

#: Lines are judged by so many of their pixels, evenly spread.
_SAMPLES = 256
#: The greys (0..1) of a line behind a blade lie within this, but for letters: so many percent of
#: its pixels at either end of the greys may be any.
_FLAT = 0.04
_LETTERS = 12
#: No chest is a smaller share of a side than this: what looks so was judged wrongly.
_LEAST_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Field:
    """Rows and columns of the exposed field; `bottom` and `right` are the first outside it."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, picture: Picture) -> Picture:
        """The part of a picture (rows, columns) that lies in the field."""
        return picture[self.top : self.bottom, self.left : self.right]


def exposed_field(picture: Picture) -> Field:
    """Find the field of a picture (rows, columns) of greys 0..1.

    Outside it lie whole rows and columns of one grey: white where no X-rays came, black where the
    device masked them. The collimator's edges in the header are not asked: some devices write
    them in millimetres where pixels are due.
    """
    rows, columns = picture.shape
    top, bottom = _bounds(picture[:, :: _step(columns)])
    left, right = _bounds(picture[top : bottom : _step(rows)].T)
    top, bottom = _bounds(picture[:, left : right : _step(columns)])
    return Field(top, bottom, left, right)


def _step(length: int) -> int:
    return max(1, length // _SAMPLES)


def _bounds(lines: Picture) -> tuple[int, int]:
    """The first line that shows something, and the first behind the last; all if too few do."""
    low, high = np.percentile(lines, [_LETTERS, 100 - _LETTERS], axis=1)
    lively = np.flatnonzero(high - low > _FLAT)
    if not lively.size or lively[-1] + 1 - lively[0] < _LEAST_SHARE * len(lines):
        return 0, len(lines)
    return int(lively[0]), int(lively[-1]) + 1
