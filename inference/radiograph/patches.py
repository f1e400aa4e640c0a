"""What an encoder is given of a film: the paper's nine patches, or the whole film.

PulmoFusion-mPAP crops 224 x 224 out of 512 x 512: in testing a grid of 3 x 3 with a stride of 144.
A film of another size is cut in the same proportions.
"""

from typing import Literal

import numpy as np

from inference.radiograph.film import Picture, fitted

Layout = Literal["grid", "whole"]

#: A patch of a film of 512 pixels; it divides films whose side is a multiple of 16.
PATCH_PX = 224
_FILM_PX = 512


def patches(film: Picture, layout: Layout, film_px: int) -> Picture:
    """The grid's patches (9, side, side) of a film of `film_px`, or all of it (1, side, side)."""
    return grid(fitted(film, film_px)) if layout == "grid" else whole(film, film_px)


def patch_px(film_px: int) -> int:
    """The side of a patch of a film.

    Raises:
        ValueError: the film cannot be divided so.
    """
    side, left = divmod(film_px * PATCH_PX, _FILM_PX)
    if left or (film_px - side) % 2:
        raise ValueError(f"a film of {film_px} pixels has no grid: choose a multiple of 32")
    return side


def starts_px(film_px: int) -> tuple[int, int, int]:
    """Where the grid's patches begin, downwards and to the right; the last ends with the film."""
    last = film_px - patch_px(film_px)
    return 0, last // 2, last


def grid(film: Picture) -> Picture:
    """The nine patches (9, side, side) of a square film, row by row from the top left."""
    starts = starts_px(len(film))
    return np.stack([patch(film, top, left) for top in starts for left in starts])


def patch(film: Picture, top: int, left: int) -> Picture:
    """One patch (side, side) of a film, as training draws them anywhere in it.

    Raises:
        ValueError: it does not lie whole in the film.
    """
    side = patch_px(len(film))
    if not (0 <= top <= len(film) - side and 0 <= left <= len(film) - side):
        raise ValueError(f"a patch at row {top}, column {left} leaves the film")
    return film[top : top + side, left : left + side]


def whole(film: Picture, side_px: int = PATCH_PX) -> Picture:
    """The whole film, resized by area: (1, side, side)."""
    return fitted(film, side_px)[np.newaxis]
