"""A chest film and the nearest ECG of the patient to mPAP, as in PulmoFusion-mPAP.

What is reported on is the study of the film. Without an ECG nothing is said, unless somebody asks:
most chest films have none, and nobody waits for a report on them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import Dataset

from inference.bundle.loading import Bundle, load_bundle
from inference.dicom.header import instance_ref
from inference.ecg import rules as ecg_rules
from inference.ecg.cleaning import RATE_HZ, SAMPLES, Mains
from inference.ecg.drawing import lead_pictures, sheet
from inference.ecg.leads import LEADS
from inference.ecg.page import selection as pages
from inference.errors import BundleError, InferenceError
from inference.models.device import choose_device, reproducible
from inference.models.frame_encoder import Precision, choose_precision
from inference.pipelines import film_ecg_words as words
from inference.pipelines.bundle_fit import of_population
from inference.pipelines.film_ecg_bundle import (
    NAME,
    TARGET,
    VERSION,
    can_screen,
    model_card,
    networks_of,
    require_fit,
    target_of,
)
from inference.pipelines.film_ecg_evidence import (
    SAID_OF_THE_ESTIMATE,
    ecg_evidence,
    film_evidence,
    pictures,
)
from inference.pipelines.film_ecg_fusion import Fused, fuse
from inference.pipelines.film_ecg_inputs import (
    NEEDS,
    EcgLook,
    Look,
    encode,
    in_pieces,
    kept_leads,
    look_at_ecg,
    look_at_film,
)
from inference.pipelines.film_ecg_kinds import Kind, kind_of, was_ecg
from inference.pipelines.film_ecg_pairing import (
    Near,
    by_preference,
    clock_error_days,
    days_after,
    nearest,
)
from inference.pipelines.haemodynamics import assess, measure
from inference.pipelines.registration import CXR_ECG
from inference.population import AGE_UNKNOWN, age_is_unknown
from inference.radiograph import rules as radiograph_rules
from inference.radiograph.film import SIDE_PX, Film
from inference.types import (
    Assessment,
    Case,
    Encoded,
    Exclusion,
    Features,
    Findings,
    InstanceRef,
    Measurement,
    ModelCard,
    Selected,
    Selection,
    Standing,
)


class CxrEcg:
    """The pipeline with one bundle's networks on one device."""

    name = NAME
    version = VERSION
    business = CXR_ECG.business

    def __init__(self, bundle: Bundle, precision: Precision, mains_hz: Mains) -> None:
        self._fed = require_fit(bundle.manifest)
        self._fusions, views = networks_of(bundle)
        self._views = views and views.cpu()
        self._manifest = bundle.manifest
        self._digest = bundle.manifest.digest
        self._target = target_of(bundle.manifest)
        self._precision: Precision = precision
        self._mains_hz: Mains = mains_hz
        self._card = model_card(bundle.manifest, self._fed, mains_hz)

    @property
    def model(self) -> ModelCard:
        """Which weights are loaded."""
        return self._card

    def check(self) -> None:
        """Take a made-up film and ECG all the way, so that no study is the first to show a bad one.

        Raises:
            BundleError: the weights give numbers that are not finite.
        """
        ramp = np.linspace(0, 1, SIDE_PX * SIDE_PX, dtype=np.float32).reshape(SIDE_PX, SIDE_PX)
        wave = np.sin(np.arange(SAMPLES) * 2 * np.pi / RATE_HZ) * np.ones((len(LEADS), 1))
        try:
            looks: list[Look] = [in_pieces(Film(ramp), self._fed)]
            looks.append(EcgLook(lead_pictures(wave)[..., 0], wave))
            film, ecg = (Encoded(InstanceRef("", "", ""), made) for made in self.encode(looks))
            self._fuse(film, ecg)
        except InferenceError as error:
            raise BundleError(
                f"bundle {self._card.bundle_name} gives no usable numbers; get it again"
            ) from error

    def select(self, header: Dataset, profile: str | None = None) -> Selection:  # noqa: ARG002
        """Judge one instance as a film or as an ECG, then by the population of the bundle."""
        kind = kind_of(instance_ref(header))
        if kind is Kind.ECG:
            return ecg_rules.select(header, NEEDS)
        if kind is Kind.PAGE:
            return pages.select(header)
        selection = radiograph_rules.select(header)
        return of_population(selection, header, self._manifest)

    def look(self, instance: Path, selected: Selected) -> Look:
        """Decode a film or an ECG.

        Raises:
            InstanceExcludedError: the pixels are not those of a frontal film, or the samples break
                a rule.
            InstanceUnreadableError: they cannot be decoded or hold no picture.
        """
        if kind_of(selected.instance) is not Kind.FILM:
            return look_at_ecg(instance, selected, self._mains_hz)
        seen = look_at_film(instance, selected, self._fed, self._views)
        if any(map(age_is_unknown, selected.verdicts)):
            return replace(seen, notes=(*seen.notes, AGE_UNKNOWN))
        return seen

    def encode(self, looks: Sequence[Look]) -> list[Features]:
        """Keep, of each film or ECG, its features for every network.

        Raises:
            InferenceError: the model gave a number that is not finite.
        """
        with reproducible():
            return [encode(seen, self._fusions, self._digest, self._precision) for seen in looks]

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        """Estimate from the newest PA film of the study and the ECG that is nearest to it.

        Raises:
            BundleError: features were made with another bundle.
            InferenceError: the model gave a number that is not finite.
        """
        inputs = sorted(case.encoded, key=lambda item: item.instance.sop_instance_uid)
        ecgs = [item for item in inputs if kind_of(item.instance) is not Kind.FILM]
        own = (item for item in inputs if item.study == case.study)
        films = [item for item in own if kind_of(item.instance) is Kind.FILM]
        # Of other studies nobody asks why their pictures are no ECGs.
        told = [item for item in exclusions if item.study == case.study or was_ecg(item)]
        if not films:
            return replace(self.abstain(told, words.NO_FILM), quiet=True)
        film, *others = by_preference(films)
        left_out = [*told, *(_other_film(other, film) for other in others)]
        near = nearest(film, ecgs, self._fed.pair_days)
        if near is None:
            return self._without_ecg(film, ecgs, left_out)
        return self._estimate(film, near, left_out)

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        """Findings without an estimate; quiet ones, where no ECG was there either."""
        return Findings(
            title=words.TITLE_WITHOUT_ESTIMATE,
            model=self._card,
            words=words.WORDS_WITHOUT_ESTIMATE,
            exclusions=tuple(exclusions),
            limitations=self._manifest_limitations,
            abstention=why,
            quiet=not any(map(was_ecg, exclusions)),
        )

    @property
    def _manifest_limitations(self) -> tuple[str, ...]:
        """What the bundle says of itself."""
        withheld = (item.sentence for item in self._manifest.withheld)
        return (*withheld, *self._manifest.limitations)

    def _without_ecg(
        self, film: Encoded, ecgs: Sequence[Encoded], exclusions: Sequence[Exclusion]
    ) -> Findings:
        """An abstention: no ECG came, or those that came cannot be used."""
        far = [_too_far(film, ecg, self._fed.pair_days) for ecg in ecgs]
        left_out = [*exclusions, *far]
        unused = [*filter(was_ecg, exclusions), *far]
        return self.abstain(left_out, words.no_usable_ecg(unused) if unused else words.NO_ECG)

    def _fuse(self, film: Encoded, ecg: Encoded) -> Fused:
        with reproducible():
            return fuse(film, ecg, self._fusions, self._target, self._digest)

    def _estimate(self, film: Encoded, near: Near, exclusions: Sequence[Exclusion]) -> Findings:
        fused = self._fuse(film, near.ecg)
        measurement = self._measure(fused.estimate)
        drawn = sheet(kept_leads(near.ecg))
        return Findings(
            title=words.TITLE,
            model=self._card,
            words=words.WORDS,
            measurements=(measurement,),
            assessments=self._assess(fused.estimate),
            evidence=(film_evidence(film, fused, measurement), ecg_evidence(near, drawn, fused)),
            exclusions=tuple(exclusions),
            cautions=() if can_screen(self._manifest) else (words.CANNOT_SCREEN,),
            limitations=(*self._manifest_limitations, *self._limitations(film, near.ecg)),
            pictures=pictures(film, near, drawn, fused, measurement),
        )

    def _measure(self, estimate: float) -> Measurement:
        """With a limit of normal only where the model may say what is normal."""
        measured = measure(self._target, estimate)
        if can_screen(self._manifest):
            return measured
        return replace(measured, upper_limit=None, authority="")

    def _assess(self, estimate: float) -> tuple[Assessment, ...]:
        if not can_screen(self._manifest) or self._manifest.standing is Standing.UNTRAINED:
            return ()
        return assess({TARGET: estimate}, {TARGET: self._target}, self._manifest.probabilities)

    def _limitations(self, film: Encoded, ecg: Encoded) -> Iterator[str]:
        yield words.EXPLANATION
        yield words.WITHOUT_THE_ECG
        if self._target.conformal is None:
            yield words.NO_INTERVALS
        yield from (note for note in film.features.notes if note in SAID_OF_THE_ESTIMATE)
        for noun, item in ((words.FILM, film), (words.ECG, ecg)):
            if days := clock_error_days(item):
                yield words.clocks_disagree(noun, days)


def load(bundle: Path, device: str, precision: str = "fp32", mains_hz: Mains = 50) -> CxrEcg:
    """Load the pipeline with a bundle on a device ("auto", "cpu", "cuda").

    `precision` is that of the film's encoder: "auto", "fp32" or "bf16". All else is float32.
    `mains_hz` is the frequency of the mains where the ECGs are recorded: 50 or 60.

    Raises:
        BundleError: the bundle is damaged, made for something else, or gives no numbers.
        InferenceError: no such device or precision here, or no such mains.
    """
    if mains_hz not in {50, 60}:
        raise InferenceError(f"options.mains_hz: write 50 or 60, not {mains_hz}")
    place = choose_device(device)
    pipeline = CxrEcg(load_bundle(bundle, place), choose_precision(precision, place), mains_hz)
    pipeline.check()
    return pipeline


def _other_film(other: Encoded, used: Encoded) -> Exclusion:
    number = used.instance.instance_number
    name = "another film" if number is None else f"instance {number}"
    detail = f"{name} is used: PA goes before AP, then the newest before the others"
    return Exclusion(other.instance, words.OTHER_FILM, detail)


def _too_far(film: Encoded, ecg: Encoded, most_days: int) -> Exclusion:
    days = days_after(film, ecg)
    distance = "at an unknown time" if days is None else f"{abs(days):.1f} days from the film"
    return Exclusion(
        ecg.instance, words.NOT_NEAR, f"recorded {distance}; at most {most_days} days are allowed"
    )
