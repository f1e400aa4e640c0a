"""The sector: where its samples lie, and how they become a picture."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float32]

#: The first sample lies on the curved face of the transducer.
NEAREST_CM = 0.3


@dataclass(frozen=True)
class Sector:
    """A phased-array sector: its apex in the middle of the picture's top edge, depth downwards.

    The picture is `height` × `width` pixels of `depth_cm / height` cm.
    """

    depth_cm: float
    angle_rad: float
    samples: int
    beams: int
    height: int
    width: int

    @property
    def pixel_cm(self) -> float:
        """Edge of one pixel, the same in both directions."""
        return self.depth_cm / self.height

    @property
    def step_cm(self) -> float:
        """Distance of two samples along a beam."""
        return (self.depth_cm - NEAREST_CM) / (self.samples - 1)

    @cached_property
    def radius_cm(self) -> Array:
        """Depth of each sample, shape (samples, 1)."""
        return np.linspace(NEAREST_CM, self.depth_cm, self.samples, dtype=np.float32)[:, None]

    @cached_property
    def beam_rad(self) -> Array:
        """Angle of each beam, shape (1, beams)."""
        half = self.angle_rad / 2
        return np.linspace(-half, half, self.beams, dtype=np.float32)[None]

    def convert(self, polar: Array) -> NDArray[np.uint8]:
        """Turn grey 0..255 over (samples, beams) into a picture (height, width); 0 outside."""
        inside, weights = self._weights
        picture = np.zeros(self.height * self.width, np.uint8)
        picture[inside] = np.clip(weights @ polar.ravel() + 0.5, 0, 255)
        return picture.reshape(self.height, self.width)

    @cached_property
    def _weights(self) -> tuple[NDArray[np.int64], sparse.csr_array]:
        """Bilinear weights of the samples around each pixel of the sector."""
        columns = (np.arange(self.width) + 0.5 - self.width / 2) * self.pixel_cm
        rows = (np.arange(self.height) + 0.5) * self.pixel_cm
        x, z = np.meshgrid(columns, rows)
        radius, angle = np.hypot(x, z).ravel(), np.arctan2(x, z).ravel()
        half = self.angle_rad / 2
        inside = np.flatnonzero(
            (radius > NEAREST_CM) & (radius < self.depth_cm) & (np.abs(angle) < half)
        )
        along = (radius[inside] - NEAREST_CM) / self.step_cm
        across = (angle[inside] + half) / self.angle_rad * (self.beams - 1)
        row = np.minimum(along.astype(np.int64), self.samples - 2)
        beam = np.minimum(across.astype(np.int64), self.beams - 2)
        u, v = along - row, across - beam
        first = row * self.beams + beam
        index = np.stack([first, first + 1, first + self.beams, first + self.beams + 1], 1)
        weight = np.stack([(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v], 1)
        starts = np.arange(0, index.size + 1, 4)
        shape = (inside.size, self.samples * self.beams)
        matrix = sparse.csr_array(
            (weight.astype(np.float32).ravel(), index.ravel(), starts), shape=shape
        )
        return inside, matrix
