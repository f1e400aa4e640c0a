"""How much the loops of one exam hold about a target, and what follows where it is little.

The evidence of an exam is the sum of its loops' raw attention weights, exp(score), so it counts the
loops and what each of them is worth to the model, and knows no views. It is kept as a logarithm.
All of this was fitted on the validation split, by dropping loops.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, log
from typing import Annotated, Self

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from inference.bundle.strict import Strict

#: Where exp() would overflow or vanish, more says nothing more.
_LARGEST_LOGARITHM = 60.0


class ExamEvidence(Strict):
    """Intervals by evidence, and the least evidence for an estimate; shares are of `typical_log`.

    `typical_log` is the natural logarithm of the evidence in the median validation exam. At the
    rising `shares` of it intervals are `widening` times as wide as at the last one, whose widening
    is 1: straight lines between them over the logarithm of the share, flat beyond them. Below
    `minimum_share` there is no estimate.
    """

    typical_log: FiniteFloat
    shares: Annotated[
        tuple[Annotated[FiniteFloat, Field(gt=0)], ...], Field(min_length=1, max_length=64)
    ]
    widening: Annotated[tuple[Annotated[FiniteFloat, Field(ge=1)], ...], Field(min_length=1)]
    minimum_share: Annotated[FiniteFloat, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _less_is_never_narrower(self) -> Self:
        if len(self.shares) != len(self.widening):
            raise ValueError("shares and widening differ in number")
        if any(a >= b for a, b in pairwise(self.shares)):
            raise ValueError("shares do not increase")
        if any(a < b for a, b in pairwise(self.widening)) or self.widening[-1] != 1:
            raise ValueError("widening does not fall to 1")
        return self

    def share(self, log_evidence: float) -> float:
        """An exam's evidence as a share of the typical one's."""
        difference = log_evidence - self.typical_log
        return exp(max(-_LARGEST_LOGARITHM, min(_LARGEST_LOGARITHM, difference)))

    def widening_at(self, share: float) -> float:
        """How many times as wide as a typical exam's an interval is, at least 1."""
        at = log(max(share, exp(-_LARGEST_LOGARITHM)))
        return float(np.interp(at, np.log(self.shares), self.widening))

    def suffices(self, share: float) -> bool:
        """Whether an exam holds enough for an estimate."""
        return share >= self.minimum_share


def log_evidence(scores: Sequence[float]) -> float:
    """The logarithm of an exam's evidence from the scores of its loops, at least one."""
    # A score that is not finite is refused with the other numbers of the model.
    with np.errstate(invalid="ignore"):
        return float(np.logaddexp.reduce(np.asarray(scores, dtype=np.float64)))
