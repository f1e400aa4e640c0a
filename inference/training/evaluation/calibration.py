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
from sklearn.model_selection import KFold

from inference.bundle.calibration import Conformal, Isotonic, ProbabilityCurve, Recalibration
from inference.bundle.exam_evidence import ExamEvidence
from inference.bundle.targets import ValueTarget
from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import (
    PRECAPILLARY_PH,
    QUANTITIES,
    Condition,
    evidence_shares,
    widening,
)
from inference.training.evaluation.conditions import LIMITS, WITH_PROBABILITY, complete, met
from inference.training.evaluation.evidence import fit_evidence
from inference.training.evaluation.predictions import Predictions

#: Fewer validation exams than this calibrate nothing.
FEWEST_EXAMS = 20
#: Fewer exams than this on one side of the cut get no interval of their own (90 % needs nine).
FEWEST_ON_A_SIDE = 10
#: Half-width and widening are fitted in turn at most so often.
_ROUNDS = 8
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
    evidence: ExamEvidence | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything fitted on validation; probabilities by the condition's key in a bundle."""

    targets: Mapping[str, TargetCalibration]
    probabilities: Mapping[str, ProbabilityCurve]

    @property
    def thresholds(self) -> dict[str, float]:
        """The decision threshold of each target, in its unit."""
        return {name: target.decision_threshold for name, target in self.targets.items()}

    def as_targets(self) -> dict[str, ValueTarget]:
        """The targets as a bundle holds them, for estimates that are recalibrated already."""
        return {
            name: ValueTarget(
                name=name,
                unit=QUANTITIES[name].unit.value,
                mean=0.0,
                sd=fitted.sd,
                decision_threshold=fitted.decision_threshold,
                conformal=fitted.conformal,
                evidence=fitted.evidence,
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
        return reported_from(self.targets[target].recalibration, estimate)

    def interval(
        self, target: str, value: Values, log_evidence: Values | None = None
    ) -> tuple[Values, Values]:
        """The limits of the interval around reported values, never below zero.

        `log_evidence` is that of each exam; NaN, or none at all, counts as a typical exam's.
        """
        conformal, wide = self.targets[target].conformal, self.widening(target, value, log_evidence)
        pairs = zip(value, wide, strict=True)
        half = np.array([conformal.half_width_at(each, times) for each, times in pairs])
        return np.maximum(value - half, 0.0), value + half

    def widening(self, target: str, value: Values, log_evidence: Values | None) -> Values:
        """How many times as wide as a typical exam's the interval of each exam is."""
        evidence = self.targets[target].evidence
        if evidence is None or log_evidence is None:
            return np.ones(len(value))
        return np.array(
            [
                evidence.widening_at(evidence.share(each)) if np.isfinite(each) else 1.0
                for each in log_evidence
            ]
        )

    def suffices(self, target: str, log_evidence: Values) -> NDArray[np.bool_]:
        """Which exams hold enough evidence for an estimate of the target; NaN does."""
        evidence = self.targets[target].evidence
        if evidence is None:
            return np.ones(len(log_evidence), dtype=bool)
        shares = np.array([evidence.share(each) for each in log_evidence])
        return np.asarray(~(shares < evidence.minimum_share))

    def probability(
        self, condition: Condition, values: pd.DataFrame, log_evidence: pd.DataFrame | None = None
    ) -> Values:
        """The probability of a condition from reported values; NaN where there is no curve.

        `log_evidence` has the rows and columns of `values`; without it all are typical exams.
        """
        curve = self.probabilities.get(condition.key)
        if curve is None:
            return np.full(len(values), np.nan)
        targets = self.as_targets()
        shares: list[dict[str, float]] = [{} for _ in range(len(values))]
        if log_evidence is not None:
            records = log_evidence.to_dict("records")
            shares = [shares_of(targets, {str(k): v for k, v in row.items()}) for row in records]
        pairs = zip(self.margin(condition, values), shares, strict=True)
        return np.array([curve(each, widening(condition, targets, of)) for each, of in pairs])

    def margin(self, condition: Condition, values: pd.DataFrame) -> Values:
        """How far values are on the condition's side, in SDs, by its weakest criterion."""
        sides = [
            (1 if item.above else -1)
            * (values[item.quantity].to_numpy(dtype=float) - self.thresholds[item.quantity])
            / self.targets[item.quantity].sd
            for item in condition.criteria
        ]
        return np.asarray(np.minimum.reduce(sides))


def shares_of(
    targets: Mapping[str, ValueTarget], log_evidence: Mapping[str, float]
) -> dict[str, float]:
    """The shares of the typical evidence of one exam, where its evidence is known."""
    known = {name: value for name, value in log_evidence.items() if np.isfinite(value)}
    return evidence_shares({name: targets[name] for name in targets if name in known}, known)


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
    reported = reported_from(recalibration, estimate)
    lines = _held_out_lines(estimate, truth)
    draws = predictions.rows_of_subsets("validation", name)
    at = pd.Index(rows["exam_id"]).get_indexer(pd.Index(draws["exam_id"]))
    of_draws = draws["estimate"].to_numpy(dtype=float)
    draws["missed"] = np.abs(draws["truth"] - _on(lines[at], of_draws))
    draws["reported"] = reported_from(recalibration, of_draws)
    whole = rows.assign(missed=np.abs(truth - _on(lines, estimate)), reported=reported)
    conformal, evidence = _fit_intervals(whole, draws, LIMITS[name], coverage)
    return TargetCalibration(
        recalibration,
        conformal,
        _fit_threshold((truth > LIMITS[name]) == SIDES[name], reported, name),
        float(np.std(truth)) if sd is None else sd,
        evidence,
    )


def _fit_intervals(
    whole: pd.DataFrame, draws: pd.DataFrame, cut: float, coverage: float
) -> tuple[Conformal, ExamEvidence | None]:
    """The half-widths of exams of typical evidence, and how those of the others widen.

    Both tables have `missed`, the absolute error, `reported` and `evidence`. Each of the two is
    fitted in terms of the other: widening takes the exams of little evidence out of the half-width,
    and a smaller half-width needs more widening. They settle after a few rounds.
    """
    missed, reported, held = (
        whole[key].to_numpy(dtype=float) for key in ("missed", "reported", "evidence")
    )
    conformal = _fit_conformal(missed, reported, cut, coverage)
    evidence: ExamEvidence | None = None
    for _ in range(_ROUNDS if len(draws) else 0):
        half = [max(conformal.half_width_at(each), 1e-9) for each in draws["reported"]]
        evidence = fit_evidence(held, draws.assign(error=draws["missed"] / half), coverage)
        if evidence is None:
            break
        wide = [evidence.widening_at(evidence.share(each)) for each in held]
        before, conformal = conformal, _fit_conformal(missed / wide, reported, cut, coverage)
        if conformal == before:
            break
    return conformal, evidence


def reported_from(line: Recalibration, estimate: Values) -> Values:
    """Raw estimates to those that the node reports, never below zero."""
    return np.asarray(np.maximum(line.intercept + line.slope * estimate, 0.0))


def _held_out_lines(estimate: Values, truth: Values) -> Values:
    """Per exam slope and intercept of a line fitted without it, (N, 2).

    Intervals from residuals of the line that all exams made come out too narrow.
    """
    lines = np.empty((len(truth), 2))
    for kept, left_out in KFold(min(20, len(truth))).split(truth):
        line = LinearRegression().fit(estimate[kept, None], truth[kept])
        lines[left_out] = float(line.coef_[0]), float(line.intercept_)
    return lines


def _on(lines: Values, estimate: Values) -> Values:
    return np.asarray(lines[:, 0] * estimate + lines[:, 1])


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
        prevalence=float(np.clip(present.mean(), nearest, 1 - nearest)),
        margins=tuple(float(each) for each in curve.X_thresholds_),
        probabilities=tuple(
            float(each) for each in np.clip(curve.y_thresholds_, nearest, 1 - nearest)
        ),
    )
