"""Records in memory: a film, its ECG and what the catheter measured; and what a step sees of them.

Which records and which part of each film a step sees follows from seed and step alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.errors import TrainingDataError
from inference.models.film_and_ecg import stacked
from inference.radiograph.film import fitted
from inference.radiograph.patches import grid, patch_px
from inference.training.cohort.reading import Cohort, CohortExam
from inference.training.cxr_ecg.cache import read_cached
from inference.training.cxr_ecg.recipe import Recipe

_ORDER, _PLACES, _LABELS, _DROPPED = 41, 42, 43, 44


@dataclass(frozen=True, slots=True)
class Records:
    """Exams with a usable film and ECG.

    `films` are uint8 (N, film_px, film_px), `ecgs` uint8 (N, 12, 48, 224), `mpap_mmhg` (N,).
    """

    exams: Sequence[CohortExam]
    films: NDArray[np.uint8]
    ecgs: NDArray[np.uint8]
    mpap_mmhg: NDArray[np.float64]

    @classmethod
    def read(cls, exams: Sequence[CohortExam], cache: Path, film_px: int) -> Self:
        """Take the exams of which film and ECG are cached.

        Raises:
            TrainingDataError: none is, or some were never looked at.
        """
        used, films, ecgs = [], [], []
        for exam in exams:
            kept = read_cached(cache, exam)
            if {"film", "ecg"} <= kept.keys():
                used.append(exam)
                films.append(_resized(kept["film"], film_px))
                ecgs.append(kept["ecg"])
        if not used:
            raise TrainingDataError("cohort: no exam of a split has a usable film and ECG")
        pressures = np.array([exam.truth["mpap_mmhg"] for exam in used])
        return cls(used, np.stack(films), np.stack(ecgs), pressures)

    def __len__(self) -> int:
        return len(self.exams)

    @property
    def patients(self) -> list[str]:
        """The number of each record's patient."""
        return [exam.patient_number for exam in self.exams]

    def pictures(self, chosen: NDArray[np.intp]) -> Tensor:
        """The ECGs of some records: (B, 36, 48, 224)."""
        return stacked(self.ecgs[chosen])

    def patches(self, chosen: NDArray[np.intp], layout: str) -> Tensor:
        """The films of some records as judging sees them: (B, P, 1, S, S)."""
        films = [self.films[k].astype(np.float32) / 255 for k in chosen]
        seen = [grid(film) if layout == "grid" else film[np.newaxis] for film in films]
        return torch.from_numpy(np.stack(seen)).unsqueeze(2)

    def with_shuffled_pressures(self, seed: int) -> NDArray[np.float64]:
        """Each patient's pressures replaced by those of another patient."""
        rng = np.random.default_rng([seed, _LABELS])
        pressures = dict(zip(self.patients, self.mpap_mmhg, strict=True))
        circle = rng.permutation(sorted(pressures)).tolist()
        others = dict(zip(circle, np.roll(circle, 1).tolist(), strict=True))
        return np.array([pressures[others[number]] for number in self.patients])


def split_records(recipe: Recipe, cohort: Cohort, cache: Path, split: str) -> Records:
    """The records of one split.

    Raises:
        TrainingDataError: there are none.
    """
    return Records.read(cohort.part(split), cache, recipe.film_px)


def batches(records: int, recipe: Recipe, first: int, count: int) -> Iterator[NDArray[np.intp]]:
    """The records of `count` steps from number `first`; each is seen once in an epoch."""
    per_epoch = steps_per_epoch(records, recipe)
    for step in range(first, first + count):
        epoch, within = divmod(step, per_epoch)
        order = np.random.default_rng([recipe.seed, epoch, _ORDER]).permutation(records)
        yield np.array_split(order, per_epoch)[within]


def steps_per_epoch(records: int, recipe: Recipe) -> int:
    """How many steps see every record once."""
    return -(-records // recipe.optimisation.batch_records)


def training_patches(
    records: Records, chosen: NDArray[np.intp], recipe: Recipe, step: int
) -> Tensor:
    """One patch of each film, somewhere in it, or the whole film shifted: (B, 1, 1, S, S)."""
    rng = np.random.default_rng([recipe.seed, step, _PLACES])
    films = records.films[chosen]
    if recipe.film == "grid":
        side, room = patch_px(recipe.film_px), recipe.film_px - patch_px(recipe.film_px)
    else:
        shift = round(recipe.shift * recipe.film_px)
        films = np.pad(films, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
        side, room = recipe.film_px, 2 * shift
    places = rng.integers(0, room + 1, (len(films), 2))
    seen = [
        film[top : top + side, left : left + side]
        for film, (top, left) in zip(films, places, strict=True)
    ]
    return (torch.from_numpy(np.stack(seen)).float() / 255)[:, None, None]


def dropped_ecgs(recipe: Recipe, step: int, records: int) -> Tensor | None:
    """Which records of a step are seen without their ECG, if any may be."""
    if not recipe.drop_ecg:
        return None
    rng = np.random.default_rng([recipe.seed, step, _DROPPED])
    return torch.from_numpy(rng.random(records) < recipe.drop_ecg)


def _resized(film: NDArray[np.uint8], film_px: int) -> NDArray[np.uint8]:
    return np.rint(fitted(film.astype(np.float32), film_px)).astype(np.uint8)
