"""What ecg_ph asks of a bundle, and how it names it in its findings."""

from collections.abc import Mapping

from inference.bundle.manifest import EcgPreprocessing, Manifest
from inference.bundle.targets import PresenceTarget
from inference.ecg.cleaning import Mains
from inference.ecg.leads import LeadSet
from inference.errors import BundleError
from inference.pipelines.bundle_fit import card, fed_with, require_pipeline
from inference.pipelines.decision import LIKELY_PERCENT
from inference.types import ModelCard

NAME = "ecg_ph"
#: Another one whenever the same files and weights may give another report: all is then made anew.
VERSION = "1.0"

#: What a bundle is asked about: PH, and whether PH that is there is post-capillary.
PH, POSTCAPILLARY = "PH", "postcapillary"
#: The lead sets, the one that says most first, as the names of targets end.
_ENDINGS = {LeadSet.TWELVE: "12-leads", LeadSet.LIMB: "6-leads"}

#: The targets of one lead set, by what they are about.
Questions = Mapping[str, PresenceTarget]


def require_fit(manifest: Manifest) -> None:
    """Refuse a bundle that this pipeline cannot feed or whose outputs it cannot name.

    Raises:
        BundleError: another pipeline, input or number of networks, or targets that are not those
            of its lead sets.
    """
    require_pipeline(manifest, NAME)
    if len(manifest.networks) != 1:
        raise BundleError(f"the bundle has {len(manifest.networks)} networks; {NAME} runs one")
    sets = lead_sets(manifest)
    known = [_target(question, leads) for leads in sets for question in (PH, POSTCAPILLARY)]
    for target in manifest.targets:
        if target.name not in known or not isinstance(target, PresenceTarget):
            listed = ", ".join(known)
            raise BundleError(
                f"the bundle has a {target.kind} {target.name}; with its lead sets {NAME} knows "
                f"the presence of {listed}"
            )
    for leads in sets:
        if PH not in questions(manifest, leads):
            raise BundleError(f"the bundle takes {leads} and has no target {_target(PH, leads)}")


def ecg_of(manifest: Manifest) -> EcgPreprocessing:
    """What of an ECG the bundle's network is fed.

    Raises:
        BundleError: it is fed with something else.
    """
    return fed_with(manifest, EcgPreprocessing, "an ECG")


def lead_sets(manifest: Manifest) -> tuple[LeadSet, ...]:
    """The lead sets that the bundle can do with, the one that says most first."""
    return tuple(leads for leads in _ENDINGS if leads in ecg_of(manifest).lead_sets)


def questions(manifest: Manifest, leads: LeadSet) -> Questions:
    """What the bundle says of a lead set: PH, and mostly whether it is post-capillary."""
    targets = {item.name: item for item in manifest.targets if isinstance(item, PresenceTarget)}
    named = {question: _target(question, leads) for question in (PH, POSTCAPILLARY)}
    return {question: targets[name] for question, name in named.items() if name in targets}


def model_card(manifest: Manifest, mains_hz: Mains) -> ModelCard:
    """Name algorithm, weights and how ECGs are prepared, as a report must."""
    ecg = ecg_of(manifest)
    mains = f"mains {mains_hz} Hz"
    return card(
        manifest,
        VERSION,
        preparing=(mains,),
        remarks=(f"for {' or '.join(ecg.lead_sets)}, {mains}",),
        parameters=(
            f"input {ecg.signal}, 500 Hz, mV, {mains} taken out",
            *(
                f"decision threshold {target.name} {target.threshold:g}"
                for target in manifest.targets
                if isinstance(target, PresenceTarget)
            ),
            f"verdicts are stated at a probability of at least {LIKELY_PERCENT} %",
        ),
    )


def _target(question: str, leads: LeadSet) -> str:
    return f"{question}.{_ENDINGS[leads]}"
