"""The words that pipelines and the rest of the node share: selections, features and findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.codes import Code
from inference.earlier import Course, Earlier, Point, Reference, StudyRef, Track
from inference.results import (
    Assessment,
    Classification,
    Grade,
    Measurement,
    Normality,
    Presence,
    Withheld,
    as_percent,
)

__all__ = [
    "Assessment",
    "Case",
    "Classification",
    "Code",
    "Course",
    "Earlier",
    "Encoded",
    "Evidence",
    "Exclusion",
    "Familiarity",
    "Features",
    "Findings",
    "Grade",
    "InstanceRef",
    "Measurement",
    "ModelCard",
    "Normality",
    "Picture",
    "Point",
    "Presence",
    "Reference",
    "Rejected",
    "Selected",
    "Selection",
    "Standing",
    "StudyRef",
    "Track",
    "Verdict",
    "Withheld",
    "Words",
    "as_percent",
    "by_relevance",
]


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
    """One selected instance, its features, and the study that it is of."""

    instance: InstanceRef
    features: Features
    study: StudyRef = field(default_factory=StudyRef)


@dataclass(frozen=True, slots=True)
class Case:
    """What is concluded: the selected instances of a study, and what of the patient's others is in
    reach of the pipeline's business.

    `study` is the one that is reported on; `earlier` is what the pipeline estimated in studies of
    the patient before it, the oldest first.
    """

    encoded: Sequence[Encoded]
    study: StudyRef = field(default_factory=StudyRef)
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One input that the estimate rests on; rank 1 is the most relevant.

    `weight` is the share of the exam's attention (all weights sum to 1), None where the pipeline
    has none, and `effects` the change of each estimate, in its unit, when the input is left out.
    `relevant` means that both are high. `shares` say, by the names of the input's parts such as
    leads, how much of what the model looked at lies in each; they sum to 1. Of a waveform,
    `channels` are the group and the channel (1-based) of each that was looked at. `noun` says what
    it is where that differs from the noun of the findings. `preview` is grey (height, width) or RGB
    (height, width, 3), such as a frame below the pipeline's map of what it looked at.
    """

    instance: InstanceRef
    frames: tuple[int, ...]
    rank: int
    weight: float | None
    score: float
    effects: Mapping[str, float]
    relevant: bool
    notes: tuple[str, ...] = ()
    preview: NDArray[np.uint8] | None = field(default=None, compare=False)
    noun: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    channels: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """What a pipeline draws for the reader: RGB (height, width, 3), and a caption.

    `method` is how a map of what the model looked at was made (PS3.16 CID 217); None: it is none.
    """

    caption: str
    pixels: NDArray[np.uint8] = field(compare=False)
    method: Code | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One instance that was not analysed, why, and the study that it is of."""

    instance: InstanceRef
    reason: Code
    detail: str
    study: StudyRef = field(default_factory=StudyRef)


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

    `remarks` are for the administrator, in a few words each, and stand in no report. `preparing`
    are the settings that `select`, `look` and `encode` follow: what was prepared under others is
    prepared again. It holds nothing that differs between machines, such as the device.
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
    preparing: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """The sentence that stands wherever a result of this bundle is shown."""
        return {
            Standing.UNTRAINED: "UNTRAINED MODEL - VALUES ARE MEANINGLESS - NOT FOR PATIENTS",
            Standing.PHANTOM: "PHANTOM - NOT FOR PATIENTS",
            Standing.RESEARCH: "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
        }[self.standing]


@dataclass(frozen=True, slots=True)
class Words:
    """What a report calls things: the pipeline's own terms, which the rest of the node only prints.

    `noun` and `nouns` name one input and several ("film", "films"). `reference` is what estimates
    are calibrated to ("catheter value"); `reservation` the sentence that tells them from it.
    `finding` is what the estimates together are. Where the source names no procedure, `procedure`
    is what is certain of it; None: that it is imaging. `body_part` is Body Part Examined (CS) of
    what is drawn, one that is not paired, "" where not certain; `hl7_section` the diagnostic
    service (HL7 table 0074).
    """

    noun: str = "input"
    nouns: str = "inputs"
    reference: str = "reference value"
    reservation: str = ""
    finding: Code | None = None
    procedure: Code | None = None
    body_part: str = ""
    hl7_section: str = "IMG"


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that one pipeline has to say about one study, in its own words.

    Without any result (measurement, assessment, grade, withheld finding) the pipeline abstains and
    `abstention` says why: a reason to be put behind "No estimate: ". `cautions` are sentences that
    stand in plain sight on every form of the report, beside the values that they concern.
    `familiarity` is None where it was not judged. `course` is added by the node
    (`inference.course`); None: nothing is known of the patient before.
    A `quiet` abstention is one that nobody waits for: it is stored, and a reader gets it only where
    somebody asked for the report, or has an earlier one.
    """

    title: str
    model: ModelCard
    measurements: tuple[Measurement, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    grades: tuple[Grade, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    limitations: tuple[str, ...] = ()
    abstention: str | None = None
    cautions: tuple[str, ...] = ()
    classification: Classification | None = None
    familiarity: Familiarity | None = None
    pictures: tuple[Picture, ...] = ()
    words: Words = Words()
    course: Course | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        results = (*self.measurements, *self.assessments, *self.grades, *self.withheld)
        if bool(results) == (self.abstention is not None):
            raise ValueError("findings either hold results or an abstention, not both")
        if self.quiet and results:
            raise ValueError("only an abstention may be quiet")

    def normality(self, measurement: Measurement) -> Normality:
        """Of one of the measurements; an untrained model has no say in what is normal."""
        untrained = self.model.standing is Standing.UNTRAINED
        return Normality.UNJUDGED if untrained else measurement.normality


def by_relevance(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Sort the evidence best first."""
    return sorted(evidence, key=lambda item: item.rank)
