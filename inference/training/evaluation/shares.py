"""Shares of exams with Wilson's interval, where a patient may have several exams.

Exams of one patient are alike, so n of them say less than n patients do. As in surveys that draw
clusters (Dean and Pagano, J Surv Stat Methodol 2015), Wilson's interval is taken on the effective
number n / design effect; the effect is the variance between patients against that of independent
exams. Where all exams say the same no variance can be seen; exams of a patient then count as the
same exam (the largest effect that there can be).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of` exams, worth `effective` independent ones."""

    count: int
    of: int
    effective: float


def share_of(flags: NDArray[np.bool_], patients: NDArray[np.intp]) -> Share:
    """Count flags; `patients` numbers the patient of each."""
    count, of = int(flags.sum()), len(flags)
    _, codes = np.unique(patients, return_inverse=True)
    sizes = np.bincount(codes).astype(np.float64)
    if len(sizes) < 2:
        return Share(count, of, float(len(sizes)))
    rate = count / of
    if count in (0, of):
        return Share(count, of, float(of**2 / (sizes**2).sum()))
    deviations = np.bincount(codes, flags.astype(np.float64)) - rate * sizes
    between = len(sizes) / (len(sizes) - 1) * (deviations**2).sum() / of**2
    independent = rate * (1 - rate) / (of - 1)
    return Share(count, of, float(of / max(1.0, between / independent)))


def wilson(share: Share, level: float = 0.95) -> tuple[float, float]:
    """The limits of Wilson's score interval (JASA 1927), 0..1; (0, 1) without an exam."""
    if share.effective == 0:
        return 0.0, 1.0
    return wilson_of(share.count / share.of, share.effective, level)


def wilson_of(rate: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """The same of a rate, 0..1, on n independent exams or patients."""
    z = float(norm.ppf((1 + level) / 2))
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)))
    # Exactly zero or one at the ends, where rounding would leave a trace beside it.
    return 0.0 if rate <= 0 else centre - half, 1.0 if rate >= 1 else centre + half
