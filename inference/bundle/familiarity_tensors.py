"""The spaces of familiarity as tensors of model.safetensors: their names, shapes and checks."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.bundle.familiarity import PICTURE, Space
from inference.errors import BundleError

#: First part of the tensors' names.
PREFIX = "familiarity"
#: Prefixes that no network of a bundle with familiarity may have.
TAKEN = frozenset({PREFIX, PICTURE})
#: safetensors dtype of all of them: half precision would blur narrow axes.
DTYPE = "F32"
#: A distance in units of less than this would be noise of the arithmetic.
_LEAST_SPREAD = 1e-9
_REPACK = "get the bundle again or pack it anew (echonode bundle pack)"
#: How far the axes may be from orthonormal.
_TOLERANCE = 1e-3


def axes_of(space: str, most: int, features: int) -> int:
    """How many axes a space of so many features has: no more than half of them.

    The picture's statistics are few and unlike each other, so that every axis tells something.
    """
    return features if space == PICTURE else min(most, features // 2)


def shapes_of(most_axes: int, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of spaces with so many features each."""
    shapes: dict[str, tuple[int, ...]] = {}
    for space, size in sizes.items():
        axes = axes_of(space, most_axes, size)
        shapes[_name(space, "mean")] = (size,)
        shapes[_name(space, "axes")] = (axes, size)
        shapes[_name(space, "spread")] = (min(axes + 1, size),)
    return shapes


def to_arrays(spaces: Mapping[str, Space]) -> dict[str, NDArray[np.float32]]:
    """All spaces by the names of their tensors."""
    return {
        _name(name, part): getattr(space, part)
        for name, space in spaces.items()
        for part in Space.__slots__
    }


def from_arrays(space: str, arrays: Mapping[str, NDArray[np.float32]]) -> Space:
    """One space; names and shapes were compared before.

    Raises:
        BundleError: the numbers cannot be a space.
    """
    found = Space(**{part: arrays[_name(space, part)] for part in Space.__slots__})
    if not found.spread.min() > _LEAST_SPREAD:
        raise BundleError(f"tensor {_name(space, 'spread')} is not positive; {_REPACK}")
    if not np.allclose(found.axes @ found.axes.T, np.eye(len(found.axes)), atol=_TOLERANCE):
        raise BundleError(f"tensor {_name(space, 'axes')} is not orthonormal; {_REPACK}")
    return found


def _name(space: str, part: str) -> str:
    return f"{PREFIX}.{space}.{part}"
