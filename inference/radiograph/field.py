"""The exposed field of a film: what lies between the collimator's blades."""

from dataclasses import dataclass

import numpy as np

from inference.radiograph.tables import Values

#: Lines are judged by so many of their pixels, evenly spread.
_SAMPLES = 256
#: The greys (0..1) of a line behind a blade lie within this, but for letters: so many percent of
#: its pixels at either end of the greys may be any.
_FLAT = 0.04
_LETTERS = 12
#: Of so many lines one may be dead.
_DEAD_LINES = 250
#: No chest is a smaller share of a side than this: what looks so was judged wrongly.
_LEAST_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Field:
    """Rows and columns of the exposed field; `bottom` and `right` are the first outside it."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, picture: Values) -> Values:
        """The part of a picture (rows, columns) that lies in the field."""
        return picture[self.top : self.bottom, self.left : self.right]


def exposed_field(picture: Values) -> Field:
    """Find the field of a picture (rows, columns) of greys 0..1.

    Outside it lie whole rows and columns of one grey: white where no X-rays came, black where the
    device masked them. The collimator's edges in the header are not asked: a real film of
    our tests has them outside of its rows and columns.
    """
    rows, columns = picture.shape
    top, bottom = _bounds(picture[:, :: _step(columns)])
    left, right = _bounds(picture[top : bottom : _step(rows)].T)
    top, bottom = _bounds(picture[:, left : right : _step(columns)])
    return Field(top, bottom, left, right)


def _step(length: int) -> int:
    return max(1, length // _SAMPLES)


def _bounds(lines: Values) -> tuple[int, int]:
    """The longest run of lines that show something, its end exclusive; all if it is too short.

    A text in the border makes a run of its own.
    """
    low, high = np.percentile(lines, [_LETTERS, 100 - _LETTERS], axis=1)
    lively = np.flatnonzero(high - low > _FLAT)
    gaps = np.flatnonzero(np.diff(lively) > 1 + len(lines) // _DEAD_LINES)
    run = max(np.split(lively, gaps + 1), key=len)
    if len(run) < _LEAST_SHARE * len(lines):
        return 0, len(lines)
    return int(run[0]), int(run[-1]) + 1
