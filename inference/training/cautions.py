"""Cohorts that train, but that no good model can be expected from: said before hours are spent."""

from collections.abc import Iterator

import numpy as np

from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.cohort.reading import Cohort
from inference.training.scales import truths

#: The smallest training split that the recipe "phantom" is tested with.
TESTED_TRAINING_EXAMS = 150
#: Fewer cannot say which weights are best, nor hold a 90 % interval's two tails.
ENOUGH_VALIDATION_EXAMS = 30


def cautions(cohort: Cohort, targets: tuple[str, ...]) -> tuple[str, ...]:
    """What is wrong with a cohort's shape for these targets, each with what to do about it."""
    return tuple(
        caution for target in targets for caution in (*_few(cohort, target), *_one(cohort, target))
    )


def _few(cohort: Cohort, target: str) -> Iterator[str]:
    training, validation = (len(_values(cohort, name, target)) for name in ("train", "validation"))
    if training < TESTED_TRAINING_EXAMS:
        yield (
            f"{target}: {training} training exams, fewer than {TESTED_TRAINING_EXAMS}: expect a "
            "weak model and compare it with the evaluation's baseline; add exams"
        )
    if validation < ENOUGH_VALIDATION_EXAMS:
        yield (
            f"{target}: {validation} validation exams, fewer than {ENOUGH_VALIDATION_EXAMS}: "
            "calibration and intervals depend on chance; add exams"
        )


def _one(cohort: Cohort, target: str) -> Iterator[str]:
    """Splits whose exams are all on one side of the limit."""
    limit, unit = QUANTITIES[target].upper_limit, QUANTITIES[target].unit.meaning
    for split, lost in (
        ("training", "nothing shows the model the other side"),
        ("validation", "no decision threshold and no probability can be fitted"),
    ):
        above = _values(cohort, "train" if split == "training" else split, target) > limit
        if len(above) and (above.all() or not above.any()):
            side = "above" if above.all() else "not above"
            yield (
                f"{target}: every {split} exam is {side} {limit:g} {unit}: {lost}; "
                "add exams of the other side"
            )


def _values(
    cohort: Cohort, split: str, target: str
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    values = truths(cohort.part(split), [target])[:, 0]
    return values[np.isfinite(values)]
