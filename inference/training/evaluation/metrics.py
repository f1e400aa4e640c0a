"""Figures with 95 % intervals that treat the patient, not the exam, as the unit.

Shares get Wilson's interval on the number of exams that the patients' exams are worth
(`shares.py`), all other figures the 2.5th and 97.5th percentile of a bootstrap that draws patients
with replacement. A draw is kept as how often each row counts, so that all draws of a statistic are
one matrix product. Hence the weighted forms below; the tests hold them against scipy and
scikit-learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.training.evaluation.shares import Share, share_of, wilson

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: With fewer patients no interval is given: a bootstrap of nine people is not one of a population.
FEWEST_PATIENTS = 10
#: Two exams always lie on a line: a correlation or slope needs more.
FEWEST_FOR_A_LINE = 3
LEVEL = 0.95
#: Variances and limits below this are zero but for rounding.
_ZERO = 1e-9


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with the limits of its interval; None where undefined or not given.

    `patients` is how many it rests on (of the smaller group where it compares two); `count` and
    `of` are the exams of a share. `note` says why there is no interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    patients: int | None = None
    count: int | None = None
    of: int | None = None
    note: str = ""

    def show(self, decimals: int = 2) -> str:
        """As a reader sees it: 0.70 (0.61 to 0.78), or 0.24 (0.13 to 0.40; 9 of 37)."""
        if self.value is None:
            return "undefined"
        parts = [] if self.count is None else [f"{self.count} of {self.of}"]
        if self.low is not None and self.high is not None:
            parts.insert(0, f"{self.low:z.{decimals}f} to {self.high:z.{decimals}f}")
        elif self.note:
            parts.append(self.note)
        brackets = f" ({'; '.join(parts)})" if parts else ""
        return f"{self.value:z.{decimals}f}{brackets}"


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows that a statistic is made of, their patients, and how often each draw counts them.

    `patients` numbers the rows' patients; `weights` is (1 + draws, rows), its first row all ones.
    """

    patients: NDArray[np.intp]
    weights: Values

    @property
    def count(self) -> int:
        """How many patients there are."""
        return len(np.unique(self.patients))

    def part(self, chosen: Flags) -> Self:
        """Some of the rows, under the same draws."""
        return replace(self, patients=self.patients[chosen], weights=self.weights[:, chosen])


@dataclass(frozen=True, slots=True)
class Statistic:
    """A statistic, (1 + draws,) values: the figure itself, then its draws; NaN where undefined.

    `patients` as in `Figure`; `share` where it is a share of exams.
    """

    values: Values
    patients: int
    share: Share | None = None

    def __sub__(self, other: Self) -> Self:
        """The difference on the same draws: a paired comparison where both are of the same rows."""
        return replace(
            self,
            values=self.values - other.values,
            patients=min(self.patients, other.patients),
            share=None,
        )

    def figure(self, level: float = LEVEL) -> Figure:
        """Value and interval.

        No interval for fewer than ten patients, where fewer than half of the draws are defined,
        or where every draw gives the same.
        """
        value = self.values[0]
        if not np.isfinite(value):
            return Figure(None, patients=self.patients)
        found = Figure(float(value), patients=self.patients)
        if self.share is not None:
            found = replace(found, count=self.share.count, of=self.share.of)
        if self.patients < FEWEST_PATIENTS:
            return replace(found, note=f"too few patients ({self.patients}) for an interval")
        if self.share is not None:
            low, high = wilson(self.share, level)
            return replace(found, low=low, high=high)
        draws = self.values[1:][np.isfinite(self.values[1:])]
        if len(draws) < max(2, len(self.values) // 2) or np.ptp(draws) < _ZERO:
            return replace(found, note="no interval: it does not vary between draws")
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return replace(found, low=float(low), high=float(high))


def figure(statistic: Statistic) -> Figure:
    """Summarise a statistic with its 95 % interval."""
    return statistic.figure()


def summarise(statistics: Mapping[str, Statistic]) -> dict[str, Figure]:
    """Every statistic as a figure."""
    return {name: statistic.figure() for name, statistic in statistics.items()}


def resample(patient_ids: "pd.Series[str]", *, draws: int, seed: int) -> Sample:
    """Draw patients with replacement; a lone patient gives no draws."""
    codes, patients = pd.factorize(patient_ids)
    once = np.ones((1, len(codes)))
    if len(patients) < 2:
        return Sample(codes, once)
    times = np.random.default_rng(seed).multinomial(
        len(patients), np.full(len(patients), 1 / len(patients)), size=draws
    )
    return Sample(codes, np.vstack([once, times[:, codes].astype(np.float64)]))


def mean(values: Values | Flags, sample: Sample) -> Statistic:
    """The mean of numbers, or the share of flags that are set; undefined without a row."""
    flags = values.dtype == np.bool_
    share = share_of(values.astype(np.bool_), sample.patients) if flags else None
    return Statistic(_mean(values.astype(np.float64), sample.weights), sample.count, share)


def agreement(truth: Values, estimate: Values, sample: Sample) -> dict[str, Statistic]:
    """Correlation (PCC), errors, bias with limits of agreement (bias +- 1.96 SD), and lines.

    `slope` is of estimate on truth, as papers give it; `calibration_slope` and
    `calibration_intercept` are of truth on estimate: 1 and 0 where an estimate can be taken at its
    word. The bias is the calibration in the large.
    """
    weights = sample.weights
    error = estimate - truth
    mean_truth, mean_estimate = _mean(truth, weights), _mean(estimate, weights)
    covariance = _mean(truth * estimate, weights) - mean_truth * mean_estimate
    line = len(truth) >= FEWEST_FOR_A_LINE
    variance_truth = _variance(truth, mean_truth, weights, line)
    variance_estimate = _variance(estimate, mean_estimate, weights, line)
    bias = _mean(error, weights)
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(np.maximum(_mean(error**2, weights) - bias**2, 0) * total / (total - 1))
        calibration_slope = covariance / variance_estimate
        found = {
            "pcc": covariance / np.sqrt(variance_truth * variance_estimate),
            "mae": _mean(np.abs(error), weights),
            "rmse": np.sqrt(_mean(error**2, weights)),
            "slope": covariance / variance_truth,
            "calibration_slope": calibration_slope,
            "calibration_intercept": mean_truth - calibration_slope * mean_estimate,
            "bias": bias,
            "lower_limit": bias - 1.96 * spread,
            "upper_limit": bias + 1.96 * spread,
        }
    return {name: Statistic(values, sample.count) for name, values in found.items()}


def decisions(present: Flags, decided: Flags, sample: Sample) -> dict[str, Statistic]:
    """Accuracy, sensitivity, specificity; undefined where no row has (or lacks) the condition."""
    return {
        "accuracy": mean(present == decided, sample),
        "sensitivity": mean(decided[present], sample.part(present)),
        "specificity": mean(~decided[~present], sample.part(~present)),
    }


def matthews(present: Flags, decided: Flags, sample: Sample) -> Statistic:
    """Matthews' correlation of decision and truth; undefined where either has one class only."""
    truth, decision = present.astype(np.float64), decided.astype(np.float64)
    mean_truth, mean_decision = _mean(truth, sample.weights), _mean(decision, sample.weights)
    together = _mean(truth * decision, sample.weights) - mean_truth * mean_decision
    spread = mean_truth * (1 - mean_truth) * mean_decision * (1 - mean_decision)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(spread > _ZERO, together / np.sqrt(spread), np.nan)
    return Statistic(values, sample.count)


def auc(present: Flags, score: Values, sample: Sample) -> Statistic:
    """The area under the ROC curve, ties counting half; undefined where only one class occurs."""
    positive, negative = score[present], score[~present]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    ill, well = sample.part(present), sample.part(~present)
    pairs = ill.weights.sum(axis=1) * well.weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = ((ill.weights @ wins) * well.weights).sum(axis=1) / pairs
    return Statistic(values, min(ill.count, well.count))


def _mean(values: Values, weights: Values) -> Values:
    """The weighted mean of each draw; NaN for a draw in which no row counts."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weights @ values / weights.sum(axis=1))


def _variance(values: Values, means: Values, weights: Values, line: bool) -> Values:
    """The variance of each draw; NaN where it is zero, or where a line makes no sense."""
    variance = _mean(values**2, weights) - means**2
    return np.where((variance > _ZERO) & line, variance, np.nan)
