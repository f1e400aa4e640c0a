"""The toy: a ratio, a rate, a grade, and a finding that it withholds."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from pydicom import Dataset

from chest_and_beat import reading
from chest_and_beat.registration import CHEST_AND_BEAT, FILMS
from inference.errors import BundleError, PipelineUnusableError
from inference.types import (
    Case,
    Code,
    Encoded,
    Evidence,
    Exclusion,
    Features,
    Findings,
    Grade,
    Measurement,
    ModelCard,
    Picture,
    Selected,
    Selection,
    Standing,
    Withheld,
    Words,
)

RATIO = Code("250973006", "SCT", "Cardiothoracic ratio")
RATE = Code("8867-4", "LN", "Heart rate")
SIZE = Code("SHADOW-SIZE", "99TOY", "Size of the shadow")
FLUID = Code("60046008", "SCT", "Pleural effusion")
SALIENCY = Code("130404", "DCM", "Saliency mapping")
NO_UNITS = Code("1", "UCUM", "no units")
PER_MINUTE = Code("/min", "UCUM", "per minute")
STEPS = (
    Code("260413007", "SCT", "None"),
    Code("255604002", "SCT", "Mild"),
    Code("24484000", "SCT", "Severe"),
)
WORDS = Words(
    noun="film",
    nouns="films and ECGs",
    reference="ruler's value",
    reservation="Measured by a toy; a ruler is better.",
    finding=Code("118247008", "SCT", "Radiographic finding"),
    procedure=Code("168537006", "SCT", "Plain radiography"),
    body_part="CHEST",
    hl7_section="RX",
)


class ChestAndBeat:
    """Weights are two numbers in a file."""

    name = "chest_and_beat"
    version = "1"
    business = CHEST_AND_BEAT.business

    def __init__(self, bundle: Path, decimals: int) -> None:
        self._decimals = decimals
        file = bundle / "toy.json"
        try:
            text = file.read_text("utf-8")
        except OSError as error:
            raise BundleError(f"{file} cannot be read: give the folder of a toy") from error
        weights = json.loads(text)
        self._mild, self._severe = weights["mild"], weights["severe"]
        self.model = ModelCard(
            algorithm=self.name,
            version=self.version,
            bundle_name="toy",
            bundle_version="1",
            bundle_digest=hashlib.sha256(text.encode()).hexdigest(),
            device_uid="2.25.4711",
            standing=Standing.RESEARCH,
            intended_use="To show that a stranger's pipeline runs.",
        )

    def select(self, header: Dataset, profile: str | None = None) -> Selection:
        return reading.select(header)

    def look(self, instance: Path, selected: Selected) -> reading.Look:
        return reading.look(instance, selected)

    def encode(self, looks: Sequence[reading.Look]) -> list[Features]:
        return [
            Features({"number": np.array([look.number], np.float32)}, (1,), (), look.picture)
            for look in looks
        ]

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        inputs = sorted(case.encoded, key=lambda item: item.instance.sop_instance_uid)
        films = [item for item in inputs if _is_film(item) and item.study == case.study]
        strips = [item for item in inputs if not _is_film(item)]
        if not films:
            return self.abstain(exclusions, "there is no film from the front.")
        ratio = mean(_number(item) for item in films)
        rates = [_number(item) for item in strips]
        return Findings(
            title="Toy reading of chest and beat",
            model=self.model,
            measurements=(
                Measurement(
                    "ratio",
                    RATIO,
                    ratio,
                    NO_UNITS,
                    ratio - 0.1,
                    ratio + 0.1,
                    0.9,
                    decimals=self._decimals,
                ),
                *(
                    Measurement("rate", RATE, rate, PER_MINUTE, None, None, None, 100, "the toy")
                    for rate in rates[:1]
                ),
            ),
            grades=(self._grade(ratio, films),),
            withheld=(Withheld("fluid", FLUID, "the toy has seen too few"),),
            evidence=tuple(
                Evidence(
                    instance=item.instance,
                    frames=(1,),
                    rank=rank,
                    weight=None,
                    score=0.0,
                    effects={},
                    relevant=True,
                    preview=item.features.preview,
                    noun="film" if item in films else "ECG",
                )
                for rank, item in enumerate((*films, *strips), 1)
            ),
            exclusions=tuple(exclusions),
            pictures=tuple(
                Picture("Where the film is bright", item.features.preview, SALIENCY)
                for item in films
                if item.features.preview is not None
            ),
            words=WORDS,
        )

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        return Findings(
            title="Toy reading of chest and beat",
            model=self.model,
            exclusions=tuple(exclusions),
            abstention=why,
            words=WORDS,
        )

    def _grade(self, ratio: float, films: Sequence[Encoded]) -> Grade:
        votes = tuple(
            (f"film {number}", self._step(_number(item))) for number, item in enumerate(films, 1)
        )
        criterion = f"mild above {self._mild:g}, severe above {self._severe:g}"
        return Grade("size", SIZE, STEPS, self._step(ratio), criterion, 0.8, votes)

    def _step(self, ratio: float) -> Code:
        return STEPS[(ratio > self._mild) + (ratio > self._severe)]


def _is_film(item: Encoded) -> bool:
    return item.instance.sop_class_uid in FILMS


def _number(item: Encoded) -> float:
    return float(item.features.arrays["number"][0])


def load(bundle: Path, device: str, precision: str, decimals: int = 2) -> ChestAndBeat:
    """What the registration names; `decimals` is an option of this pipeline in the settings."""
    if decimals not in range(1, 5):
        raise PipelineUnusableError(ChestAndBeat.name, "options.decimals: write 1 to 4")
    return ChestAndBeat(bundle, decimals)
