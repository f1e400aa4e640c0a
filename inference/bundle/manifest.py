"""What a bundle says about itself: manifest.json, read strictly.

Every key is known, typed and finite; anything else is refused. The digest of a bundle is the
SHA-256 of its manifest in canonical JSON, the digest itself left out. The manifest holds the
SHA-256 of the weights, so one digest stands for every number that the bundle adds to a result.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from inference.bundle import familiarity_tensors
from inference.bundle.calibration import Conformal, ProbabilityCurve, Recalibration
from inference.bundle.exam_evidence import ExamEvidence
from inference.bundle.familiarity import Limits
from inference.bundle.strict import Strict
from inference.types import Standing
from inference.ultrasound.profile import Profile

#: Format 2 states by which profile the loops were selected; those of format 1 were by the paper.
#: Format 3 states how loops unlike those of the training are known; absent: nobody can tell.
FORMAT_VERSION = 3

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Positive = Annotated[FiniteFloat, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class Network(Strict):
    """One network of the bundle; its tensors are called `prefix.` and the name inside the network.

    Networks that share a target are an ensemble: their estimates are averaged.
    """

    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    architecture: Name
    targets: Annotated[tuple[Name, ...], Field(min_length=1)]


class Target(Strict):
    """One estimated quantity; every number but the recalibration is in `unit` (UCUM).

    `mean` and `sd` undo the z-scoring of training. `decision_threshold` splits estimates into the
    verdict's two sides; it may differ from the guideline's limit where validation chose another.
    Without `evidence` every exam counts as a typical one.
    """

    name: Name
    unit: Text
    mean: FiniteFloat
    sd: Positive
    decision_threshold: FiniteFloat
    recalibration: Recalibration = Recalibration()
    conformal: Conformal | None = None
    evidence: ExamEvidence | None = None

    def widening(self, share: float | None) -> float:
        """How many times as wide as usual intervals are at a share of the typical evidence."""
        if self.evidence is None or share is None:
            return 1.0
        return self.evidence.widening_at(share)


class Preprocessing(Strict):
    """How loops were selected and frames made in training.

    The node refuses a bundle that it cannot feed; its settings may ask for another selection.
    """

    frame_size_px: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    selection: Annotated[Profile, Field(strict=False)] = Profile.PAPER
    frames_per_loop: Annotated[int, Field(ge=1, le=64)] = 10
    frames: Literal["first heartbeat, uniform"] = "first heartbeat, uniform"
    grey: Literal["BT.601, 0..1"] = "BT.601, 0..1"
    square: Literal["width to region height"] = "width to region height"
    resize: Literal["antialiased bilinear"] = "antialiased bilinear"


class Cohort(Strict):
    """Who the model was trained on; `sha256` is that of the cohort.

    `population` describes the patients of the training split: what it is, and the values.
    `test_looks` and `test_models` count how often, and with how many models, its test split was
    looked at up to this model.
    """

    description: Text
    sha256: Sha256 | None = None
    exams: Mapping[Name, Count] = {}
    population: Mapping[Text, Text] = {}
    test_looks: Count | None = None
    test_models: Count | None = None


class Withheld(Strict):
    """A target that the training run estimates and the bundle does not hold, and why."""

    name: Name
    reason: Text

    @property
    def sentence(self) -> str:
        """As reports say it."""
        return f"{self.name} withheld: {self.reason}."


class Evaluated(Strict):
    """A figure of the evaluation with its 95 % interval, where there is one."""

    value: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


class Tensor(Strict):
    """Shape and safetensors dtype of one tensor."""

    shape: tuple[Count, ...]
    dtype: Literal["F32", "F16", "BF16", "I64"]


class Weights(Strict):
    """The file model.safetensors as it must be found."""

    sha256: Sha256
    size_bytes: Annotated[int, Field(gt=8)]


class Ages(Strict):
    """The patients that a bundle is for, by their age at the examination, in years.

    They are at least `from_years` old and younger than `below_years`; None: there is no such end.
    """

    from_years: Annotated[FiniteFloat, Field(ge=0)]
    below_years: Positive | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.below_years is not None and self.below_years <= self.from_years:
            raise ValueError("below_years must be above from_years")
        return self

    def __str__(self) -> str:
        end = "" if self.below_years is None else f", below {self.below_years:g}"
        return f"from {self.from_years:g}{end} years"


class Description(Strict):
    """A manifest without what the weights file determines: what whoever packs a bundle states.

    `evaluation` are figures on the test split of the cohort, unless `judged_on` names other exams.
    `model_card_sha256` is that of the file model_card.html beside the manifest; writing sets it.
    """

    format_version: Literal[1, 2, 3] = 3
    name: Name
    version: Name
    standing: Annotated[Standing, Field(strict=False)]
    pipeline: Name
    networks: Annotated[tuple[Network, ...], Field(min_length=1)]
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    probabilities: Mapping[Name, ProbabilityCurve] = {}
    familiarity: Limits | None = None
    preprocessing: Preprocessing
    cohort: Cohort
    ages: Ages | None = None
    withheld: tuple[Withheld, ...] = ()
    evaluation: Mapping[str, FiniteFloat | Evaluated] = {}
    judged_on: Text | None = None
    intended_use: Text
    limitations: tuple[Text, ...] = ()
    licence: Text
    created_at: AwareDatetime
    model_card_sha256: Sha256 | None = None

    @model_serializer(mode="wrap")
    def _as_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `ages` where none are stated: such a bundle keeps its digest in every version."""
        document: dict[str, Any] = handler(self)
        if self.ages is None:
            document.pop("ages", None)
        return document

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [target.name for target in self.targets]
        prefixes = [network.prefix for network in self.networks]
        estimated = {name for network in self.networks for name in network.targets}
        if len(set(names)) < len(names):
            raise ValueError("two targets have the same name")
        if len(set(prefixes)) < len(prefixes):
            raise ValueError("two networks have the same prefix")
        if self.familiarity is not None and not familiarity_tensors.TAKEN.isdisjoint(prefixes):
            raise ValueError("a network has a prefix that familiarity uses")
        if any(len(set(network.targets)) < len(network.targets) for network in self.networks):
            raise ValueError("a network names a target twice")
        if not {item.name for item in self.withheld}.isdisjoint(names):
            raise ValueError("a target is both held and withheld")
        if estimated != set(names):
            raise ValueError("the networks' targets and the list of targets differ")
        return self

    def target(self, name: str) -> Target:
        """The target of a name.

        Raises:
            KeyError: the bundle does not estimate it.
        """
        for target in self.targets:
            if target.name == name:
                return target
        raise KeyError(name)


class Manifest(Description):
    """The whole of manifest.json; `digest` is the bundle's identity."""

    tensors: Mapping[str, Tensor]
    weights: Weights
    digest: Sha256

    @property
    def device_uid(self) -> str:
        """The Device UID (0018,1002) of this model: 2.25 and a name-based UUID (PS3.5 B.2)."""
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, self.digest).int}"


def seal(description: Description, tensors: Mapping[str, Tensor], weights: Weights) -> Manifest:
    """Complete a description to a manifest with its digest."""
    parts = {name: getattr(description, name) for name in Description.model_fields}
    unsealed = Manifest(**parts, tensors=tensors, weights=weights, digest="0" * 64)
    digest = digest_of(unsealed.model_dump(mode="json"))
    return unsealed.model_copy(update={"digest": digest})


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of a manifest's JSON document without its digest."""
    # Of the document as written, not of the parsed model: defaults of a later format must not
    # change the identity of a bundle that is in use.
    unsealed = {key: value for key, value in document.items() if key != "digest"}
    canonical = json.dumps(unsealed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
