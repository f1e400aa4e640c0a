"""The foreign scanner: a wide convex sector, granular texture, power-law grey, even noise.

Nothing of it is the phantom's: the picture is computed point by point in the plane, without beams
and without a point spread function. Texture is K-distributed: grains of random brightness, most of
which belong to the tissue and are pulled along by the heart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from inference.phantom.cine import Loop, Probe
from inference.phantom.foreign import hearts
from inference.phantom.presets import Preset
from inference.phantom.scan import Array
from inference.phantom.sizes import Size
from inference.phantom.speckle import Quality
from inference.phantom.views import View

#: Radius of the probe's curved face, cm; the phantom's sector begins in a point.
_FACE_CM = 1.1
#: Grey is a power of amplitude, where the phantom compresses by a logarithm.
_POWER = 0.66
_GRAIN_CM, _PATCH_CM = 0.06, 0.5
#: How far a beat pulls tissue towards the middle of the heart at most, and how wide around it.
_PULL_CM, _REACH_CM = 2.8, 5.0
#: Shape of the gamma distribution of the grains' power; small is spotty.
_SPOTTINESS = 1.4
#: How much of a frame's texture belongs to the tissue.
_STANDING = 0.75
#: Grey levels (standard deviation) of the receiver's noise, the same at every depth.
_NOISE: Mapping[Quality, float] = {
    Quality.GOOD: 4.0,
    Quality.ACCEPTABLE: 9.0,
    Quality.SUBOPTIMAL: 18.0,
}
#: A veil that lifts black towards grey, as a share of white.
_VEIL: Mapping[Quality, float] = {
    Quality.GOOD: 0.02,
    Quality.ACCEPTABLE: 0.08,
    Quality.SUBOPTIMAL: 0.20,
}


def draw_probe(view: View, preset: Preset, rng: np.random.Generator) -> Probe:
    """Draw a probe position: deeper and wider than the phantom's, held as steadily."""
    shift, sway = rng.normal(0, 0.45, 2), rng.normal(0, 0.08, 2)
    return Probe(
        depth_cm=float(rng.uniform(*hearts.DEPTHS_CM[view])),
        angle_rad=float(np.deg2rad(rng.uniform(92, 108))),
        tilt_rad=float(np.deg2rad(np.clip(rng.normal(0, preset.tilt_deg), -20, 20))),
        shift_cm=(float(shift[0]), float(shift[1])),
        sway_cm=(float(sway[0]), float(sway[1])),
    )


@dataclass(frozen=True)
class Imaging:
    """One loop as this scanner shows it."""

    loop: Loop
    height: int

    @property
    def pixel_cm(self) -> float:
        """Edge of one pixel, the same in both directions."""
        return (self._deepest_cm - self._top_cm) / self.height

    @property
    def width(self) -> int:
        """Width of the sector in pixels, even."""
        half = self._deepest_cm * float(np.sin(self.loop.probe.angle_rad / 2))
        return 2 * round(half / self.pixel_cm)

    def frames(self, times_ms: Sequence[float]) -> Iterator[NDArray[np.uint8]]:
        """Grey pictures (height, width) at these times; 0 outside the sector."""
        rng = np.random.default_rng(self.loop.seed)
        x, z, inside, gain = self._plane(rng)
        standing = self._standing(rng)
        noise, veil = _NOISE[self.loop.quality], np.float32(_VEIL[self.loop.quality])
        for time_ms in times_ms:
            right, down = self._pulled(x, z, time_ms)
            grain = _STANDING * self._moved(standing, right, down)
            grain += (1 - _STANDING) * self._grain(rng)
            amplitude = self._reflectivity(x + right, z + down, time_ms) * gain * grain
            grey = 255 * (veil + (1 - veil) * np.clip(amplitude, 0, 1) ** np.float32(_POWER))
            grey += rng.normal(0, noise, grey.shape)
            yield np.where(inside, np.clip(grey + 0.5, 0, 255), 0).astype(np.uint8)

    @property
    def _top_cm(self) -> float:
        """Where the picture begins, from the centre of the probe's curve."""
        return _FACE_CM * float(np.cos(self.loop.probe.angle_rad / 2))

    @property
    def _deepest_cm(self) -> float:
        return _FACE_CM + self.loop.probe.depth_cm

    def _plane(self, rng: np.random.Generator) -> tuple[Array, Array, NDArray[np.bool_], Array]:
        """Tissue coordinates (cm), the sector, and what gain and shadows leave of an echo."""
        probe = self.loop.probe
        columns = (np.arange(self.width) + 0.5 - self.width / 2) * self.pixel_cm
        rows = (np.arange(self.height) + 0.5) * self.pixel_cm + self._top_cm
        x, z = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        radius, angle = np.hypot(x, z), np.arctan2(x, z)
        inside = (radius > _FACE_CM) & (radius < self._deepest_cm)
        inside &= np.abs(angle) < probe.angle_rad / 2
        gain = 1 + 0.05 * self.loop.gain_db * rng.normal(0, 1) * (radius / self._deepest_cm - 0.5)
        for _ in range(_shadows(self.loop.quality, rng)):
            side = rng.uniform(-0.5, 0.5) * probe.angle_rad
            gain = gain * (1 - rng.uniform(0.4, 0.9) * (np.abs(angle - side) < 0.06))
        depth = z - np.float32(_FACE_CM)
        middle = np.float32(0.45 * probe.depth_cm)
        cosine, sine = np.float32(np.cos(probe.tilt_rad)), np.float32(np.sin(probe.tilt_rad))
        turned_x = cosine * x + sine * (depth - middle)
        turned_z = cosine * (depth - middle) - sine * x + middle
        return turned_x, turned_z, inside, np.asarray(gain, np.float32)

    def _pulled(self, x: Array, z: Array, time_ms: float) -> tuple[Array, Array]:
        """How far away, right and down in cm, lies at rest what is now at each point."""
        below = z - np.float32(0.45 * self.loop.probe.depth_cm)
        near = np.exp(-(x**2 + below**2) / _REACH_CM**2)
        pull = _PULL_CM / _REACH_CM * self.loop.rhythm.at(time_ms).contraction * near
        return (pull * x).astype(np.float32), (pull * below).astype(np.float32)

    def _moved(self, texture: Array, right: Array, down: Array) -> Array:
        rows, columns = np.indices(texture.shape, dtype=np.float32)
        at = [rows + down / self.pixel_cm, columns + right / self.pixel_cm]
        return np.asarray(map_coordinates(texture, at, order=1, mode="nearest"), np.float32)

    def _reflectivity(self, x: Array, z: Array, time_ms: float) -> Array:
        now = self.loop.rhythm.at(time_ms)
        probe = self.loop.probe
        right, down = (
            shift + sway * (now.inspiration - 0.5)
            for shift, sway in zip(probe.shift_cm, probe.sway_cm, strict=True)
        )
        sheet = hearts.Sheet(x - np.float32(right), z - np.float32(down), hearts.FAT)
        hearts.paint(self.loop.view, sheet, self.loop.heart, now)
        return sheet.level

    def _standing(self, rng: np.random.Generator) -> Array:
        """Texture around 1 that stays: spots of gamma-distributed brightness in larger patches."""
        spots = rng.gamma(_SPOTTINESS, 1 / _SPOTTINESS, (self.height, self.width))
        patches = rng.standard_normal(spots.shape, dtype=np.float32)
        patches = gaussian_filter(patches, _PATCH_CM / self.pixel_cm)
        spots = gaussian_filter(spots.astype(np.float32), 2 * _GRAIN_CM / self.pixel_cm)
        return np.asarray(self._grain(rng) * spots * np.exp(0.5 * patches / patches.std()))

    def _grain(self, rng: np.random.Generator) -> Array:
        """Texture around 1 of one moment."""
        power = rng.standard_exponential((self.height, self.width), dtype=np.float32)
        return np.sqrt(gaussian_filter(power, _GRAIN_CM / self.pixel_cm))


def imaging(loop: Loop, size: Size) -> Imaging:
    """The loop in a picture of the size's height."""
    return Imaging(loop, size.sector)


def _shadows(quality: Quality, rng: np.random.Generator) -> int:
    return 0 if quality is Quality.GOOD else int(rng.integers(0, 3))
