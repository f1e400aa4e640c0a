"""Training an ECG model: pre-training where the network has a latent, then what is taught of it.

Killed and called again, it goes on after the last validation; on a CPU the result is the same bit
for bit.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.errors import TrainingDataError
from inference.training.cohort.reading import read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.cohort.splitting import SPLITS
from inference.training.ecg_ph.finetuning import Lesson, fine_tune
from inference.training.ecg_ph.pretraining import pretrain
from inference.training.ecg_ph.recipe import Recipe
from inference.training.ecg_ph.run import (
    FOLD,
    PRETRAINING,
    RANDOM,
    SHUFFLED,
    describe_run,
    fresh_network,
    is_latent,
    load_body,
)
from inference.training.ecg_ph.signals import Exams, Signals, records
from inference.training.processes import join
from inference.training.run_folder import claim

_SHUFFLE, _FOLDS = 33, 34


def fit(
    recipe: Recipe, cohort: Path, cache: Path, run: Path, *, on_progress: Progress = silent
) -> None:
    """Train everything that a recipe asks for in the folder `run`.

    `cohort` and `cache` are the folders of the built cohort and of its ECGs.

    Raises:
        TrainingDataError: an empty split, labels of one kind, ECGs that are not cached, or a
            folder that holds the run of another recipe or cohort.
    """
    found = read_cohort(cohort)
    training = Exams.of(found, cache, recipe, "train")
    judging = Exams.of(found, cache, recipe, "validation")
    everyone = Exams.of(found, cache, recipe, *SPLITS)
    _require_both(recipe, training.labels)
    others = records(cache, recipe)
    scale = training.signals.scale()
    with join(recipe.device) as world:
        made = describe_run(recipe, found, cohort, len(others), world.size)
        if world.writes:
            made = claim(run, made)
        world.wait()
        if is_latent(recipe):
            pretrain(
                recipe,
                fresh_network(recipe, scale),
                Signals([*training.signals.paths, *others], recipe),
                judging.signals,
                run / PRETRAINING,
                made.made_by,
                world,
                on_progress,
            )
        for name in made.taught():
            network = fresh_network(recipe, scale)
            if name != RANDOM:
                load_body(run, network)
            exams = everyone if name.startswith(FOLD) else training
            labels = shuffled(exams, recipe.seed) if name == SHUFFLED else exams.labels
            rows = np.flatnonzero(fold_of(exams, recipe) != _number(name))
            lesson = Lesson(exams.signals, labels, rows)
            made_by = {**made.made_by, "taught": name}
            fine_tune(recipe, network, lesson, run / name, made_by, world, on_progress)


def fold_of(exams: Exams, recipe: Recipe) -> NDArray[np.intp]:
    """The part of the cross-validation, from 1, that each exam is judged in; by patient."""
    patients, of_exam = np.unique(exams.patients, return_inverse=True)
    order = np.random.default_rng([recipe.seed, _FOLDS]).permutation(len(patients))
    part: NDArray[np.intp] = 1 + order[of_exam] % max(recipe.folds, 1)
    return part


def shuffled(exams: Exams, seed: int) -> NDArray[np.float64]:
    """Labels of another patient's exam for every exam; what is not known stays where it is."""
    rng = np.random.default_rng([seed, _SHUFFLE])
    labels = exams.labels.copy()
    _, patient = np.unique(exams.patients, return_inverse=True)
    for column in labels.T:
        known = np.flatnonzero(~np.isnan(column))
        places = {each: known[patient[known] == each] for each in np.unique(patient[known])}
        values = [column[rows].copy() for rows in places.values()]
        for rows, source in zip(places.values(), rng.permutation(len(values)), strict=True):
            column[rows] = values[source][np.arange(len(rows)) % len(values[source])]
    return labels


def _number(name: str) -> int:
    """Which part of the cross-validation is left out; 0: none."""
    return int(name.removeprefix(FOLD)) if name.startswith(FOLD) else 0


def _require_both(recipe: Recipe, labels: NDArray[np.float64]) -> None:
    """Refuse labels that teach nothing.

    Raises:
        TrainingDataError: a target has training exams of one kind only.
    """
    for target, column in zip(recipe.targets, labels.T, strict=True):
        known = column[~np.isnan(column)]
        if not len(known) or known.min() == known.max():
            raise TrainingDataError(
                f"cohort: the training exams are all alike for {target} ({len(known)} known); add "
                "exams of the other kind"
            )
