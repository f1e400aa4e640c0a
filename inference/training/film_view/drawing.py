"""Films of the phantom with their views, for training and for testing."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inference.models.film_view import FILM_VIEWS, SIDE_PX
from inference.phantom import haemodynamics
from inference.phantom.film.anatomy import ChestAnatomy, Exposure, draw_chest, draw_exposure
from inference.phantom.film.canvas import Plane
from inference.phantom.film.frontal import frontal
from inference.phantom.film.other_views import abdomen, hand, knee, lateral
from inference.radiograph.film import Picture, fitted

#: Patients and exposures differ more than in any preset: the views are to be known anyway.
_SPREAD = 3.5
#: Drawn larger than they are looked at, as real films are.
_ROWS = 96
_OTHERS: tuple[Callable[[Exposure, int, int], Plane], ...] = (hand, knee, abdomen)


def draw_films(count: int, seed: int) -> tuple[Picture, NDArray[np.int64]]:
    """Draw `count` films of each view: (3 * count, 64, 64) in 0..1, and the place of its view."""
    rng = np.random.default_rng([seed, 21])
    films, views = [], []
    for number in range(count):
        for place, view in enumerate(FILM_VIEWS):
            films.append(_varied(_drawn(view, number, seed, rng), rng))
            views.append(place)
    return np.stack(films), np.array(views)


def _drawn(view: str, number: int, seed: int, rng: np.random.Generator) -> Plane:
    chest: ChestAnatomy = draw_chest(haemodynamics.draw(rng), rng, _SPREAD)
    exposure = draw_exposure(rng, _SPREAD, (seed, number, 22))
    columns = round(_ROWS * rng.uniform(0.8, 1.05))
    if view == "frontal":
        return frontal(chest, exposure, _ROWS, columns)
    if view == "lateral":
        film = lateral(chest, exposure, _ROWS, columns)
        return film if rng.random() < 0.5 else film[:, ::-1]  # from the left or the right
    if rng.random() < 0.25:  # a chest that does not stand upright is read wrongly, too
        return np.rot90(frontal(chest, exposure, _ROWS, columns), int(rng.integers(1, 4)))
    return _OTHERS[number % len(_OTHERS)](exposure, _ROWS, columns)


def _varied(film: Plane, rng: np.random.Generator) -> Picture:
    """The film as other rooms show it: cut, with another curve, and darker or flatter."""
    rows, columns = film.shape
    top, bottom, left, right = (int(cut) for cut in rng.integers(0, rows // 10, 4))
    cut = film[top : rows - bottom, left : columns - right]
    low, high = rng.uniform(0, 0.25), rng.uniform(0.75, 1)
    curved = low + (high - low) * np.clip(cut, 0, 1) ** rng.uniform(0.5, 1.8)
    grainy = curved + rng.normal(0, rng.uniform(0, 0.04), cut.shape)
    return fitted(np.clip(grainy, 0, 1), SIDE_PX)
