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

from pydantic import AwareDatetime, Field, FiniteFloat, model_validator

from inference.bundle import familiarity_tensors
from inference.bundle.calibration import ProbabilityCurve
from inference.bundle.familiarity import Limits
from inference.bundle.formats import FORMAT_VERSION
from inference.bundle.strict import Strict
from inference.bundle.targets import Name, Positive, Target, Text, ValueTarget
from inference.types import Standing
from inference.ultrasound.profile import Profile

#: The first format that has a self-test.
_TESTED = 4

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class Network(Strict):
    """One network of the bundle; its tensors are called `prefix.` and the name inside the network.

    Networks that share a target are an ensemble: their estimates are averaged. One without targets
    only serves the others, such as one that tells views apart.
    """

    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    architecture: Name
    targets: tuple[Name, ...]


class LoopPreprocessing(Strict):
    """How loops were selected and frames made in training.

    The node refuses a bundle that it cannot feed; its settings may ask for another selection.
    """

    input: Literal["loops"] = "loops"
    frame_size_px: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    selection: Annotated[Profile, Field(strict=False)] = Profile.PAPER
    frames_per_loop: Annotated[int, Field(ge=1, le=64)] = 10
    frames: Literal["first heartbeat, uniform"] = "first heartbeat, uniform"
    grey: Literal["BT.601, 0..1"] = "BT.601, 0..1"
    square: Literal["width to region height"] = "width to region height"
    resize: Literal["antialiased bilinear"] = "antialiased bilinear"

    @property
    def selected(self) -> str:
        """How the inputs of the training were selected, as a sentence."""
        return f"Loops were selected by the profile {self.selection}."

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What a network is fed, as labelled lines for a person."""
        size = self.frame_size_px
        return [
            ("selection", self.selection.value),
            ("input", f"{self.frames_per_loop} frames of {size} x {size} a loop"),
        ]


class EcgPreprocessing(Strict):
    """What of an ECG a network is fed, and with which sets of leads it can do."""

    input: Literal["ecg"] = "ecg"
    signal: Literal["rhythm", "median beat"]
    lead_sets: Annotated[
        tuple[Literal["12 leads", "6 limb leads"], ...], Field(min_length=1, max_length=2)
    ]

    @property
    def selected(self) -> str:
        """How the inputs of the training were selected, as a sentence."""
        return "ECGs at rest of at least 8 s, leads known by their codes."

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What a network is fed, as labelled lines for a person."""
        return [("input", f"{self.signal} of an ECG of {' or '.join(self.lead_sets)}, in mV")]


class FilmAndEcgPreprocessing(Strict):
    """What of a film a network is fed, and how near in time its ECG lies.

    `film` is the paper's grid of nine patches, or the whole film resized to `film_px`.
    """

    input: Literal["film and ecg"] = "film and ecg"
    film: Literal["grid", "whole"]
    film_px: Annotated[int, Field(ge=32, le=1024)]
    pair_days: Annotated[int, Field(ge=0, le=31)] = 7

    @property
    def selected(self) -> str:
        """How the inputs of the training were selected, as a sentence."""
        return f"Frontal chest films with the nearest ECG within {self.pair_days} days."

    @property
    def lines(self) -> list[tuple[str, str]]:
        """What a network is fed, as labelled lines for a person."""
        side = f"{self.film_px} x {self.film_px}"
        film = f"nine patches of a film, {side}" if self.film == "grid" else f"a film, {side}"
        return [("input", f"{film}, and twelve pictures of ECG leads within {self.pair_days} days")]


#: Said apart by `input`; manifests before format 5 knew loops alone.
Preprocessing = Annotated[
    LoopPreprocessing | EcgPreprocessing | FilmAndEcgPreprocessing, Field(discriminator="input")
]


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


class Population(Strict):
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

    format_version: Literal[1, 2, 3, 4, 5] = 5
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
    population: Population | None = None
    withheld: tuple[Withheld, ...] = ()
    evaluation: Mapping[str, FiniteFloat | Evaluated] = {}
    judged_on: Text | None = None
    intended_use: Text
    limitations: tuple[Text, ...] = ()
    licence: Text
    created_at: AwareDatetime
    model_card_sha256: Sha256 | None = None

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

    @property
    def quantities(self) -> dict[str, ValueTarget]:
        """The estimated quantities, by name."""
        return {each.name: each for each in self.targets if isinstance(each, ValueTarget)}

    def outputs(self, network: Network) -> int:
        """How many numbers a network gives: those of its targets, in its order of them."""
        sizes = {target.name: target.outputs for target in self.targets}
        return sum(sizes[name] for name in network.targets)


class SelfTest(Strict):
    """What each network, by prefix, answers to the input of `inference.bundle.self_test`.

    An answer may be off by `tolerance`, or by this share of it where it is larger than 1.
    """

    expected: Mapping[str, tuple[FiniteFloat, ...]]
    tolerance: Positive = 0.01


class Manifest(Description):
    """The whole of manifest.json; `digest` is the bundle's identity."""

    tensors: Mapping[str, Tensor]
    weights: Weights
    self_test: SelfTest | None = None
    digest: Sha256

    @model_validator(mode="after")
    def _is_tested(self) -> Self:
        if self.self_test is None:
            if self.format_version >= _TESTED:
                raise ValueError(f"format {self.format_version} needs a self_test")
            return self
        answers = {key: len(answer) for key, answer in self.self_test.expected.items()}
        wanted = {
            # What serves the others has outputs of its own.
            network.prefix: self.outputs(network) or answers.get(network.prefix)
            for network in self.networks
        }
        if answers != wanted:
            raise ValueError("the self_test is not one of these networks")
        return self

    @property
    def device_uid(self) -> str:
        """The Device UID (0018,1002) of this model: 2.25 and a name-based UUID (PS3.5 B.2)."""
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, self.digest).int}"


def seal(
    description: Description,
    tensors: Mapping[str, Tensor],
    weights: Weights,
    self_test: SelfTest,
) -> Manifest:
    """Complete a description to a manifest of today's format with its digest."""
    parts = {name: getattr(description, name) for name in Description.model_fields}
    parts |= {"format_version": FORMAT_VERSION, "tensors": tensors, "weights": weights}
    unsealed = Manifest(**parts, self_test=self_test, digest="0" * 64)
    digest = digest_of(unsealed.model_dump(mode="json"))
    return unsealed.model_copy(update={"digest": digest})


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of a manifest's JSON document without its digest."""
    # Of the document as written, not of the parsed model: defaults of a later format must not
    # change the identity of a bundle that is in use.
    unsealed = {key: value for key, value in document.items() if key != "digest"}
    canonical = json.dumps(unsealed, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
