"""The words that pipelines and the rest of the node share: selections, features and findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
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


@dataclass(frozen=True, slots=True)
class Measurement:
    """One estimated quantity.

    `low` and `high` bound the interval that holds the true value with probability `coverage`;
    all three are None where the bundle brings no calibration. `upper_limit` is the upper end of
    the normal range (same unit) and `authority` who set it. `site` is the finding site.
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


class Presence(StrEnum):
    """CID 240: whether a condition is there."""

    PRESENT = "present"
    ABSENT = "absent"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A yes-or-no verdict with the rule that led to it; `probability` in 0..1 where calibrated."""

    name: str
    concept: Code
    presence: Presence
    criterion: str
    probability: float | None = None


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


class Standing(StrEnum):
    """How far a bundle may be trusted; shown in plain sight on everything made with it."""

    UNTRAINED = "UNTRAINED"
    PHANTOM = "PHANTOM"
    RESEARCH = "RESEARCH"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Which algorithm and which weights made the findings (TID 4019 and IHE AIR equipment)."""

    algorithm: str
    version: str
    bundle_name: str
    bundle_version: str
    bundle_digest: str
    device_uid: str
    standing: Standing
    intended_use: str
    parameters: tuple[str, ...] = ()

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

    Without `measurements` the pipeline abstains and `abstention` says why.
    """

    title: str
    model: ModelCard
    measurements: tuple[Measurement, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    limitations: tuple[str, ...] = ()
    abstention: str | None = None

    def __post_init__(self) -> None:
        if bool(self.measurements) == (self.abstention is not None):
            raise ValueError("findings either hold measurements or an abstention, not both")


def by_relevance(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Sort the evidence best first."""
    return sorted(evidence, key=lambda item: item.rank)
