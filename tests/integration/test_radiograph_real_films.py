"""Real films from public repositories, each with its verdict. Skipped where they are absent."""

from pathlib import Path

import numpy as np

from inference.dicom.header import read_header
from inference.population import NOT_HUMAN
from inference.radiograph.film import NO_WINDOW_NOTE, Film, look
from inference.radiograph.rules import select
from inference.types import Rejected, Selected
from tests.peers import shared


def real(name: str) -> Path:
    return shared("data", "cxr", name)


def bones_are_white(film: Film) -> bool:
    """Whether the middle of the upper chest, the spine, is brighter than the lungs beside it."""
    side = len(film.pixels)
    upper = film.pixels[side // 5 : side * 2 // 5]
    spine = upper[:, side * 47 // 100 : side * 53 // 100].mean()
    lungs = [upper[:, side * at // 100 : side * (at + 8) // 100].mean() for at in (28, 64)]
    return bool(spine > max(lungs) + 0.15)


def test_a_pa_film_of_15_bits_in_jpeg_2000_is_taken() -> None:
    path = real("philips_cr_chest_pa_rg1_j2ki.dcm")
    selection = select(read_header(path))
    assert isinstance(selection, Selected)
    assert selection.plan == {"view": "PA", "notes": []}
    film = look(path)
    assert film.notes == ()
    assert bones_are_white(film)
    assert not film.pixels[:, :10].any()  # taller than wide: padded at both sides


def test_a_captured_film_without_tags_is_for_the_classifier() -> None:
    path = real("nih_sc_dx_chest_implicit.dcm")
    selection = select(read_header(path))
    assert isinstance(selection, Selected)
    assert selection.plan["view"] == ""
    film = look(path)
    assert film.notes == (NO_WINDOW_NOTE,)
    assert bones_are_white(film)


def test_a_dog_is_left_out() -> None:
    path = real("vet_dx_thorax_dog_downsized.dcm")
    selection = select(read_header(path))
    assert isinstance(selection, Rejected)
    assert selection.reason == NOT_HUMAN
    # MONOCHROME1 and INVERSE, both: turned once. The ground beside the dog is black.
    assert np.median(look(path).pixels[60:75, 400:500]) < 0.1
