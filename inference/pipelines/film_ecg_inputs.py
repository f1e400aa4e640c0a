"""From a file to what the networks see of a film or an ECG, and what is kept of it: its features.

The arrays' names carry the bundle's digest, so features of two bundles never meet in one estimate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.bundle.manifest import FilmAndEcgPreprocessing
from inference.ecg import look as ecg_look
from inference.ecg.cleaning import RATE_HZ, Mains
from inference.ecg.drawing import lead_pictures
from inference.ecg.leads import Leads, LeadSet
from inference.ecg.page import look as page_look
from inference.ecg.rules import Needs
from inference.errors import BundleError, InferenceError, InstanceExcludedError
from inference.explaining.occlusion import with_hidden_parts
from inference.models.film_and_ecg import FilmAndEcg, stacked
from inference.models.film_view import FilmViewNetwork
from inference.models.frame_encoder import Precision
from inference.pipelines.film_ecg_kinds import Kind, kind_of
from inference.radiograph import film as radiograph
from inference.radiograph.film import Film
from inference.radiograph.patches import patches
from inference.radiograph.rules import EITHER_NOTE, VIEW_UNCERTAIN
from inference.radiograph.seen_view import require_frontal, seen_view
from inference.types import Encoded, Features, Selected, Verdict

#: Leads one after the other are what the paper's model was fed: a printed page.
NEEDS = Needs(frozenset({LeadSet.TWELVE}), sequential=True)
#: The leads are kept at this rate, for the eye.
KEPT_HZ = 250
_STEP = RATE_HZ // KEPT_HZ


@dataclass(frozen=True, slots=True)
class FilmLook:
    """A film in pieces (P, side, side) in 0..1, its mean grey, and the whole of it to be shown."""

    patches: NDArray[np.float32]
    grey: float
    preview: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EcgLook:
    """The pictures of twelve leads (12, 48, 224), grey, and the leads (12, samples) in mV, 500 Hz.

    `channels` are group and channel (1-based) of the leads that were recorded.
    """

    pictures: NDArray[np.uint8]
    leads: Leads
    channels: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()


Look = FilmLook | EcgLook


def look_at_film(
    path: Path, selected: Selected, fed: FilmAndEcgPreprocessing, views: FilmViewNetwork | None
) -> FilmLook:
    """Bring a selected film into the networks' shape; `views` says which view it shows, if asked.

    Raises:
        InstanceExcludedError: it states no view, and its pixels show no frontal chest beyond doubt.
        InstanceUnreadableError: the pixels cannot be decoded or hold no picture.
        OSError: the file cannot be read.
    """
    film = radiograph.look(path)
    stated = tuple(selected.plan["notes"])
    seen = () if selected.plan["view"] else _seen_frontal(film, views)
    return in_pieces(Film(film.pixels, (*stated, *seen, *film.notes)), fed)


def in_pieces(film: Film, fed: FilmAndEcgPreprocessing) -> FilmLook:
    """What a bundle's networks see of a film."""
    return FilmLook(
        patches(film.pixels, fed.film, fed.film_px),
        float(film.pixels.mean()),
        np.rint(255 * film.pixels).astype(np.uint8),
        film.notes,
    )


def look_at_ecg(path: Path, selected: Selected, mains_hz: Mains) -> EcgLook:
    """Read and draw a selected ECG, of its samples or of its page.

    Raises:
        InstanceUnreadableError: the file is not what was selected.
        InstanceExcludedError: the samples break a rule.
        OSError: the file cannot be read.
    """
    if kind_of(selected.instance) is Kind.PAGE:
        ecg = page_look.look(path, mains_hz)
    else:
        ecg = ecg_look.look(path, NEEDS, mains_hz)
    return EcgLook(lead_pictures(ecg.drawn)[..., 0], ecg.drawn, ecg.channels, ecg.notes)


def encode(
    seen: Look, fusions: Mapping[str, FilmAndEcg], digest: str, precision: Precision
) -> Features:
    """What is kept of a film or an ECG: a feature for each network, and what a reader is shown.

    Raises:
        InferenceError: a network gave a number that is not finite.
    """
    if isinstance(seen, FilmLook):
        features = _encode_film(seen, fusions, digest, precision)
    else:
        features = _encode_ecg(seen, fusions, digest)
    made = (array for name, array in features.arrays.items() if name.startswith(_begin(digest)))
    if not all(np.isfinite(array).all() for array in made):
        raise InferenceError("a feature is not finite; check the bundle (echonode bundle check)")
    return features


def feature(item: Encoded, digest: str, prefix: str, kind: str) -> Tensor:
    """What a network keeps of a film ("film", "hidden") or an ECG ("ecg"), as it was encoded.

    Raises:
        BundleError: it was made with another bundle.
    """
    array = item.features.arrays.get(_name(digest, prefix, kind))
    if array is None or array.dtype != np.float32:
        raise BundleError("a stored feature was made with another bundle; prepare the study again")
    return torch.from_numpy(np.array(array))


def kept_leads(item: Encoded) -> Leads:
    """The leads of an ECG as they are drawn, (12, samples) in mV at 500 Hz; NaN in gaps."""
    return np.repeat(item.features.arrays["leads"].astype(np.float64), _STEP, axis=1)


def kept_channels(item: Encoded) -> tuple[tuple[int, int], ...]:
    """Group and channel (1-based) of the leads of an ECG."""
    return tuple((int(group), int(channel)) for group, channel in item.features.arrays["channels"])


def _seen_frontal(film: Film, views: FilmViewNetwork | None) -> tuple[str, str]:
    """Notes on a film that does not state its view."""
    if views is None:
        detail = "the film states no view, and the bundle has no network that knows views"
        raise InstanceExcludedError(Verdict("frontal_picture", False, detail), VIEW_UNCERTAIN)
    seen = seen_view(views, film.pixels)
    require_frontal(seen)
    return EITHER_NOTE, f"Its view is not stated; its pixels look frontal ({seen.probability:.0%})."


def _encode_film(
    seen: FilmLook, fusions: Mapping[str, FilmAndEcg], digest: str, precision: Precision
) -> Features:
    shown = np.concatenate([seen.patches, with_hidden_parts(seen.patches, seen.grey)])
    arrays = {}
    for prefix, network in fusions.items():
        pictures = torch.from_numpy(shown)[None, :, None].to(
            _device(network)
        )  # (1, P + H, 1, S, S)
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=precision == "bf16"):
            features = network.film_features(pictures)[0]
        kept = _numbers(features)
        arrays[_name(digest, prefix, "film")] = kept[: len(seen.patches)]
        arrays[_name(digest, prefix, "hidden")] = kept[len(seen.patches) :]
    return Features(arrays, (1,), seen.notes, seen.preview)


def _encode_ecg(seen: EcgLook, fusions: Mapping[str, FilmAndEcg], digest: str) -> Features:
    pictures = stacked(seen.pictures[None])
    arrays = {
        _name(digest, prefix, "ecg"): _numbers(
            network.ecg_feature(pictures.to(_device(network)))[0]
        )
        for prefix, network in fusions.items()
    }
    arrays["leads"] = seen.leads[:, ::_STEP].astype(np.float32)
    arrays["channels"] = np.array(seen.channels, np.float32).reshape(-1, 2)
    return Features(arrays, (), seen.notes)


def _numbers(tensor: Tensor) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = tensor.float().cpu().numpy()
    return numbers


def _device(network: torch.nn.Module) -> torch.device:
    return next(network.parameters()).device


def _begin(digest: str) -> str:
    return f"{digest[:16]}."


def _name(digest: str, prefix: str, kind: str) -> str:
    return f"{_begin(digest)}{prefix}.{kind}"
