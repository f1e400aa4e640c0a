"""Figures with bootstrap intervals by patient.

The bootstrap draws patients with replacement; a draw is kept as how often each row counts, so that
all draws of a statistic are one matrix product. Hence the weighted forms below; the tests hold
them against scipy and scikit-learn. Every function takes `weights` of shape (1 + draws, rows),
whose first row is all ones, and gives (1 + draws,) values: the figure itself, then its draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with the limits of its 95 % interval; None where it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def show(self, decimals: int = 2) -> str:
        """As a reader sees it: 0.70 (0.61 to 0.78)."""
        if self.value is None:
            return "undefined"
        if self.low is None or self.high is None:
            return f"{self.value:z.{decimals}f}"
        return f"{self.value:z.{decimals}f} ({self.low:z.{decimals}f} to {self.high:z.{decimals}f})"


def figure(values: Values) -> Figure:
    """Summarise a statistic: its value and the 2.5th and 97.5th percentile of its draws.

    No interval where fewer than half of the draws are defined or all are the same row.
    """
    if not np.isfinite(values[0]):
        return Figure(None)
    draws = values[1:][np.isfinite(values[1:])]
    if len(draws) < max(2, len(values) // 2):
        return Figure(float(values[0]))
    low, high = np.quantile(draws, [0.025, 0.975])
    return Figure(float(values[0]), float(low), float(high))


def resample(patient_ids: "pd.Series[str]", *, draws: int, seed: int) -> Values:
    """How often each row counts in each draw, (1 + draws, rows); a lone patient gives no draws."""
    codes, patients = pd.factorize(patient_ids)
    once = np.ones((1, len(codes)))
    if len(patients) < 2:
        return once
    times = np.random.default_rng(seed).multinomial(
        len(patients), np.full(len(patients), 1 / len(patients)), size=draws
    )
    return np.vstack([once, times[:, codes].astype(np.float64)])


def mean(values: Values | Flags, weights: Values) -> Values:
    """The mean; NaN for a draw in which no row counts."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weights @ values.astype(np.float64) / weights.sum(axis=1))


def agreement(truth: Values, estimate: Values, weights: Values) -> dict[str, Values]:
    """Correlation (PCC), errors, bias with limits of agreement (bias +- 1.96 SD), and two slopes.

    `slope` is of estimate on truth, as papers give it; `calibration_slope` of truth on estimate:
    1 where an estimate can be taken at its word.
    """
    error = estimate - truth
    mean_truth, mean_estimate = mean(truth, weights), mean(estimate, weights)
    covariance = mean(truth * estimate, weights) - mean_truth * mean_estimate
    variance_truth = mean(truth**2, weights) - mean_truth**2
    variance_estimate = mean(estimate**2, weights) - mean_estimate**2
    bias = mean(error, weights)
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Rounding can leave a constant with a variance just beside zero.
        variance_truth = np.where(variance_truth > 1e-9, variance_truth, np.nan)
        variance_estimate = np.where(variance_estimate > 1e-9, variance_estimate, np.nan)
        spread = np.sqrt(np.maximum(mean(error**2, weights) - bias**2, 0) * total / (total - 1))
        return {
            "pcc": covariance / np.sqrt(variance_truth * variance_estimate),
            "mae": mean(np.abs(error), weights),
            "rmse": np.sqrt(mean(error**2, weights)),
            "slope": covariance / variance_truth,
            "calibration_slope": covariance / variance_estimate,
            "bias": bias,
            "lower_limit": bias - 1.96 * spread,
            "upper_limit": bias + 1.96 * spread,
        }


def decisions(present: Flags, decided: Flags, weights: Values) -> dict[str, Values]:
    """Accuracy, sensitivity, specificity; NaN where no row has (or lacks) the condition."""
    return {
        "accuracy": mean(present == decided, weights),
        "sensitivity": mean(decided[present], weights[:, present]),
        "specificity": mean(~decided[~present], weights[:, ~present]),
    }


def auc(present: Flags, score: Values, weights: Values) -> Values:
    """The area under the ROC curve, ties counting half; NaN where only one class occurs."""
    positive, negative = score[present], score[~present]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    on_positive, on_negative = weights[:, present], weights[:, ~present]
    pairs = on_positive.sum(axis=1) * on_negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(((on_positive @ wins) * on_negative).sum(axis=1) / pairs)


def summarise(statistics: Mapping[str, Values]) -> dict[str, Figure]:
    """Every statistic as a figure."""
    return {name: figure(values) for name, values in statistics.items()}
