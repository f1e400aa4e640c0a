"""The ECG of a cart to pulmonary hypertension, and whether it is pre- or post-capillary.

As LS-EMVAE reads ECGs: an expert for each lead, so that twelve leads and six limb leads are judged
by one network. The encoder looks at one ECG at a time; what is left for the end is to choose which
of a study's ECGs decides.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from pydicom import Dataset

from inference.bundle.loading import Bundle, load_bundle
from inference.ecg import look as looking
from inference.ecg import rules
from inference.ecg.cleaning import Mains
from inference.ecg.drawing import Pixels
from inference.ecg.leads import LEADS, LeadSet
from inference.ecg.look import ARMS_REVERSED, Ecg
from inference.ecg.rules import Needs
from inference.errors import PipelineUnusableError
from inference.exclusions import rejection
from inference.models.device import choose_device
from inference.models.lead_vae import EcgClassifier
from inference.pipelines import ecg_bundle
from inference.pipelines.ecg_bundle import NAME, VERSION
from inference.pipelines.ecg_features import ReadEcg, encode_ecg, read_ecg
from inference.pipelines.ecg_pictures import pictures, preview
from inference.pipelines.ecg_verdicts import (
    POSTCAPILLARY_PH,
    SUPPOSES_PH,
    assess,
    classify,
    probability,
)
from inference.pipelines.ecg_words import (
    OTHER_ECG,
    SHORT_TITLE,
    TITLE,
    figures,
    judged_by,
    no_ecg,
    words,
    words_without_estimate,
)
from inference.pipelines.haemodynamics import PH
from inference.pipelines.registration import ECG_PH
from inference.population import (
    AGE_UNKNOWN,
    NOT_HUMAN,
    OUTSIDE_AGES,
    UNDER_18,
    adult,
    age_is_unknown,
    human,
    of_age,
)
from inference.types import (
    Case,
    Evidence,
    Exclusion,
    Features,
    Findings,
    ModelCard,
    Rejected,
    Selected,
    Selection,
    Standing,
    Verdict,
    as_percent,
)

_REASONS = {"human": NOT_HUMAN, "adult": UNDER_18, "of_age": OUTSIDE_AGES}


class EcgPh:
    """The pipeline with one bundle's network on one device."""

    name = NAME
    version = VERSION
    business = ECG_PH.business

    def __init__(self, bundle: Bundle, device: torch.device, mains_hz: Mains) -> None:
        ecg_bundle.require_fit(bundle.manifest)
        (self._network,) = bundle.networks_of(EcgClassifier)
        self._manifest = bundle.manifest
        self._signal = ecg_bundle.ecg_of(bundle.manifest).signal
        self._asked = {
            leads: ecg_bundle.questions(bundle.manifest, leads)
            for leads in ecg_bundle.lead_sets(bundle.manifest)
        }
        self._device = device
        self._mains_hz = mains_hz
        # Twelve leads hold the six, and a median beat does not ask when its lead was recorded.
        self._needs = Needs(
            frozenset({LeadSet.TWELVE, *self._asked}), sequential=self._signal == "median beat"
        )
        self._card = ecg_bundle.model_card(bundle.manifest, mains_hz)

    @property
    def model(self) -> ModelCard:
        """Which weights are loaded."""
        return self._card

    def select(self, header: Dataset, profile: str | None = None) -> Selection:  # noqa: ARG002
        """Judge one instance by the rules of ECGs, then by the population of the bundle.

        No sender has a profile of its own here.
        """
        selection = rules.select(header, self._needs)
        if isinstance(selection, Rejected):
            return selection
        of_patient = (human(header), self._of_age(header))
        verdicts = (*selection.verdicts, *of_patient)
        rejected = rejection(selection.instance, of_patient, _REASONS)
        return replace(rejected or selection, verdicts=verdicts)

    def look(self, instance: Path, selected: Selected) -> Ecg:
        """Read, clean and examine an ECG.

        Raises:
            InstanceExcludedError: its samples break a rule.
            InstanceUnreadableError: it is not what was selected.
        """
        ecg = looking.look(instance, self._needs, self._mains_hz)
        if any(map(age_is_unknown, selected.verdicts)):
            return replace(ecg, notes=(*ecg.notes, AGE_UNKNOWN))
        return ecg

    def encode(self, looks: Sequence[Ecg]) -> list[Features]:
        """Judge each ECG by the best of its lead sets that the bundle knows.

        Raises:
            InferenceError: the model gave a number that is not finite.
        """
        return [self._encode(ecg) for ecg in looks]

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        """Let the newest ECG with the most leads decide; abstains without any.

        Raises:
            BundleError: features were made with another bundle.
        """
        if not case.encoded:
            return self.abstain(exclusions, no_ecg(exclusions))
        ecgs = sorted((read_ecg(item, self._asked) for item in case.encoded), key=self._worth)
        *others, ecg = ecgs
        asked = self._asked[ecg.lead_set]
        untrained = self._manifest.standing is Standing.UNTRAINED
        sheet, map_of_beats = pictures(ecg)
        assessments = assess(ecg.logits, asked, untrained=untrained)
        return Findings(
            title=TITLE,
            model=self._card,
            words=words(ecg.lead_set),
            assessments=assessments,
            classification=classify(assessments, asked),
            evidence=(_evidence(ecg, preview(map_of_beats.pixels)),),
            exclusions=(*exclusions, *map(self._unused, reversed(others))),
            cautions=tuple(note for note in ecg.notes if note == ARMS_REVERSED),
            limitations=(
                *self._stated,
                judged_by(ecg.lead_set, len(others)),
                *self._figures(ecg.lead_set),
                *([SUPPOSES_PH] if len(assessments) > 1 else []),
                *(note for note in ecg.notes if note != ARMS_REVERSED),
            ),
            pictures=(sheet, map_of_beats),
        )

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        """Findings without an estimate."""
        return Findings(
            title=SHORT_TITLE,
            model=self._card,
            words=words_without_estimate(item.instance for item in exclusions),
            exclusions=tuple(exclusions),
            limitations=self._stated,
            abstention=why,
        )

    def _of_age(self, header: Dataset) -> Verdict:
        population = self._manifest.population
        if population is None:
            return adult(header)
        return of_age(header, population.from_years, population.below_years)

    def _encode(self, ecg: Ecg) -> Features:
        lead_set = ecg.lead_set if ecg.lead_set in self._asked else LeadSet.LIMB
        (network,) = self._manifest.networks
        outputs = {
            question: network.targets.index(target.name)
            for question, target in self._asked[lead_set].items()
        }
        return encode_ecg(self._network, self._signal, ecg, lead_set, outputs, self._device)

    def _worth(self, ecg: ReadEcg) -> tuple[bool, str, str]:
        """By what one ECG of a study decides rather than another, the most important first."""
        instance = ecg.instance
        most_leads = ecg.lead_set is LeadSet.TWELVE
        return most_leads, instance.acquired_at, instance.sop_instance_uid

    def _unused(self, ecg: ReadEcg) -> Exclusion:
        probable = probability(ecg.logits, self._asked[ecg.lead_set], PH.key)
        said = f"{ecg.lead_set}, probability of PH {as_percent(probable)} %"
        return Exclusion(ecg.instance, OTHER_ECG, said)

    @property
    def _stated(self) -> tuple[str, ...]:
        """What the bundle says of itself: the targets that it withholds, and its limitations."""
        withheld = (item.sentence for item in self._manifest.withheld)
        return (*withheld, *self._manifest.limitations)

    def _figures(self, leads: LeadSet) -> list[str]:
        """How well the bundle's test went with these leads, where it says so."""
        evaluated, asked = self._manifest.evaluation, self._asked[leads]
        return figures(
            {
                condition.name: evaluated.get(f"{asked[condition.key].name}.auroc")
                for condition in (PH, POSTCAPILLARY_PH)
                if condition.key in asked
            }
        )


def load(bundle: Path, device: str, precision: str = "fp32", mains_hz: int = 50) -> EcgPh:
    """Load the pipeline with a bundle on a device ("auto", "cpu", "cuda").

    It computes in float32, whatever the `precision`. `mains_hz` is the frequency of the mains where
    the ECGs are recorded: 50 or 60.

    Raises:
        BundleError: the bundle is damaged or made for something else.
        InferenceError: no such device here, or another mains frequency.
    """
    del precision
    if mains_hz not in (50, 60):
        raise PipelineUnusableError(NAME, f"mains_hz must be 50 or 60, not {mains_hz}")
    place = choose_device(device)
    return EcgPh(load_bundle(bundle, place), place, 60 if mains_hz == 60 else 50)


def _evidence(ecg: ReadEcg, shown: Pixels) -> Evidence:
    names = zip(LEADS, ecg.shares, ecg.usable, strict=True)
    return Evidence(
        instance=ecg.instance,
        frames=(),
        rank=1,
        weight=None,
        score=1.0,
        effects={},
        relevant=True,
        preview=shown,
        shares={f"lead {name}": float(share) for name, share, usable in names if usable},
        channels=ecg.channels,
    )
