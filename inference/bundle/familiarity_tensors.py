"""The spaces of familiarity as tensors of model.safetensors: their names, shapes and checks."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from inference.bundle.familiarity import Space
from inference.errors import BundleError

#: First part of the tensors' names; no network of a bundle that judges familiarity has it.
PREFIX = "familiarity"
#: safetensors dtype of all of them: half precision would blur narrow axes.
DTYPE = "F32"
#: A distance in units of less than this would be noise of the arithmetic.
_LEAST_SPREAD = 1e-9
#: How far the axes may be from orthonormal.
_TOLERANCE = 1e-3


def shapes_of(prefix: str, axes: int, features: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors for the network of a prefix."""
    shapes = {"mean": (features,), "axes": (axes, features), "spread": (axes + 1,)}
    return {_name(prefix, part): shape for part, shape in shapes.items()}


def to_arrays(spaces: Mapping[str, Space]) -> dict[str, NDArray[np.float32]]:
    """All spaces by the names of their tensors."""
    return {
        _name(prefix, part): getattr(space, part)
        for prefix, space in spaces.items()
        for part in Space.__slots__
    }


def from_arrays(prefix: str, arrays: Mapping[str, NDArray[np.float32]]) -> Space:
    """One network's space; names and shapes were compared before.

    Raises:
        BundleError: the numbers cannot be a space.
    """
    space = Space(**{part: arrays[_name(prefix, part)] for part in Space.__slots__})
    if not space.spread.min() > _LEAST_SPREAD:
        raise BundleError(f"tensor {_name(prefix, 'spread')} is not positive; pack the bundle anew")
    if not np.allclose(space.axes @ space.axes.T, np.eye(len(space.axes)), atol=_TOLERANCE):
        raise BundleError(f"tensor {_name(prefix, 'axes')} is not orthonormal; pack it anew")
    return space


def _name(prefix: str, part: str) -> str:
    return f"{PREFIX}.{prefix}.{part}"
