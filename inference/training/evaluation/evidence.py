"""How intervals widen with the evidence that an exam holds, and where it is too little.

Fitted on the validation split, on exams of which loops were dropped (see `training.dropping`).
Draws of one exam are no independent exams: in every quantile each exam counts once, whatever the
number of its draws, and the split-conformal rank is that of the number of exams.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.bundle.exam_evidence import ExamEvidence
from inference.training.dropping import MOST_ATTENDED, RANDOM

Values = NDArray[np.float64]

#: The range of evidence below a typical exam's is cut into at most so many bands ...
_BANDS = 8
#: ... of which each holds draws of at least so many exams. Fewer exams give fewer bands, or none.
FEWEST_EXAMS_IN_A_BAND = 15
#: No estimate where at most this share of the validation exams held as little evidence, so that
#: almost none shows that the model works there, only exams whose loops were dropped ...
SHARE_BELOW = 0.02
#: ... and intervals are at least so many times as wide as a typical exam's.
WIDE = 1.5


def fit_evidence(whole: Values, draws: pd.DataFrame, coverage: float) -> ExamEvidence | None:
    """Fit one target's widening and least evidence; None where no evidence is known.

    `whole` is the validation exams' log evidence. `draws` holds a row per draw: exam_id, draw,
    `evidence` (log), and `error`, the absolute error of the reported value in half-widths of the
    interval that an exam of typical evidence gets.
    """
    if not len(whole) or not np.isfinite(whole).all():
        return None
    typical = float(np.median(whole))
    shares, widening = [1.0], [1.0]
    for band in reversed(_bands(draws[draws["evidence"] < typical])):
        # Where attention lost its best loops more is wrong than where some were lost by chance.
        needed = max(_conformal(part, coverage) for _, part in band.groupby("draw"))
        # From a band's upper end downwards no exam gets less than its band needs. Only the highest
        # starts in its middle: a step at the typical exam would be larger than what is known.
        at = band["evidence"].max() if len(shares) > 1 else band["evidence"].median()
        share = float(np.exp(at - typical))
        if 0 < share < shares[0]:
            shares.insert(0, share)
            widening.insert(0, max(needed, widening[0]))
    fitted = ExamEvidence(typical_log=typical, shares=tuple(shares), widening=tuple(widening))
    return fitted.model_copy(update={"minimum_share": _minimum(fitted, np.exp(whole - typical))})


def quantile_by_exam(values: Values, exams: Sequence[str], coverage: float) -> float:
    """The split-conformal quantile where every exam counts once, however many rows it has."""
    _, codes, counts = np.unique(np.asarray(exams), return_inverse=True, return_counts=True)
    level = min(1.0, np.ceil((len(counts) + 1) * coverage) / len(counts))
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(1 / counts[codes][order]) / len(counts)
    at = int(np.searchsorted(reached, level - 1e-9))
    return float(values[order][min(at, len(values) - 1)])


def _bands(draws: pd.DataFrame) -> list[pd.DataFrame]:
    """The draws in bands of rising evidence, whole views that were dropped left out."""
    draws = draws[draws["draw"].isin([RANDOM, MOST_ATTENDED])]
    for count in range(_BANDS, 0, -1):
        edges = np.unique(np.quantile(draws["evidence"], np.arange(1, count) / count))
        numbers = np.searchsorted(edges, draws["evidence"], side="right")
        bands = [part for _, part in draws.groupby(numbers)]
        if bands and min(part["exam_id"].nunique() for part in bands) >= FEWEST_EXAMS_IN_A_BAND:
            return bands
    return []


def _conformal(draws: pd.DataFrame, coverage: float) -> float:
    return quantile_by_exam(
        draws["error"].to_numpy(dtype=float), draws["exam_id"].tolist(), coverage
    )


def _minimum(fitted: ExamEvidence, shares: Values) -> float:
    """The least share of the typical evidence for an estimate."""
    rare = float(np.quantile(shares, SHARE_BELOW, method="lower"))
    return min(rare, _largest_share_at(fitted, WIDE))


def _largest_share_at(fitted: ExamEvidence, widening: float) -> float:
    """The largest share at which intervals are that much wider; 0 where that is nowhere so."""
    if not 1 < widening <= fitted.widening[0]:
        return 0.0
    # Widening falls with the share; numpy interpolates over what rises.
    logarithms = np.log(fitted.shares)[::-1]
    return float(np.exp(np.interp(widening, fitted.widening[::-1], logarithms)))
