"""What each step beyond the paper changes: measured before and after, on the same test exams."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.training.evaluation.calibration import Calibration
from inference.training.evaluation.conditions import (
    LIMITS,
    WITH_PROBABILITY,
    complete,
    met,
)
from inference.training.evaluation.metrics import (
    Figure,
    Statistic,
    agreement,
    decisions,
    figure,
    mean,
    resample,
)
from inference.training.evaluation.predictions import Predictions

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Improvement:
    """One figure without and with one step, and the difference on the same draws.

    `before` is None where nothing comparable exists without the step.
    """

    step: str
    target: str
    name: str
    before: Figure | None
    after: Figure
    difference: Figure | None


def measure(
    predictions: Predictions,
    fitted: Calibration,
    truth: pd.DataFrame,
    reported: pd.DataFrame,
    draws: int,
    seed: int,
    log_evidence: pd.DataFrame | None = None,
) -> tuple[list[Improvement], pd.DataFrame]:
    """Every step's effect, and the probabilities: exam_id, patient_id, condition, present,
    probability.

    `truth`, `reported` and `log_evidence` are the test split's, a column per target.
    """
    found: list[Improvement] = []
    for target in predictions.targets:
        found += _of_target(predictions, fitted, target, draws, seed)
    probability = _probabilities(fitted, truth, reported, log_evidence)
    present = probability[probability["condition"] == "PH"]
    if not present.empty:
        found.append(_of_probability(predictions, present, draws, seed))
    return found, probability


def _of_target(
    predictions: Predictions, fitted: Calibration, target: str, draws: int, seed: int
) -> list[Improvement]:
    rows = predictions.rows("test", target)
    truth, estimate = rows["truth"].to_numpy(dtype=float), rows["estimate"].to_numpy(dtype=float)
    reported = fitted.recalibrate(target, estimate)
    sample = resample(rows["patient_id"], draws=draws, seed=seed)
    step = "Linear recalibration"
    raw, line = agreement(truth, estimate, sample), agreement(truth, reported, sample)
    found = [
        _compared(step, target, title, raw[key], line[key])
        for key, title in (
            ("bias", "Bias"),
            ("mae", "MAE"),
            ("calibration_slope", "Calibration slope"),
        )
    ]
    present = truth > LIMITS[target]
    at_limit = decisions(present, reported > LIMITS[target], sample)
    at_threshold = decisions(present, reported > fitted.thresholds[target], sample)
    found += [
        _compared("Threshold from validation", target, key.capitalize(), at_limit[key], after)
        for key, after in at_threshold.items()
    ]
    stated_low, stated_high = rows["low"].to_numpy(float), rows["high"].to_numpy(float)
    low, high = fitted.interval(target, reported, rows["evidence"].to_numpy(dtype=float))
    before = None
    if np.isfinite(stated_low).all() and np.isfinite(stated_high).all():
        before = mean((stated_low <= truth) & (truth <= stated_high), sample)
    after = mean((low <= truth) & (truth <= high), sample)
    found.append(_compared("Conformal intervals", target, "Coverage", before, after))
    return found


def _of_probability(
    predictions: Predictions, present: pd.DataFrame, draws: int, seed: int
) -> Improvement:
    """The Brier score of the probability of PH: the network's own, then the calibrated one."""
    rows = predictions.rows("test", "mPAP").set_index("exam_id").loc[present["exam_id"]]
    sample = resample(rows["patient_id"], draws=draws, seed=seed)
    truth = present["present"].to_numpy(dtype=float)
    stated = rows["probability"].to_numpy(dtype=float)
    before = mean((stated - truth) ** 2, sample) if np.isfinite(stated).all() else None
    after = mean((present["probability"].to_numpy(dtype=float) - truth) ** 2, sample)
    return _compared("Calibrated probability of PH", "mPAP", "Brier score", before, after)


def _compared(
    step: str, target: str, name: str, before: Statistic | None, after: Statistic
) -> Improvement:
    if before is None:
        return Improvement(step, target, name, None, figure(after), None)
    return Improvement(step, target, name, figure(before), figure(after), figure(after - before))


def _probabilities(
    fitted: Calibration,
    truth: pd.DataFrame,
    reported: pd.DataFrame,
    log_evidence: pd.DataFrame | None,
) -> pd.DataFrame:
    parts = [pd.DataFrame(columns=["exam_id", "patient_id", "condition", "present", "probability"])]
    for condition in WITH_PROBABILITY:
        known = complete(condition.criteria, truth, reported)
        if condition.key not in fitted.probabilities or not known.any():
            continue
        parts.append(
            pd.DataFrame(
                {
                    "exam_id": truth.index.get_level_values("exam_id")[known],
                    "patient_id": truth.index.get_level_values("patient_id")[known],
                    "condition": condition.key,
                    "present": met(condition.criteria, truth[known], LIMITS),
                    "probability": fitted.probability(
                        condition,
                        reported[known],
                        None if log_evidence is None else log_evidence[known],
                    ),
                }
            )
        )
    found = parts[1:] or parts
    return pd.concat(found, ignore_index=True)
