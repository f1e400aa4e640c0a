"""What a part of a film does to an estimate: how that changes when the part is hidden.

Zeiler and Fergus, ECCV 2014. What hides a part is the mean grey of the film.
"""

import numpy as np
from numpy.typing import NDArray

#: The parts of a film as it is looked at, row by row, as the paper's grid has its patches.
PARTS = (
    *("upper left", "upper middle", "upper right"),
    *("middle left", "centre", "middle right"),
    *("lower left", "lower middle", "lower right"),
)
_PER_SIDE = 3


def with_hidden_parts(pictures: NDArray[np.float32], grey: float) -> NDArray[np.float32]:
    """What an encoder is shown in place of the parts of a film, of pictures (P, side, side).

    Of a film in nine patches it is one patch (1, side, side) without anything, for each of them the
    same. Of a whole film they are nine films (9, side, side), each without one part.
    """
    count, rows, columns = pictures.shape
    if count == len(PARTS):
        return np.full((1, rows, columns), grey, np.float32)
    films = np.repeat(pictures, len(PARTS), axis=0)
    for part, film in enumerate(films):
        row, column = divmod(part, _PER_SIDE)
        film[_third(row, rows), _third(column, columns)] = grey
    return films


def effects(seen: NDArray[np.float64], hidden: NDArray[np.float64]) -> NDArray[np.float64]:
    """How the estimate changes without each of the nine parts: (9).

    `seen` are the estimates of the pictures (P), whose mean is that of the film, and `hidden` those
    of what `with_hidden_parts` shows in their place (1 or 9).
    """
    changes: NDArray[np.float64] = (hidden - seen) / len(seen)
    return changes


def _third(number: int, length: int) -> slice:
    return slice(number * length // _PER_SIDE, (number + 1) * length // _PER_SIDE)
