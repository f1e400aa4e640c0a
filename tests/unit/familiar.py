"""Familiarity fitted on made-up features, for tests."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.bundle.familiarity import PICTURE, Familiarity
from inference.bundle.familiarity_tensors import axes_of
from inference.bundle.manifest import Network
from inference.models.registry import MULTI_VIEW
from inference.training.familiarity import set_limits, space_of
from inference.ultrasound import appearance

AXES = 4
Values = NDArray[np.float32]


def known(size: int, loops: int = 300, seed: int = 0) -> Values:
    """Features around one, most of their variance on a few axes."""
    rng = np.random.default_rng(seed)
    few = rng.normal(size=(loops, 3)) @ np.random.default_rng(99).normal(size=(3, size))
    made = 1 + few + 0.1 * rng.normal(size=(loops, size))
    return made.astype(np.float32)


def fitted(features: Mapping[str, Values], loops_per_exam: int = 6) -> Familiarity:
    """From features (L, d) in each space; the same loops are training and validation."""
    spaces = {
        name: space_of(each, axes_of(name, AXES, each.shape[1])) for name, each in features.items()
    }
    exams = [
        {name: each[at : at + loops_per_exam] for name, each in features.items()}
        for at in range(0, len(features[PICTURE]), loops_per_exam)
    ]
    return set_limits(spaces, 10 * AXES, exams)


def familiarity(networks: tuple[Network, ...]) -> Familiarity:
    """Made up for the networks of a bundle."""
    sizes = {each.prefix: MULTI_VIEW[each.architecture].feature_size for each in networks}
    return fitted({name: known(size) for name, size in {**sizes, PICTURE: appearance.SIZE}.items()})
