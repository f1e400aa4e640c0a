"""What is fitted on the validation split: from logit to probability, and the threshold."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from inference.bundle.calibration import Logistic
from inference.bundle.targets import PresenceTarget
from inference.errors import TrainingDataError
from inference.training.evaluation.metrics import matthews, resample

#: Fewer validation exams of one kind than this calibrate nothing.
FEWEST = 5

Values = NDArray[np.float64]


def calibrate(name: str, rows: pd.DataFrame) -> PresenceTarget:
    """The target of a bundle, from validation exams with `label`, `logit` and `patient_id`.

    The curve is Platt's; the threshold is where Matthews' correlation is highest.

    Raises:
        TrainingDataError: too few exams of a kind.
    """
    known = rows.dropna(subset=["label"])
    present, logit = known["label"].to_numpy(bool), known["logit"].to_numpy(float)
    fewest = int(min(present.sum(), (~present).sum()))
    if fewest < FEWEST:
        raise TrainingDataError(
            f"calibration: {fewest} validation exams of one kind for {name}; {FEWEST} are needed"
        )
    curve = _platt(present, logit)
    stated = np.array([curve(each) for each in logit])
    threshold = _threshold(present, stated, known["patient_id"])
    return PresenceTarget(kind="presence", name=name, threshold=threshold, calibration=curve)


def _platt(present: NDArray[np.bool_], logit: Values) -> Logistic:
    """Platt's curve with his targets, which keep off 0 and 1; never falling."""
    positive, negative = present.sum(), (~present).sum()
    wanted = np.where(
        present,
        (positive + 1) / (positive + 2),
        1 / (negative + 2),
    )

    def loss(line: Values) -> float:
        slope, intercept = line
        odds = slope * logit + intercept
        return float(np.mean(np.logaddexp(0, odds) - wanted * odds))

    found = minimize(loss, np.array([1.0, 0.0]), bounds=[(0, None), (None, None)])
    slope, intercept = map(float, found.x)
    return Logistic(slope=slope, intercept=intercept)


def _threshold(present: NDArray[np.bool_], stated: Values, patients: "pd.Series[str]") -> float:
    """Halfway between the two probabilities that divide best; 0.5 where none divides."""
    levels = np.unique(stated)
    if len(levels) < 2:
        return 0.5
    candidates = (levels[1:] + levels[:-1]) / 2
    sample = resample(patients, draws=0, seed=0)
    found = [matthews(present, stated >= each, sample).values[0] for each in candidates]
    return float(candidates[int(np.nanargmax(found))])
