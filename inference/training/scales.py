"""The scales of the targets in training: z-scores, limits and their softness."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from inference.bundle.strict import Strict
from inference.errors import TrainingDataError
from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.cohort.reading import CohortExam
from inference.training.cohort.rows import COLUMNS


class Scale(Strict):
    """One target; every number in its unit. `limit` splits its two classes, as softly as `tau`.

    `above` is the share of the training exams above the limit.
    """

    target: str
    mean: float
    sd: float
    limit: float
    tau: float
    above: float

    @classmethod
    def of(cls, target: str, exams: Sequence[CohortExam], tau: float) -> Self:
        """Take mean and SD from the training exams in which the target was measured.

        Raises:
            TrainingDataError: fewer than two different values.
        """
        values = truths(exams, [target])[:, 0].astype(np.float64)
        values = values[np.isfinite(values)]
        if len(np.unique(values)) < 2:
            raise TrainingDataError(
                f"cohort: the training split has {len(values)} exams with {target}, and fewer "
                "than two different values; nothing can be learned from them"
            )
        limit = QUANTITIES[target].upper_limit
        return cls(
            target=target,
            mean=float(values.mean()),
            sd=float(values.std()),
            limit=float(limit),
            tau=tau,
            above=float((values > limit).mean()),
        )


def truth(exam: CohortExam, target: str) -> float:
    """What the catheter measured, in the target's unit; NaN where it did not."""
    return exam.truth[COLUMNS[target]]


def truths(exams: Sequence[CohortExam], targets: Sequence[str]) -> NDArray[np.float32]:
    """What the catheter measured: (exams, targets)."""
    rows = [[truth(exam, target) for target in targets] for exam in exams]
    return np.array(rows, dtype=np.float32).reshape(len(exams), len(targets))
