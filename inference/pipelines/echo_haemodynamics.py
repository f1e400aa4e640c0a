"""All B-mode loops of an echo study to mPAP, PVR and PAWP, as in the MIDL 2026 paper.

The encoder looks at one loop at a time, while the study still arrives; what is left for the end is
the fusion of a few kilobytes. Loops are sorted by UID first, so their order of arrival changes no
digit of a result.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from pydicom import Dataset

from inference.bundle.loading import Bundle, load_bundle
from inference.bundle.targets import ValueTarget
from inference.errors import BundleError, InferenceError
from inference.exclusions import NO_ESTIMATE, UNUSED
from inference.models.device import choose_device, reproducible
from inference.models.frame_encoder import Precision, choose_precision, frame_encoders
from inference.models.multiview import MultiView
from inference.pipelines.bundle_fit import of_population
from inference.pipelines.echo_bundle import NAME, VERSION, loops_of, model_card, require_fit
from inference.pipelines.echo_words import WORDS, words_without_estimate
from inference.pipelines.familiar_loops import Judged, Unfamiliar, judge_loops
from inference.pipelines.fusion import Fusion, fuse_exam
from inference.pipelines.haemodynamic_class import classify
from inference.pipelines.haemodynamics import (
    assess,
    decidable,
    evidence_shares,
    measure,
    primary,
    sufficient,
    undetermined,
)
from inference.pipelines.loop_features import encode_loops, stack_loops
from inference.pipelines.registration import ECHO_HAEMODYNAMICS
from inference.pipelines.relevance import rank_loops
from inference.pipelines.study_words import (
    no_loop,
    study_limitations,
    too_little_evidence,
    wider_intervals,
    without_evidence,
    without_study_notes,
)
from inference.population import AGE_UNKNOWN, age_is_unknown
from inference.types import (
    Assessment,
    Case,
    Encoded,
    Exclusion,
    Features,
    Findings,
    InstanceRef,
    ModelCard,
    Selected,
    Selection,
    Standing,
)
from inference.ultrasound.loop import Loop, look
from inference.ultrasound.profile import DEPARTURE_NOTE, PROFILE_NOTE, Profile, narrowest
from inference.ultrasound.selection import select

TITLE = "Pulmonary haemodynamics estimated from echocardiography"
#: Without an estimate nothing says that the study is echocardiography at all.
_NO_ESTIMATE = "Pulmonary haemodynamics"

_ATTENTION = (
    "A loop's weight is its share of the model's attention. A high weight alone does not mean "
    "that the loop is informative; compare the change of the estimate without the loop."
)
_NO_INTERVALS = "The model has no calibrated intervals."
_ONE_LOOP = "Only one loop could be analysed, so the effect of leaving it out is unknown."


class EchoHaemodynamics:
    """The pipeline with one bundle's networks on one device."""

    name = NAME
    version = VERSION
    business = ECHO_HAEMODYNAMICS.business

    def __init__(
        self,
        bundle: Bundle,
        device: torch.device,
        precision: Precision,
        profile: Profile,
        *,
        without_heartbeat: bool = False,
        unfamiliar: Unfamiliar = "exclude",
    ) -> None:
        require_fit(bundle.manifest)
        self._bundle = bundle
        self._manifest = bundle.manifest
        self._loops = loops_of(bundle.manifest)
        self._device = device
        self._profile = profile
        self._without_heartbeat = without_heartbeat
        self._unfamiliar = unfamiliar
        self._encoders = frame_encoders(
            [network.encoder for network in bundle.networks_of(MultiView)], device, precision
        )
        self._targets = bundle.manifest.quantities
        self._primary = primary(self._targets)
        self._card = model_card(
            bundle.manifest, profile, unfamiliar, without_heartbeat=without_heartbeat
        )

    @property
    def model(self) -> ModelCard:
        """Which weights are loaded."""
        return self._card

    def check(self) -> None:
        """Take a made-up loop all the way, so that no study is the first to show a bad bundle.

        Raises:
            BundleError: the weights give numbers that are not finite.
        """
        size, count = self._loops.frame_size_px, self._loops.frames_per_loop
        ramp = np.linspace(0, 1, size * size, dtype=np.float32).reshape(1, size, size)
        numbers = tuple(range(1, count + 1))
        loop = Loop(np.repeat(ramp, count, axis=0), numbers, (), np.zeros((1, 1), np.uint8))
        try:
            [encoded] = self.encode([loop])
            made_up = [Encoded(InstanceRef("", "", ""), encoded)]
            with reproducible():
                features = stack_loops(self._bundle, made_up, self._device)
                exam = fuse_exam(self._bundle, features, self._primary)
                self._estimate(Judged((0,), tuple(made_up)), exam, ())
        except InferenceError as error:
            raise BundleError(
                f"bundle {self._card.bundle_name} gives no usable numbers; get it again"
            ) from error

    def select(self, header: Dataset, profile: str | None = None) -> Selection:
        """Judge one instance by the rules of a profile, then by the population of the bundle."""
        selection = select(header, self._profile if profile is None else Profile(profile))
        return of_population(selection, header, self._manifest)

    def look(self, instance: Path, selected: Selected) -> Loop:
        """Decode the first heartbeat of a loop.

        Raises:
            InstanceExcludedError: the pixels break a rule of the profile that selected it, or no
                heartbeat can be determined.
            InstanceUnreadableError: the pixels cannot be decoded or hold no picture.
        """
        size_px = self._loops.frame_size_px
        allowed = self._without_heartbeat
        loop = look(instance, selected.plan, size_px, without_heartbeat=allowed)
        if any(map(age_is_unknown, selected.verdicts)):
            return replace(loop, notes=(*loop.notes, AGE_UNKNOWN))
        return loop

    def encode(self, looks: Sequence[Loop]) -> list[Features]:
        """Keep, of each loop, its feature for every network.

        Raises:
            InferenceError: the model gave a number that is not finite.
        """
        with reproducible():
            made = encode_loops(self._bundle, self._encoders, [loop.frames for loop in looks])
        return [
            Features(arrays, loop.frame_numbers, loop.notes, loop.preview)
            for arrays, loop in zip(made, looks, strict=True)
        ]

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        """Estimate from all loops; abstains without familiar loops that hold enough evidence.

        Raises:
            BundleError: features were made with another bundle.
            InferenceError: the model gave a number that is not finite.
        """
        if not case.encoded:
            return self.abstain(exclusions, no_loop(exclusions))
        loops = sorted(case.encoded, key=lambda encoded: encoded.instance.sop_instance_uid)
        with reproducible():
            features = stack_loops(self._bundle, loops, self._device)
            judged = judge_loops(self._bundle, loops, features, self._unfamiliar)
            if judged.abstention is not None:
                return self._without_estimate(judged, judged.abstention, exclusions)
            used = list(judged.used)
            exam = fuse_exam(self._bundle, [each[used] for each in features], self._primary)
        return self._estimate(judged, exam, exclusions)

    def _without_estimate(
        self, judged: Judged, why: str, exclusions: Sequence[Exclusion]
    ) -> Findings:
        """An abstention; loops that resemble those of the training are not used either."""
        unused = [Exclusion(loop.instance, NO_ESTIMATE, UNUSED) for loop in judged.loops]
        left_out = [*exclusions, *judged.exclusions, *unused]
        left_out.sort(key=lambda item: item.instance.sop_instance_uid)
        return replace(self.abstain(left_out, why), familiarity=judged.familiarity)

    def _estimate(self, judged: Judged, exam: Fusion, exclusions: Sequence[Exclusion]) -> Findings:
        """Findings from the loops that are used, where they hold enough evidence."""
        loops = judged.loops
        shares = evidence_shares(self._targets, exam.evidence)
        targets = sufficient(self._targets, shares)
        if not targets:
            why = _too_little(self._targets, shares, len(loops))
            return self._without_estimate(judged, why, exclusions)
        measurements = tuple(
            measure(target, exam.estimates[name], shares.get(name))
            for name, target in targets.items()
        )
        assessments = self._assessments(targets, exam.estimates, shares)
        return Findings(
            title=TITLE,
            model=self._card,
            words=WORDS,
            measurements=measurements,
            assessments=assessments,
            classification=classify(measurements, assessments),
            evidence=rank_loops(
                without_study_notes(loops),
                exam.weights,
                exam.scores,
                [
                    {name: effect[name] for name in effect if name in targets}
                    for effect in exam.effects
                ],
                self._primary,
            ),
            exclusions=(*exclusions, *judged.exclusions),
            cautions=(
                *judged.cautions,
                *_cautions(loops, self._loops.selection),
                *wider_intervals(
                    {name: target.widening(shares.get(name)) for name, target in targets.items()}
                ),
            ),
            limitations=(
                *self._limitations(loops),
                *self._not_estimated(targets, shares),
                *judged.limitations,
            ),
            familiarity=judged.familiarity,
        )

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        """Findings without an estimate."""
        return Findings(
            title=_NO_ESTIMATE,
            model=self._card,
            words=words_without_estimate(item.instance for item in exclusions),
            exclusions=tuple(exclusions),
            limitations=(*self._stated, self._selected_by),
            abstention=why,
        )

    @property
    def _stated(self) -> tuple[str, ...]:
        """What the bundle says of itself: the targets that it withholds, and its limitations."""
        withheld = (item.sentence for item in self._manifest.withheld)
        return (*withheld, *self._manifest.limitations)

    @property
    def _selected_by(self) -> str:
        own = "a sending system may have a profile of its own"
        return f"Loops are selected by the profile {self._profile}; {own}."

    def _assessments(
        self,
        targets: Mapping[str, ValueTarget],
        estimates: Mapping[str, float],
        shares: Mapping[str, float],
    ) -> tuple[Assessment, ...]:
        if self._manifest.standing is Standing.UNTRAINED:
            return tuple(undetermined(condition) for condition in decidable(targets))
        return assess(estimates, targets, self._manifest.probabilities, shares)

    def _not_estimated(
        self, targets: Mapping[str, ValueTarget], shares: Mapping[str, float]
    ) -> Iterator[str]:
        for name, target in self._targets.items():
            if name not in targets and target.evidence is not None:
                yield without_evidence(name, shares[name], target.evidence.minimum_share)

    def _limitations(self, loops: Sequence[Encoded]) -> tuple[str, ...]:
        uncalibrated = any(target.conformal is None for target in self._targets.values())
        return (
            *self._stated,
            _ATTENTION,
            *([_NO_INTERVALS] if uncalibrated else []),
            *([_ONE_LOOP] if len(loops) == 1 else []),
            *study_limitations(loops),
            *_selected_otherwise(loops, self._loops.selection),
        )


def load(
    bundle: Path,
    device: str,
    precision: str = "fp32",
    profile: str | None = None,
    without_heartbeat: str = "exclude",
    unfamiliar: Unfamiliar = "exclude",
) -> EchoHaemodynamics:
    """Load the pipeline with a bundle on a device ("auto", "cpu", "cuda").

    `precision` is that of the encoders: "auto", "fp32" or "bf16". All else is float32. `profile`
    selects the loops; None: the one that the bundle was trained with. `without_heartbeat` says what
    happens to loops without a detectable heartbeat: "exclude", or "note" (use them with a note).
    `unfamiliar` says the same of loops unlike those that the bundle was trained on; "off" does not
    judge it.

    Raises:
        BundleError: the bundle is damaged, made for something else, or gives no numbers.
        InferenceError: no such device or precision here.
    """
    place = choose_device(device)
    arithmetic = choose_precision(precision, place)
    loaded = load_bundle(bundle, place)
    asked = None if profile is None else Profile(profile)
    selection = narrowest(asked, loops_of(loaded.manifest).selection)
    pipeline = EchoHaemodynamics(
        loaded,
        place,
        arithmetic,
        selection,
        without_heartbeat=without_heartbeat == "note",
        unfamiliar=unfamiliar,
    )
    pipeline.check()
    return pipeline


def _too_little(targets: Mapping[str, ValueTarget], shares: Mapping[str, float], loops: int) -> str:
    name = primary(targets)
    evidence = targets[name].evidence
    least = 0.0 if evidence is None else evidence.minimum_share
    return too_little_evidence(loops, shares[name], least)


def _cautions(loops: Sequence[Encoded], trained_with: Profile) -> tuple[str, ...]:
    """That loops depart from the selection of the training, where some do."""
    if trained_with is not Profile.PAPER:
        return ()
    count = sum(
        any(note.startswith(DEPARTURE_NOTE) for note in loop.features.notes) for loop in loops
    )
    selection = "the selection criteria of the training data"
    return (f"{count} of {len(loops)} loops depart from {selection}.",) if count else ()


def _selected_otherwise(loops: Sequence[Encoded], trained_with: Profile) -> list[str]:
    """That loops were selected by another profile than the paper's, where some were."""
    count = sum(
        any(note.startswith(PROFILE_NOTE) for note in loop.features.notes) for loop in loops
    )
    if not count:
        return []
    neutral = f"{count} of {len(loops)} loops were selected by the profile {Profile.VENDOR_NEUTRAL}"
    return [
        f"{neutral}; the notes of each loop name its departures from the paper.",
        f"The model was trained on loops selected by the profile {trained_with}.",
    ]
