"""Whether stated probabilities come true: calibration of a probability on the test split.

Calibration in the large, intercept and slope are those of a logistic regression of presence on the
stated log odds (Cox, Biometrika 1958; Van Calster et al, BMC Med 2019).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.training.evaluation.metrics import (
    Figure,
    Sample,
    Statistic,
    mean,
    resample,
    summarise,
)

Values = NDArray[np.float64]

#: Probabilities are read in groups of about this many exams, and at most this many groups.
_EXAMS_IN_A_GROUP, _MOST_GROUPS = 20, 10
_STEPS, _CONVERGED, _RUNAWAY = 30, 1e-6, 50.0


@dataclass(frozen=True, slots=True)
class Group:
    """Exams of like probability: the mean that was stated, and the share that had the condition."""

    stated: float
    shown: Figure


@dataclass(frozen=True, slots=True)
class Reliability:
    """One condition's probabilities on the test split.

    `figures`: `brier`, the mean squared error; `in_the_large`, by how many log odds presence
    exceeds what is stated; `intercept` and `slope` of presence on the stated log odds: 0 and 1
    where a probability can be taken at its word, a slope below 1 where it is too sure of itself.
    """

    condition: str
    exams: int
    present: int
    figures: dict[str, Figure]
    groups: Sequence[Group]


def judge(probability: pd.DataFrame, *, draws: int, seed: int) -> Iterator[Reliability]:
    """Judge each condition; rows of exam_id, patient_id, condition, present, probability."""
    for condition, rows in probability.groupby("condition"):
        present = rows["present"].to_numpy(dtype=bool)
        stated = rows["probability"].to_numpy(dtype=float)
        sample = resample(rows["patient_id"], draws=draws, seed=seed)
        ends = min(sample.part(present).count, sample.part(~present).count)
        intercept, slope = _lines(present, stated, sample)
        figures = {
            "brier": mean((stated - present) ** 2, sample),
            "in_the_large": Statistic(_in_the_large(present, stated, sample), ends),
            "intercept": Statistic(intercept, ends),
            "slope": Statistic(slope, ends),
        }
        groups = tuple(_groups(present, stated, sample))
        yield Reliability(str(condition), len(rows), int(present.sum()), summarise(figures), groups)


def _log_odds(stated: Values) -> Values:
    kept = np.clip(stated, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(kept / (1 - kept)))


def _in_the_large(present: NDArray[np.bool_], stated: Values, sample: Sample) -> Values:
    """The shift of all log odds that makes as many present as were, by Newton's method."""
    odds, weights = _log_odds(stated), sample.weights
    shift = np.zeros(len(weights))
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-(odds + shift[:, None])))
        with np.errstate(invalid="ignore", divide="ignore"):
            step = (weights * (present - chance)).sum(axis=1) / (
                (weights * chance * (1 - chance)).sum(axis=1)
            )
        shift = np.clip(shift + step, -_RUNAWAY, _RUNAWAY)
    return np.where(np.abs(step) < _CONVERGED, shift, np.nan)


def _lines(present: NDArray[np.bool_], stated: Values, sample: Sample) -> tuple[Values, Values]:
    """Intercept and slope of each draw, by Newton's method; NaN where there is no such line.

    There is none where only one class occurs, all probabilities are the same, or one divides the
    classes without an error.
    """
    odds, weights = _log_odds(stated), sample.weights
    intercept, slope = np.zeros(len(weights)), np.ones(len(weights))
    size = np.full(len(weights), np.inf)
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            chance = 1 / (1 + np.exp(-(intercept[:, None] + slope[:, None] * odds)))
            error, spread = weights * (present - chance), weights * chance * (1 - chance)
            first, second = error.sum(axis=1), error @ odds
            a, b, c = spread.sum(axis=1), spread @ odds, spread @ odds**2
            determinant = a * c - b**2
            steps = (c * first - b * second) / determinant, (a * second - b * first) / determinant
            intercept = np.clip(intercept + steps[0], -_RUNAWAY, _RUNAWAY)
            slope = np.clip(slope + steps[1], -_RUNAWAY, _RUNAWAY)
            size = np.abs(steps[0]) + np.abs(steps[1])
    # Without it all probabilities of the draw are the same, but for rounding.
    varies = determinant > _CONVERGED * a * c
    found = (size < _CONVERGED) & varies
    return np.where(found, intercept, np.nan), np.where(found, slope, np.nan)


def _groups(present: NDArray[np.bool_], stated: Values, sample: Sample) -> Iterator[Group]:
    """Groups of about equal size; exams of the same probability stay together."""
    count = min(_MOST_GROUPS, max(1, len(stated) // _EXAMS_IN_A_GROUP))
    codes = pd.qcut(stated, count, labels=False, duplicates="drop")
    codes = np.zeros(len(stated), dtype=int) if np.isnan(codes).any() else codes
    for code in np.unique(codes):
        inside = codes == code
        shown = mean(present[inside], sample.part(inside)).figure()
        yield Group(float(stated[inside].mean()), shown)
