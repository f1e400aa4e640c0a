"""What findings state: measurements, verdicts, classes and grades, as a reader sees them."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from inference.codes import Code


class Normality(StrEnum):
    """Where a measurement lies against the upper limit of normal, as printed."""

    NORMAL = "normal"
    HIGH = "above normal"
    BORDERLINE = "borderline"
    UNJUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One estimated quantity.

    `low` and `high` bound the interval that holds the true value with probability `coverage`;
    all three are None where the bundle brings no calibration. `upper_limit` is the upper end of
    the normal range (same unit), None where there is none, and `authority` who set it. `site` is
    the finding site.
    `model_range` is the range in which an estimate has a meaning: `value`, `low` and `high` are
    kept to it, and a number at one of its ends means "there or beyond". What is judged and said
    rests on numbers as printed, at `decimals`, so that no reader can find a contradiction.
    """

    name: str
    concept: Code
    value: float
    unit: Code
    low: float | None
    high: float | None
    coverage: float | None
    upper_limit: float | None = None
    authority: str = ""
    site: Code | None = None
    equivalent: Code | None = None
    decimals: int = 0
    model_range: tuple[float, float] | None = None

    def printed(self, number: float) -> float:
        """A number of this quantity as a reader sees it; never -0."""
        return float(f"{number:z.{self.decimals}f}")

    def below_range(self, number: float) -> bool:
        """Whether a number means "at the lower end of the model's range, or below it"."""
        return self.model_range is not None and number <= self.model_range[0]

    def above_range(self, number: float) -> bool:
        """Whether a number means "at the upper end of the model's range, or above it"."""
        return self.model_range is not None and number >= self.model_range[1]

    @property
    def beyond_range(self) -> bool:
        """Whether the estimate itself lies at or beyond an end of the model's range."""
        return self.below_range(self.value) or self.above_range(self.value)

    def exceeds(self, limit: float) -> bool | None:
        """Whether the printed value is above a limit; None where it does not tell."""
        return _exceeds(self._least(self.value), self._most(self.value), limit)

    def surely_exceeds(self, limit: float) -> bool | None:
        """The same for value and printed interval together; None without an interval."""
        if self.low is None or self.high is None:
            return None
        numbers = (self.value, self.low, self.high)
        return _exceeds(min(map(self._least, numbers)), max(map(self._most, numbers)), limit)

    @property
    def normality(self) -> Normality:
        """Against the upper limit: only where value and interval lie on one side of it."""
        if self.low is None or self.high is None or self.upper_limit is None:
            return Normality.UNJUDGED
        exceeds = self.surely_exceeds(self.upper_limit)
        if exceeds is None:
            return Normality.BORDERLINE
        return Normality.HIGH if exceeds else Normality.NORMAL

    def _least(self, number: float) -> float:
        return -inf if self.below_range(number) else self.printed(number)

    def _most(self, number: float) -> float:
        return inf if self.above_range(number) else self.printed(number)


def _exceeds(least: float, most: float, limit: float) -> bool | None:
    return True if least > limit else False if most <= limit else None


class Presence(StrEnum):
    """CID 240: whether a condition is there."""

    PRESENT = "present"
    ABSENT = "absent"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A yes-or-no verdict with the guideline's rule that it follows.

    `name` is short, such as "PH". `probability`, in 0..1 where calibrated, is that of the
    condition, whatever the verdict. `reason` says why nothing is stated.
    """

    name: str
    concept: Code
    presence: Presence
    criterion: str
    probability: float | None = None
    reason: str = ""

    @property
    def percent(self) -> int | None:
        """The probability of the condition as printed; no estimate is certain, so 1 to 99."""
        return None if self.probability is None else as_percent(self.probability)

    @property
    def certainty_percent(self) -> int | None:
        """How certain that is what is stated: of an absence 100 - `percent`; None if nothing is."""
        if self.percent is None or self.presence is Presence.UNDETERMINED:
            return None
        return self.percent if self.presence is Presence.PRESENT else 100 - self.percent


def as_percent(probability: float) -> int:
    """A probability (0..1) as printed, in percent: 1 to 99."""
    return min(99, max(1, round(100 * probability)))


@dataclass(frozen=True, slots=True)
class Classification:
    """Which one of several classes the findings fall into, such as a haemodynamic class.

    `concept` names the division and `value` the class. `criterion` is the guideline's rule that
    the class follows, empty where nothing is `determined`; `reason` then says why.
    """

    name: str
    concept: Code
    value: Code
    criterion: str = ""
    determined: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """Which step of a scale a finding has, such as none, mild or severe.

    `scale` ascends; `level` is one of it, None where undetermined, and `reason` says why. Where
    calibrated, `probability` is that of the level, in 0..1. `votes` are the levels that single
    inputs or views stand for, by their names.
    """

    name: str
    concept: Code
    scale: tuple[Code, ...]
    level: Code | None
    criterion: str = ""
    probability: float | None = None
    votes: tuple[tuple[str, Code], ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        if not {level for _, level in self.votes} | {self.level} <= {*self.scale, None}:
            raise ValueError(f"{self.name}: level and votes must be steps of the scale")

    @property
    def percent(self) -> int | None:
        """The probability of the level as printed."""
        known = self.level is not None and self.probability is not None
        return as_percent(self.probability or 0.0) if known else None


@dataclass(frozen=True, slots=True)
class Withheld:
    """A finding that the pipeline does not state, though it looks for it; `reason` says why."""

    name: str
    concept: Code
    reason: str
