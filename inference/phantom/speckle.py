"""From echo levels to grey: speckle, clutter, attenuation, dropout and log compression."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.ndimage import gaussian_filter

from inference.phantom.scan import Array, Sector


class Quality(StrEnum):
    """How well a loop shows the heart."""

    GOOD = "good"
    ACCEPTABLE = "acceptable"
    SUBOPTIMAL = "suboptimal"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a chest wall does to the picture."""

    haze_db: float
    """Clutter near the probe, in dB against a specular reflector."""
    noise_db: float
    """Electronic noise at the far end of the sector."""
    shadows: tuple[int, int]
    """Fewest and most shadows of ribs and lung."""
    blur: float
    """Width of the point spread function against a good window."""


CONDITIONS: Mapping[Quality, Conditions] = {
    Quality.GOOD: Conditions(-50, -58, (0, 0), 1.0),
    Quality.ACCEPTABLE: Conditions(-38, -48, (0, 2), 1.2),
    Quality.SUBOPTIMAL: Conditions(-23, -34, (1, 3), 1.6),
}

_DYNAMIC_RANGE_DB = 52.0
#: Length of the pulse and width of the beam (standard deviation) in a good window.
_PULSE_CM, _BEAM_RAD = 0.048, 0.0150
#: How much of the speckle stays from one frame to the next, per 25 ms.
_PERSISTENCE = 0.90
#: How much of the frame before the cart mixes in, per 25 ms.
_AFTERGLOW = 0.3


class Speckle:
    """The imaging chain of one loop: complex Gaussian speckle whose pattern drifts in time."""

    def __init__(
        self, sector: Sector, quality: Quality, gain_db: float, rng: np.random.Generator
    ) -> None:
        self._sector = sector
        self._rng = rng
        self._shape = (sector.samples, sector.beams)
        conditions = CONDITIONS[quality]
        beam_step = sector.angle_rad / (sector.beams - 1)
        self._blur = (
            conditions.blur * _PULSE_CM / sector.step_cm,
            conditions.blur * _BEAM_RAD / beam_step,
        )
        self._fields = self._normal(), self._normal()
        self._profile_db = self._depth_gain(gain_db) + self._shadows(conditions)
        self._texture_db = self._texture()
        self._haze = self._haze_amplitude(conditions)
        self._noise_db = conditions.noise_db
        self._scale = self._normalisation()
        self._last: Array | None = None

    def grey(self, level_db: Array, elapsed_ms: float) -> Array:
        """Image one frame: levels in dB to grey 0..255, `elapsed_ms` after the frame before."""
        level = level_db + self._texture_db + self._profile_db
        amplitude = np.exp(level * np.float32(np.log(10) / 20)) + self._haze
        keep = _PERSISTENCE ** (elapsed_ms / 25)
        self._fields = tuple(self._drift(field, keep) for field in self._fields)  # type: ignore[assignment]
        parts = [gaussian_filter(field * amplitude, self._blur) for field in self._fields]
        power = (parts[0] ** 2 + parts[1] ** 2) * self._scale + self._noise()
        if self._last is not None:
            trace = np.float32(_AFTERGLOW ** (elapsed_ms / 25))
            power = (1 - trace) * power + trace * self._last
        self._last = power
        decibel = 10 * np.log10(power + np.float32(1e-9))
        linear = np.clip(decibel / np.float32(_DYNAMIC_RANGE_DB) + 1, 0, 1)
        return np.asarray(255 * linear**1.3, np.float32)

    def _normal(self) -> Array:
        return self._rng.standard_normal(self._shape, dtype=np.float32)

    def _drift(self, field: Array, keep: float) -> Array:
        renewal = np.float32(np.sqrt(1 - keep * keep))
        return np.float32(keep) * field + renewal * self._normal()

    def _normalisation(self) -> np.float32:
        """Makes the mean power of blurred speckle 1, whatever the blur."""
        blurred = gaussian_filter(self._fields[0], self._blur)
        return np.float32(0.5 / max(float(np.mean(blurred**2)), 1e-9))

    def _depth_gain(self, gain_db: float) -> Array:
        """What attenuation leaves after an imperfect depth gain curve, with the sector's edges."""
        share = self._sector.radius_cm / self._sector.depth_cm
        knots = self._rng.normal(0, gain_db, 8)
        curve = np.interp(share[:, 0], np.linspace(0, 1, 8), knots)[:, None]
        overall = self._rng.normal(0, 0.6 + gain_db / 2)
        edge = (2 * np.abs(self._sector.beam_rad) / self._sector.angle_rad) ** 6
        return np.asarray(curve + overall - 3 * share - 9 * edge, np.float32)

    def _shadows(self, conditions: Conditions) -> Array:
        loss = np.zeros(self._shape, np.float32)
        for _ in range(self._rng.integers(conditions.shadows[0], conditions.shadows[1] + 1)):
            # Ribs and lung shade the flanks more often than the middle.
            side = self._rng.choice([-1, 1]) * self._rng.beta(2.5, 1.2)
            centre = side * self._sector.angle_rad / 2
            width, depth_db = self._rng.uniform(0.05, 0.15), self._rng.uniform(8, 24)
            shape = np.exp(-(((self._sector.beam_rad - centre) / width) ** 2))
            loss -= (depth_db * shape).astype(np.float32)
        return loss

    def _texture(self) -> Array:
        """Tissue is not even: slow changes of its level, longer across the beam than along it."""
        step = self._sector.step_cm
        coarse = gaussian_filter(self._normal(), (0.35 / step, self._sector.beams / 14))
        fine = gaussian_filter(self._normal(), (0.10 / step, self._sector.beams / 50))
        mixed = 3.2 * coarse / coarse.std() + 2.2 * fine / fine.std()
        return np.asarray(mixed, np.float32)

    def _haze_amplitude(self, conditions: Conditions) -> Array:
        """Clutter and reverberation of the chest wall: strong near the probe, banded in depth."""
        radius = self._sector.radius_cm
        bands = 4 * np.cos(2 * np.pi * radius / 0.55) * np.exp(-radius / 1.2)
        patchy = gaussian_filter(
            self._normal(), (0.6 / self._sector.step_cm, self._sector.beams / 12)
        )
        near = 24 * np.exp(-radius / 0.9)
        level = conditions.haze_db + near + bands - 1.1 * radius + 3 * patchy / patchy.std()
        return np.asarray(10 ** (np.minimum(level, -14) / 20), np.float32)

    def _noise(self) -> Array:
        """Electronic noise, which the depth gain lifts with distance."""
        share = self._sector.radius_cm / self._sector.depth_cm
        level_db = self._noise_db - 16 * (1 - share)
        power = self._rng.standard_exponential(self._shape, dtype=np.float32)
        return np.asarray(power * 10 ** (level_db / 10), np.float32)
