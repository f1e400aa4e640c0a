"""From the features of one film and one ECG to the estimate, and what each part adds to it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.bundle.targets import ValueTarget
from inference.errors import InferenceError
from inference.explaining.occlusion import effects
from inference.models.film_and_ecg import FilmAndEcg
from inference.pipelines.film_ecg_inputs import feature
from inference.types import Encoded


@dataclass(frozen=True, slots=True)
class Fused:
    """An estimate in the target's unit, how it changes without the ECG, and without each part of
    the film (9, as `inference.explaining.occlusion.PARTS`)."""

    estimate: float
    without_ecg: float
    parts: tuple[float, ...]


def fuse(
    film: Encoded,
    ecg: Encoded,
    fusions: Mapping[str, FilmAndEcg],
    target: ValueTarget,
    digest: str,
) -> Fused:
    """The mean of what the networks estimate, in the target's unit and recalibrated.

    Raises:
        BundleError: a feature was made with another bundle.
        InferenceError: a network gave a number that is not finite.
    """
    changes = []
    for prefix, network in fusions.items():
        seen, hidden, heard = (
            feature(item, digest, prefix, kind).to(next(network.parameters()).device)[None]
            for item, kind in ((film, "film"), (film, "hidden"), (ecg, "ecg"))
        )
        whole = _in_units(target, network.fuse(seen, heard))
        alone = _in_units(target, network.fuse(seen, None))
        without = effects(whole, _in_units(target, network.fuse(hidden, heard)))
        changes.append([whole.mean(), alone.mean() - whole.mean(), *without])
    estimate, without_ecg, *parts = np.mean(changes, axis=0).tolist()
    if not np.isfinite([estimate, without_ecg, *parts]).all():
        raise InferenceError(
            "the model gave a number that is not finite; check the bundle (echonode bundle check)"
        )
    return Fused(estimate, without_ecg, tuple(parts))


def _in_units(target: ValueTarget, z: Tensor) -> NDArray[np.float64]:
    """Recalibrated estimates of pictures, of z-scored ones (1, P, 1): (P)."""
    numbers = z[0, :, 0].to(torch.float64).cpu().numpy()
    return np.array([target.recalibration(target.mean + target.sd * each) for each in numbers])
