"""What is kept of one loop between `encode` and `conclude`: per network a feature, frame scores.

The arrays' names carry the bundle's digest, so features of two bundles never meet in one estimate.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from inference.bundle.loading import Bundle
from inference.errors import BundleError, InferenceError
from inference.types import Encoded


def encode_frames(bundle: Bundle, frames: torch.Tensor) -> dict[str, NDArray[np.float32]]:
    """Encode the frames (T, 1, S, S) of one loop with every network of a bundle.

    Raises:
        InferenceError: the model gave a number that is not finite.
    """
    arrays = {}
    for spec, network in zip(bundle.manifest.networks, bundle.networks, strict=True):
        encoded = network.encode_loop(frames)
        arrays[_name(bundle, spec.prefix, "feature")] = encoded.feature.cpu().numpy()
        arrays[_name(bundle, spec.prefix, "frame_scores")] = encoded.frame_score.cpu().numpy()
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise InferenceError(
            "a loop's feature is not finite; check the bundle (echonode bundle check)"
        )
    return arrays


def stack_loops(
    bundle: Bundle, loops: Sequence[Encoded], device: torch.device
) -> list[torch.Tensor]:
    """Per network, in the bundle's order, the features of all loops (L, d).

    Raises:
        BundleError: a feature is missing or does not fit this bundle.
    """
    stacked = []
    for spec, network in zip(bundle.manifest.networks, bundle.networks, strict=True):
        name = _name(bundle, spec.prefix, "feature")
        features = [_feature(loop, name, network.feature_size) for loop in loops]
        stacked.append(torch.from_numpy(np.stack(features)).to(device))
    return stacked


def _feature(loop: Encoded, name: str, size: int) -> NDArray[np.float32]:
    feature = loop.features.arrays.get(name)
    if feature is None or feature.shape != (size,) or feature.dtype != np.float32:
        raise BundleError(
            "a loop's stored feature was made with another bundle; prepare the study again"
        )
    return feature


def _name(bundle: Bundle, prefix: str, kind: str) -> str:
    return f"{bundle.manifest.digest[:16]}.{prefix}.{kind}"
