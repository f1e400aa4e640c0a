"""One patient's film and ECG at known pressures, as two studies a day apart."""

from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inference.phantom.ecg.forms import FORMS, FormKind
from inference.phantom.ecg.making import write_form
from inference.phantom.ecg.signal import draw_ecg
from inference.phantom.film.anatomy import draw_chest, draw_exposure
from inference.phantom.film.frontal import frontal
from inference.phantom.film.writing import FilmTags, write
from inference.phantom.haemodynamics import Haemodynamics
from inference.phantom.presets import preset_named
from inference.phantom.writing import StudyTags

_STREAM = 34
_DAY = date(2024, 1, 15)
_ROWS, _COLUMNS = 512, 448


class Pair(NamedTuple):
    """A film and an ECG, each in a study of its own."""

    film: Path
    ecg: Path


def make_pair(folder: Path, truth: Haemodynamics, *, seed: int, preset: str = "easy") -> Pair:
    """Write a PA film and an ECG of twelve leads; the same arguments give the same bytes.

    Raises:
        ValueError: there is no preset of this name.
    """
    hardness, rng = preset_named(preset), np.random.default_rng([seed, _STREAM])
    chest = draw_chest(truth, rng, hardness.film_spread)
    exposure = draw_exposure(rng, hardness.film_spread, (seed, _STREAM))
    ecg = draw_ecg(truth, rng, hardness, seconds=FORMS[FormKind.MDC].seconds)
    name, patient_id = f"pair/{preset}/{seed}", f"PHANTOM-PAIR-{seed}"
    film_study = StudyTags(f"{name}/film", patient_id, _DAY)
    ecg_study = StudyTags(f"{name}/ecg", patient_id, _DAY + timedelta(days=1))
    pair = Pair(folder / "film.dcm", folder / "ecg.dcm")
    folder.mkdir(parents=True, exist_ok=True)
    write(pair.film, film_study, FilmTags(1), frontal(chest, exposure, _ROWS, _COLUMNS))
    write_form(pair.ecg, ecg_study, 1, ecg, FormKind.MDC)
    return pair
