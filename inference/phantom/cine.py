"""One loop: a view of a heart through a probe, imaged frame by frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.phantom.anatomy import Anatomy
from inference.phantom.canvas import TISSUE_DB, Array, Canvas
from inference.phantom.presets import Preset
from inference.phantom.rhythm import Rhythm
from inference.phantom.scan import Sector
from inference.phantom.speckle import Quality, Speckle
from inference.phantom.views import DEPTHS_CM, View, paint


@dataclass(frozen=True, slots=True)
class Probe:
    """How the sonographer holds the probe and has set the depth."""

    depth_cm: float
    angle_rad: float
    tilt_rad: float
    shift_cm: tuple[float, float]
    sway_cm: tuple[float, float]
    """Movement of the whole heart against the probe over one breath."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Everything that makes one loop, but the pixels."""

    view: View
    quality: Quality
    heart: Anatomy
    probe: Probe
    rhythm: Rhythm
    gain_db: float
    seed: tuple[int, ...]


def draw_probe(view: View, preset: Preset, rng: np.random.Generator) -> Probe:
    """Draw a probe position; the preset says how far beside the standard one."""
    low, high = DEPTHS_CM[view]
    shift, sway = rng.normal(0, 0.3, 2), rng.normal(0, 0.12, 2)
    return Probe(
        depth_cm=float(rng.uniform(low, high)),
        angle_rad=float(np.deg2rad(rng.uniform(72, 84))),
        tilt_rad=float(np.deg2rad(np.clip(rng.normal(0, preset.tilt_deg), -20, 20))),
        shift_cm=(float(shift[0]), float(shift[1])),
        sway_cm=(float(sway[0]), float(sway[1])),
    )


def sector_of(probe: Probe, samples: int, beams: int, height: int) -> Sector:
    """The sector of this probe in a picture as high as its depth and as wide as its angle."""
    width = 2 * round(height * float(np.sin(probe.angle_rad / 2)))
    return Sector(probe.depth_cm, probe.angle_rad, samples, beams, height, width)


def frames(loop: Loop, sector: Sector, times_ms: Sequence[float]) -> Iterator[NDArray[np.uint8]]:
    """Image a loop at these times: grey pictures of the sector's height and width."""
    rng = np.random.default_rng(loop.seed)
    speckle = Speckle(sector, loop.quality, loop.gain_db, rng)
    before = times_ms[0]
    for time_ms in times_ms:
        level = _levels(loop, sector, time_ms)
        yield sector.convert(speckle.grey(level, time_ms - before))
        before = time_ms


def _levels(loop: Loop, sector: Sector, time_ms: float) -> Array:
    """Echo levels in dB of one moment over the sector's samples."""
    now = loop.rhythm.at(time_ms)
    probe = loop.probe
    middle = 0.45 * probe.depth_cm
    x = sector.radius_cm * np.sin(sector.beam_rad)
    z = sector.radius_cm * np.cos(sector.beam_rad) - np.float32(middle)
    cosine, sine = np.float32(np.cos(probe.tilt_rad)), np.float32(np.sin(probe.tilt_rad))
    shift = [
        s + w * (now.inspiration - 0.5) for s, w in zip(probe.shift_cm, probe.sway_cm, strict=True)
    ]
    canvas = Canvas(
        cosine * x + sine * z - np.float32(shift[0]),
        -sine * x + cosine * z + np.float32(middle - shift[1]),
        sector.step_cm,
        TISSUE_DB,
    )
    paint(loop.view, canvas, loop.heart, now)
    return canvas.level_db
