"""What a network of a bundle may say: a value, a grade, or whether something is present."""

from collections.abc import Mapping, Sequence
from math import exp
from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from inference.bundle.calibration import Conformal, ProbabilityCurve, Recalibration, Share
from inference.bundle.exam_evidence import ExamEvidence
from inference.bundle.strict import Strict

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Positive = Annotated[FiniteFloat, Field(gt=0)]


class ValueTarget(Strict):
    """An estimated quantity, one output; every number but the recalibration is in `unit` (UCUM).

    `mean` and `sd` undo the z-scoring of training. `decision_threshold` splits estimates into the
    verdict's two sides; it may differ from the guideline's limit where validation chose another.
    Without `evidence` every exam counts as a typical one.
    """

    kind: Literal["value"] = "value"
    name: Name
    unit: Text
    mean: FiniteFloat
    sd: Positive
    decision_threshold: FiniteFloat
    recalibration: Recalibration = Recalibration()
    conformal: Conformal | None = None
    evidence: ExamEvidence | None = None

    @property
    def outputs(self) -> int:
        """How many numbers of a network belong to it."""
        return 1

    def widening(self, share: float | None) -> float:
        """How many times as wide as usual intervals are at a share of the typical evidence."""
        if self.evidence is None or share is None:
            return 1.0
        return self.evidence.widening_at(share)


class GradeTarget(Strict):
    """One of several ordered levels, mildest first; one output, a logit, for each level.

    The logits are divided by `temperature`, which validation chose, before they become
    probabilities.
    """

    kind: Literal["grade"]
    name: Name
    levels: Annotated[tuple[Name, ...], Field(min_length=2, max_length=16)]
    temperature: Positive = 1.0

    @model_validator(mode="after")
    def _levels_differ(self) -> Self:
        if len(set(self.levels)) < len(self.levels):
            raise ValueError("two levels have the same name")
        return self

    @property
    def outputs(self) -> int:
        """How many numbers of a network belong to it."""
        return len(self.levels)

    def probabilities(self, logits: Sequence[float]) -> Mapping[str, float]:
        """The calibrated probability of each level, in order; they sum to 1."""
        highest = max(logits)
        powers = [exp((logit - highest) / self.temperature) for logit in logits]
        return {
            level: power / sum(powers) for level, power in zip(self.levels, powers, strict=True)
        }


class PresenceTarget(Strict):
    """Whether something is present, one output: a logit that `calibration` turns into 0..1.

    It counts as present at a probability of at least `threshold`.
    """

    kind: Literal["presence"]
    name: Name
    threshold: Share
    calibration: ProbabilityCurve

    @property
    def outputs(self) -> int:
        """How many numbers of a network belong to it."""
        return 1


#: A target says by `kind` what it is; manifests before format 4 held values alone.
Target = Annotated[ValueTarget | GradeTarget | PresenceTarget, Field(discriminator="kind")]
