"""Films for tests: the phantom's, quantised so that every way to store them keeps each grey."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.phantom import haemodynamics
from inference.phantom.film.anatomy import draw_chest, draw_exposure
from inference.phantom.film.border import Border, bordered
from inference.phantom.film.frontal import frontal
from inference.phantom.film.storing import VARIANTS, Storing
from inference.phantom.film.writing import FilmTags, write
from inference.phantom.writing import StudyTags

STUDY = StudyTags("tests/film", "PHANTOM-TEST", date(2024, 1, 15))
ROWS, COLUMNS = 160, 132


@cache
def greys(border: Border = Border.NONE) -> NDArray[np.float32]:
    """A frontal film, its greys multiples of 1/1023."""
    rng = np.random.default_rng(3)
    chest = draw_chest(haemodynamics.expected(35), rng, 0.3)
    drawn = frontal(chest, draw_exposure(rng, 0.3, (3,)), ROWS, COLUMNS)
    exact: NDArray[np.float32] = np.rint(bordered(drawn, border) * 1023) / np.float32(1023)
    return exact


def write_film(
    path: Path,
    storing: Storing = VARIANTS[0],
    view: str = "PA",
    border: Border = Border.NONE,
    **attributes: Any,
) -> Path:
    """Write it as stated; `attributes` replace those of the header."""
    tags = FilmTags(1, view, storing=storing, also=attributes)
    return write(path, STUDY, tags, greys(border))
