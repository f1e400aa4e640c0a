"""Rotation, scale and shift: one draw per loop, the same for all its frames."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.training.recipe import Augmentation


def draw(loops: int, limits: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the affine maps (loops, 2, 3) from output to input, in grid_sample's -1..1."""
    angle = np.deg2rad(rng.uniform(-1, 1, loops) * limits.rotation_deg)
    scale = 1 + rng.uniform(-1, 1, loops) * limits.scale
    # The grid is two wide: a shift by a share of the side moves it by twice that share.
    shift = 2 * limits.shift * rng.uniform(-1, 1, (2, loops))
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    maps = np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]])  # (2, 3, loops)
    return np.moveaxis(maps, -1, 0).astype(np.float32)


def augment(clips: Tensor, maps: Tensor) -> Tensor:
    """Move clips (N, T, S, S) by affine maps (N, 2, 3), bilinear; what comes from outside is 0."""
    grid = functional.affine_grid(maps, list(clips.shape), align_corners=False)  # (N, S, S, 2)
    # A loop's frames travel as channels, so that they share one grid.
    moved: Tensor = functional.grid_sample(
        clips, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return moved


def as_frames(pixels: Tensor) -> Tensor:
    """Grey 0..255 to the encoder's 0..1."""
    return pixels.to(torch.float32) / 255
