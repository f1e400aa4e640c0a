"""What is fitted on the validation split, and on nothing else, before the test split is seen.

The parts are the bundle's own (inference.bundle.calibration), so that what is judged here is what
the node does later.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_predict

from inference.bundle.calibration import Conformal, Isotonic, ProbabilityCurve, Recalibration
from inference.bundle.manifest import Target
from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import PRECAPILLARY_PH, QUANTITIES, Condition
from inference.training.evaluation.conditions import LIMITS, WITH_PROBABILITY, complete, met
from inference.training.evaluation.predictions import Predictions

#: Fewer validation exams than this calibrate nothing.
FEWEST_EXAMS = 20
#: Fewer exams than this on one side of the cut get no interval of their own (90 % needs nine).
FEWEST_ON_A_SIDE = 10
#: Share of the validation exams on the condition's side that the decision threshold keeps there.
KEPT = 0.90
#: On which side of its limit each target speaks for pre-capillary PH: True is above.
SIDES: Mapping[str, bool] = {item.quantity: item.above for item in PRECAPILLARY_PH.criteria}

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TargetCalibration:
    """One target's calibration, in the target's unit; `sd` is that of the truth."""

    recalibration: Recalibration
    conformal: Conformal
    decision_threshold: float
    sd: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything fitted on validation; probabilities by the condition's key in a bundle."""

    targets: Mapping[str, TargetCalibration]
    probabilities: Mapping[str, ProbabilityCurve]

    @property
    def thresholds(self) -> dict[str, float]:
        """The decision threshold of each target, in its unit."""
        return {name: target.decision_threshold for name, target in self.targets.items()}

    def as_targets(self) -> dict[str, Target]:
        """The targets as a bundle holds them, for estimates that are recalibrated already."""
        return {
            name: Target(
                name=name,
                unit=QUANTITIES[name].unit.value,
                mean=0.0,
                sd=fitted.sd,
                decision_threshold=fitted.decision_threshold,
                conformal=fitted.conformal,
            )
            for name, fitted in self.targets.items()
        }

    def of(self, names: Collection[str]) -> "Calibration":
        """That of some of the targets, and of the conditions that need no other."""
        needed = {item.key: item.criteria for item in WITH_PROBABILITY}
        return Calibration(
            {name: fitted for name, fitted in self.targets.items() if name in names},
            {
                key: curve
                for key, curve in self.probabilities.items()
                if all(criterion.quantity in names for criterion in needed[key])
            },
        )

    def recalibrate(self, target: str, estimate: Values) -> Values:
        """Raw estimates to those that the node reports, never below zero."""
        line = self.targets[target].recalibration
        return np.asarray(np.maximum(line.intercept + line.slope * estimate, 0.0))

    def interval(self, target: str, value: Values) -> tuple[Values, Values]:
        """The limits of the interval around reported values, never below zero."""
        half = np.array([self.targets[target].conformal.half_width_at(each) for each in value])
        return np.maximum(value - half, 0.0), value + half

    def probability(self, condition: Condition, values: pd.DataFrame) -> Values:
        """The probability of a condition from reported values; NaN where there is no curve."""
        curve = self.probabilities.get(condition.key)
        if curve is None:
            return np.full(len(values), np.nan)
        return np.array([curve(each) for each in self.margin(condition, values)])

    def margin(self, condition: Condition, values: pd.DataFrame) -> Values:
        """How far values are on the condition's side, in SDs, by its weakest criterion."""
        sides = [
            (1 if item.above else -1)
            * (values[item.quantity].to_numpy(dtype=float) - self.thresholds[item.quantity])
            / self.targets[item.quantity].sd
            for item in condition.criteria
        ]
        return np.asarray(np.minimum.reduce(sides))


def fit(
    predictions: Predictions, *, coverage: float = 0.90, sds: Mapping[str, float] | None = None
) -> Calibration:
    """Calibrate every target and condition on the validation split.

    `sds` are the SDs that training z-scored with, as the bundle holds them; without them those of
    the validation split are taken.

    Raises:
        TrainingDataError: the validation split has too few exams, or estimates that run against
            the truth.
    """
    targets = {
        name: _fit_target(predictions, name, coverage, (sds or {}).get(name))
        for name in predictions.targets
    }
    calibration = Calibration(targets, {})
    truth, reported = (
        predictions.wide("validation", "truth"),
        predictions.wide("validation", "estimate"),
    )
    for name in predictions.targets:
        reported[name] = calibration.recalibrate(name, reported[name].to_numpy(dtype=float))
    curves = {
        condition.key: _fit_probability(calibration, condition, truth, reported)
        for condition in WITH_PROBABILITY
    }
    found = {key: curve for key, curve in curves.items() if curve is not None}
    return Calibration(targets, found)


def _fit_target(
    predictions: Predictions, name: str, coverage: float, sd: float | None
) -> TargetCalibration:
    rows = predictions.rows("validation", name)
    if len(rows) < FEWEST_EXAMS:
        raise TrainingDataError(
            f"calibration: {len(rows)} validation exams with {name}; {FEWEST_EXAMS} are needed"
        )
    estimate, truth = rows["estimate"].to_numpy(dtype=float), rows["truth"].to_numpy(dtype=float)
    line = LinearRegression().fit(estimate[:, None], truth)
    slope, intercept = float(line.coef_[0]), float(line.intercept_)
    if slope <= 0:
        # A model that learned nothing: a line through it would turn its estimates upside down.
        slope, intercept = 1.0, float(np.mean(truth - estimate))
    recalibration = Recalibration(slope=slope, intercept=intercept)
    reported = np.maximum(intercept + slope * estimate, 0.0)
    # Residuals of lines fitted without the exam in question; else intervals come out too narrow.
    held_out = cross_val_predict(
        LinearRegression(), estimate[:, None], truth, cv=KFold(min(20, len(rows)))
    )
    return TargetCalibration(
        recalibration,
        _fit_conformal(np.abs(truth - held_out), reported, LIMITS[name], coverage),
        _fit_threshold((truth > LIMITS[name]) == SIDES[name], reported, name),
        float(np.std(truth)) if sd is None else sd,
    )


def _fit_conformal(residual: Values, value: Values, cut: float, coverage: float) -> Conformal:
    """Half-widths on each side of the cut, or one for both where a side has too few exams."""
    below = value <= cut
    if min(below.sum(), (~below).sum()) < FEWEST_ON_A_SIDE:
        return Conformal(coverage=coverage, half_width=_half_width(residual, coverage))
    return Conformal(
        coverage=coverage,
        half_width=_half_width(residual[below], coverage),
        cut=cut,
        half_width_above=_half_width(residual[~below], coverage),
    )


def _half_width(residual: Values, coverage: float) -> float:
    """The split-conformal quantile: the ceil((n + 1) * coverage)-th smallest residual."""
    level = min(1.0, np.ceil((len(residual) + 1) * coverage) / len(residual))
    return float(np.quantile(residual, level, method="inverted_cdf"))


def _fit_threshold(on_side: NDArray[np.bool_], value: Values, target: str) -> float:
    """The threshold that excludes most while KEPT of those on the condition's side stay there.

    It lies halfway to the next estimate, so that it does not sit on an exam; it is the limit
    itself where only one class occurs.
    """
    if on_side.all() or not on_side.any():
        return LIMITS[target]
    # Mirrored where the condition lies below the limit, so that "above" covers both.
    sign = 1.0 if SIDES[target] else -1.0
    mirrored = np.sort(sign * value)
    kept = np.sort(sign * value[on_side])[int((1 - KEPT) * on_side.sum() + 1e-9)]
    below = mirrored[mirrored < kept]
    threshold = (kept + below[-1]) / 2 if len(below) else kept - 1e-6
    return float(sign * threshold)


def _fit_probability(
    calibration: Calibration, condition: Condition, truth: pd.DataFrame, reported: pd.DataFrame
) -> Isotonic | None:
    """Isotonic regression of presence on the margin; None where only one class occurs."""
    known = complete(condition.criteria, truth, reported)
    if known.sum() < FEWEST_EXAMS:
        return None
    present = met(condition.criteria, truth[known], LIMITS)
    if present.all() or not present.any():
        return None
    curve = IsotonicRegression(out_of_bounds="clip").fit(
        calibration.margin(condition, reported[known]), present.astype(float)
    )
    # A few dozen exams do not show that anything is certain: keep off 0 and 1 (Laplace).
    nearest = 1 / (len(present) + 2)
    return Isotonic(
        margins=tuple(float(each) for each in curve.X_thresholds_),
        probabilities=tuple(
            float(each) for each in np.clip(curve.y_thresholds_, nearest, 1 - nearest)
        ),
    )
