"""What cxr_ecg asks of a bundle, and how it names it in its findings."""

from collections.abc import Mapping
from typing import NamedTuple

from inference.bundle.loading import Bundle
from inference.bundle.manifest import FilmAndEcgPreprocessing, Manifest
from inference.bundle.targets import ValueTarget
from inference.ecg.cleaning import Mains
from inference.errors import BundleError
from inference.models.film_and_ecg import FilmAndEcg
from inference.models.film_view import FilmViewNetwork
from inference.pipelines.bundle_fit import card, fed_with, require_conditions, require_pipeline
from inference.pipelines.decision import LIKELY_PERCENT
from inference.pipelines.haemodynamics import PH, QUANTITIES
from inference.radiograph.patches import patch_px
from inference.types import ModelCard

NAME = "cxr_ecg"
#: Another one whenever the same files and weights may give another report: all is then made anew.
VERSION = "1.0"
TARGET = "mPAP"


class Networks(NamedTuple):
    """The networks of a bundle: those that estimate, by prefix, and the one that knows views."""

    fusions: Mapping[str, FilmAndEcg]
    view: FilmViewNetwork | None


def require_fit(manifest: Manifest) -> FilmAndEcgPreprocessing:
    """Refuse a bundle that this pipeline cannot feed or whose outputs it cannot name.

    Raises:
        BundleError: another pipeline, unknown targets, units or conditions, or other inputs.
    """
    require_pipeline(manifest, NAME)
    fed = fed_with(manifest, FilmAndEcgPreprocessing, "film and ECG")
    if fed.film == "grid":
        _require_grid(fed.film_px)
    unit = QUANTITIES[TARGET].unit.value
    if manifest.quantities.keys() != {TARGET} or manifest.quantities[TARGET].unit != unit:
        raise BundleError(f"the bundle must estimate {TARGET} in {unit}, and nothing else")
    require_conditions(manifest, [PH.key])
    return fed


def networks_of(bundle: Bundle) -> Networks:
    """Tell the networks of a bundle apart.

    Raises:
        BundleError: one is of another kind.
    """
    fusions: dict[str, FilmAndEcg] = {}
    view = None
    for spec in bundle.manifest.networks:
        network = bundle.by_prefix[spec.prefix]
        if isinstance(network, FilmAndEcg) and spec.targets:
            fusions[spec.prefix] = network
        elif isinstance(network, FilmViewNetwork):
            view = network
        else:
            raise BundleError(
                f"network {spec.prefix} ({spec.architecture}) is none that {NAME} runs: "
                "get the bundle again or pack it anew (echonode bundle pack)"
            )
    return Networks(fusions, view)


def target_of(manifest: Manifest) -> ValueTarget:
    """The one quantity that a bundle that fits estimates."""
    return manifest.quantities[TARGET]


def can_screen(manifest: Manifest) -> bool:
    """Whether its cohort held patients without PH, so that a probability of PH could be fitted."""
    return PH.key in manifest.probabilities


def model_card(manifest: Manifest, fed: FilmAndEcgPreprocessing, mains_hz: Mains) -> ModelCard:
    """Name algorithm, weights and what they are fed, as a report must."""
    target = target_of(manifest)
    least, most = QUANTITIES[TARGET].meaningful
    film = "nine patches of the film" if fed.film == "grid" else "the whole film"
    return card(
        manifest,
        VERSION,
        preparing=(f"mains {mains_hz} Hz",),
        parameters=(
            f"input {film} of {fed.film_px} x {fed.film_px}, and twelve leads of the nearest ECG",
            f"at most {fed.pair_days} days between film and ECG",
            *_deciding(manifest, target),
            f"range of {TARGET} {least:g} to {most:g} {target.unit}",
        ),
    )


def _deciding(manifest: Manifest, target: ValueTarget) -> list[str]:
    if not can_screen(manifest):
        return ["no verdicts"]
    return [
        f"decision threshold {TARGET} {target.decision_threshold:g} {target.unit}",
        f"verdicts are stated at a probability of at least {LIKELY_PERCENT} %",
    ]


def _require_grid(film_px: int) -> None:
    try:
        patch_px(film_px)
    except ValueError as error:
        raise BundleError(f"the bundle cannot be fed: {error}") from error
