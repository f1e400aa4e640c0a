"""How a bundle turns raw estimates into recalibrated ones, intervals and probabilities.

All of it was fitted on the validation split when the bundle was packed.
"""

from bisect import bisect_left
from itertools import pairwise
from math import exp
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from inference.bundle.strict import Strict

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Width = Annotated[FiniteFloat, Field(ge=0)]


class Recalibration(Strict):
    """A straight line that takes out bias and slope: y = intercept + slope * estimate."""

    slope: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    intercept: FiniteFloat = 0.0

    def __call__(self, estimate: float) -> float:
        """Recalibrate an estimate; the unit stays."""
        return self.intercept + self.slope * estimate


class Conformal(Strict):
    """Split-conformal half-widths: value +- half-width holds the truth with share `coverage`.

    With a `cut` they are Mondrian: `half_width` is for estimates at or below the cut and
    `half_width_above` for those above it, each valid on its own side.
    """

    coverage: Annotated[FiniteFloat, Field(gt=0, lt=1)]
    half_width: Width
    cut: FiniteFloat | None = None
    half_width_above: Width | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cut is None) != (self.half_width_above is None):
            raise ValueError("cut and half_width_above come together")
        return self

    def half_width_at(self, value: float, widening: float = 1.0) -> float:
        """The half-width for a recalibrated value, in its unit.

        `widening` is that of the exam's evidence: 1 for a typical exam.
        """
        if self.cut is None or self.half_width_above is None or value <= self.cut:
            return self.half_width * widening
        return self.half_width_above * widening


class _Curve(Strict):
    """What every probability curve has: `prevalence` is what is known without any loop, 0..1.

    It is that of the validation split. With little evidence a probability goes towards it.
    """

    prevalence: Share | None = None

    def _shrunk(self, probability: float, widening: float) -> float:
        if self.prevalence is None:
            return probability
        return self.prevalence + (probability - self.prevalence) / widening


class Logistic(_Curve):
    """Probability by Platt scaling: 1 / (1 + exp(-(slope * margin + intercept)))."""

    kind: Literal["logistic"] = "logistic"
    slope: Annotated[FiniteFloat, Field(ge=0)]
    intercept: FiniteFloat

    def __call__(self, margin: float, widening: float = 1.0) -> float:
        """The probability at a margin, 0..1; `widening` (>= 1) is that of the intervals."""
        # Beyond +-60 the probability is 0 or 1 to the last digit, and exp() would overflow at 710.
        exponent = max(-60.0, min(60.0, self.slope * margin + self.intercept))
        return self._shrunk(1 / (1 + exp(-exponent)), widening)


class Isotonic(_Curve):
    """Probability by isotonic regression: straight lines between points, flat beyond them."""

    kind: Literal["isotonic"] = "isotonic"
    margins: Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]
    probabilities: Annotated[tuple[Share, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _monotonic(self) -> Self:
        if len(self.margins) != len(self.probabilities):
            raise ValueError("margins and probabilities differ in number")
        if any(a >= b for a, b in pairwise(self.margins)):
            raise ValueError("margins do not increase")
        if any(a > b for a, b in pairwise(self.probabilities)):
            raise ValueError("probabilities decrease")
        return self

    def __call__(self, margin: float, widening: float = 1.0) -> float:
        """The probability at a margin, 0..1; `widening` (>= 1) is that of the intervals."""
        return self._shrunk(self._at(margin), widening)

    def _at(self, margin: float) -> float:
        right = bisect_left(self.margins, margin)
        if right == 0:
            return self.probabilities[0]
        if right == len(self.margins):
            return self.probabilities[-1]
        left = right - 1
        share = (margin - self.margins[left]) / (self.margins[right] - self.margins[left])
        low, high = self.probabilities[left], self.probabilities[right]
        return low + share * (high - low)


ProbabilityCurve = Annotated[Logistic | Isotonic, Field(discriminator="kind")]
