"""What is kept of one loop between `encode` and `conclude`: per network a feature, frame scores.

Where the bundle can tell unfamiliar loops, what the loop looks like is kept too.

The arrays' names carry the bundle's digest, so features of two bundles never meet in one estimate.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from inference.bundle.familiarity import PICTURE
from inference.bundle.loading import Bundle
from inference.errors import BundleError, InferenceError
from inference.models.frame_encoder import FrameEncoder
from inference.models.multiview import MultiView
from inference.types import Encoded
from inference.ultrasound import appearance


def encode_loops(
    bundle: Bundle, encoders: Sequence[FrameEncoder], loops: Sequence[NDArray[np.float32]]
) -> list[dict[str, NDArray[np.float32]]]:
    """Encode the frames (T, S, S) of several loops at once with every network of a bundle.

    `encoders` are those of the networks, in the bundle's order; one that stands there twice
    encodes once.

    Raises:
        InferenceError: the model gave a number that is not finite.
    """
    frames = torch.from_numpy(np.concatenate(loops)).unsqueeze(1)  # (N, 1, S, S)
    lengths = [len(loop) for loop in loops]
    encoded = {encoder: encoder(frames) for encoder in dict.fromkeys(encoders)}
    made: list[dict[str, NDArray[np.float32]]] = [{} for _ in loops]
    for spec, network, encoder in zip(
        bundle.manifest.networks, bundle.networks_of(MultiView), encoders, strict=True
    ):
        for arrays, features in zip(made, torch.split(encoded[encoder], lengths), strict=True):
            fused = network.frames(features)  # (T, d) -> (d)
            arrays[_name(bundle, spec.prefix, "feature")] = fused.feature.cpu().numpy()
            arrays[_name(bundle, spec.prefix, "frame_scores")] = fused.score.cpu().numpy()
    if bundle.familiarity is not None:
        for arrays, loop in zip(made, loops, strict=True):
            arrays[_name(bundle, PICTURE, "feature")] = appearance.appearance(loop)
    if not all(np.isfinite(array).all() for arrays in made for array in arrays.values()):
        raise InferenceError(
            "a loop's feature is not finite; check the bundle (echonode bundle check)"
        )
    return made


def stack_loops(
    bundle: Bundle, loops: Sequence[Encoded], device: torch.device
) -> list[torch.Tensor]:
    """Per network, in the bundle's order, the features of all loops (L, d).

    Raises:
        BundleError: a feature is missing or does not fit this bundle.
    """
    stacked = []
    for spec, network in zip(bundle.manifest.networks, bundle.networks_of(MultiView), strict=True):
        name = _name(bundle, spec.prefix, "feature")
        features = [_feature(loop, name, network.feature_size) for loop in loops]
        stacked.append(torch.from_numpy(np.stack(features)).to(device))
    return stacked


def stack_pictures(bundle: Bundle, loops: Sequence[Encoded]) -> NDArray[np.float32]:
    """What the loops look like (L, d), of a bundle that can tell unfamiliar ones.

    Raises:
        BundleError: it is missing or does not fit this bundle.
    """
    name = _name(bundle, PICTURE, "feature")
    return np.stack([_feature(loop, name, appearance.SIZE) for loop in loops])


def _feature(loop: Encoded, name: str, size: int) -> NDArray[np.float32]:
    feature = loop.features.arrays.get(name)
    if feature is None or feature.shape != (size,) or feature.dtype != np.float32:
        raise BundleError(
            "a loop's stored feature was made with another bundle; prepare the study again"
        )
    return feature


def _name(bundle: Bundle, prefix: str, kind: str) -> str:
    return f"{bundle.manifest.digest[:16]}.{prefix}.{kind}"
