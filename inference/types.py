"""The words that pipelines and the rest of the node share: selections, features and findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3 section 8): value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class InstanceRef:
    """What a report needs to point at one instance.

    `acquired_at` is when it was made, YYYYMMDDHHMMSS in the local time of its source; "" where it
    does not say.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    instance_number: int | None = None
    number_of_frames: int = 1
    modality: str = ""
    description: str = ""
    acquired_at: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one named selection rule for one instance."""

    rule: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Selected:
    """An instance that takes part, with what the encoder must know about it.

    `plan` is the pipeline's own, JSON-serialisable: it is stored and comes back to `encode`.
    """

    instance: InstanceRef
    verdicts: tuple[Verdict, ...]
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An instance that takes no part, with the coded reason and a sentence for a reader."""

    instance: InstanceRef
    verdicts: tuple[Verdict, ...]
    reason: Code
    detail: str


Selection = Selected | Rejected


@dataclass(frozen=True, slots=True)
class Features:
    """What the encoder keeps of one loop: named arrays of a few kilobytes.

    `frames` are the 1-based DICOM frame numbers that were looked at, in order of time.
    `notes` are short remarks for the reader, such as a fallback that was taken.
    `preview` is one uint8 grey frame (height, width) for the summary picture.
    """

    arrays: Mapping[str, NDArray[np.float32]]
    frames: tuple[int, ...]
    notes: tuple[str, ...] = ()
    preview: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """One selected instance and its features, as a study is concluded from them."""

    instance: InstanceRef
    features: Features


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
    the normal range (same unit) and `authority` who set it. `site` is the finding site.
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
    upper_limit: float
    authority: str
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
        if self.low is None or self.high is None:
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
class Evidence:
    """One loop that the estimate rests on; rank 1 is the most relevant.

    `weight` is the share of the exam's attention (all weights sum to 1) and `effects` the change of
    each estimate, in its unit, when the loop is left out. `relevant` means that both are high.
    """

    instance: InstanceRef
    frames: tuple[int, ...]
    rank: int
    weight: float
    score: float
    effects: Mapping[str, float]
    relevant: bool
    notes: tuple[str, ...] = ()
    preview: NDArray[np.uint8] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One instance of the study that was not analysed, and why."""

    instance: InstanceRef
    reason: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How far the inputs of an analysis resemble what the model was trained on.

    `familiar` of the `judged` inputs do. `farthest` is the distance of the strangest one and
    `median` that of all together, each in units of its limit: above 1 it is unfamiliar. `median`
    is None where there are too few for it.
    """

    familiar: int
    judged: int
    farthest: float
    median: float | None = None


class Standing(StrEnum):
    """How far a bundle may be trusted; shown in plain sight on everything made with it."""

    UNTRAINED = "UNTRAINED"
    PHANTOM = "PHANTOM"
    RESEARCH = "RESEARCH"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Which algorithm and which weights made the findings (TID 4019 and IHE AIR equipment).

    `remarks` are for the administrator, in a few words each, and stand in no report.
    """

    algorithm: str
    version: str
    bundle_name: str
    bundle_version: str
    bundle_digest: str
    device_uid: str
    standing: Standing
    intended_use: str
    parameters: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """The sentence that stands wherever a result of this bundle is shown."""
        return {
            Standing.UNTRAINED: "UNTRAINED MODEL - VALUES ARE MEANINGLESS - NOT FOR PATIENTS",
            Standing.PHANTOM: "PHANTOM - NOT FOR PATIENTS",
            Standing.RESEARCH: "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
        }[self.standing]


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that one pipeline has to say about one study.

    Without `measurements` the pipeline abstains and `abstention` says why: a reason to be put
    behind "No estimate: ". `cautions` are sentences that stand in plain sight on every form of
    the report, beside the values that they concern. `familiarity` is None where it was not judged.
    """

    title: str
    model: ModelCard
    measurements: tuple[Measurement, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    limitations: tuple[str, ...] = ()
    abstention: str | None = None
    cautions: tuple[str, ...] = ()
    classification: Classification | None = None
    familiarity: Familiarity | None = None

    def __post_init__(self) -> None:
        if bool(self.measurements) == (self.abstention is not None):
            raise ValueError("findings either hold measurements or an abstention, not both")

    def normality(self, measurement: Measurement) -> Normality:
        """Of one of the measurements; an untrained model has no say in what is normal."""
        untrained = self.model.standing is Standing.UNTRAINED
        return Normality.UNJUDGED if untrained else measurement.normality


def by_relevance(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Sort the evidence best first."""
    return sorted(evidence, key=lambda item: item.rank)
