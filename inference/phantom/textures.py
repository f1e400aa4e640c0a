"""Moving pictures that are no echo: noise, natural textures, and other organs in a sector.

Each gives one loop, uint8 (frames, size, size), and the same one for the same generator.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from inference.phantom.canvas import (
    BLOOD_DB,
    LIVER_DB,
    MYOCARDIUM_DB,
    PERICARDIUM_DB,
    TISSUE_DB,
    Canvas,
    ellipse,
    segment,
)
from inference.phantom.scan import Sector
from inference.phantom.speckle import Quality, Speckle

Pixels = NDArray[np.uint8]
Maker = Callable[[np.random.Generator, int, int], Pixels]

#: A heartbeat that such a loop would last, ms.
_BEAT_MS = 900.0


def noise(rng: np.random.Generator, frames: int, size: int) -> Pixels:
    """Every pixel of every frame by chance."""
    return rng.integers(0, 256, (frames, size, size), dtype=np.uint8)


def clouds(rng: np.random.Generator, frames: int, size: int) -> Pixels:
    """Clouds that drift: amplitudes fall with the spatial frequency."""
    wide = 2 * size
    frequency = np.hypot(np.fft.fftfreq(wide)[:, None], np.fft.rfftfreq(wide)[None])
    spectrum = np.fft.rfft2(rng.standard_normal((wide, wide))) / np.maximum(frequency, 1 / wide)
    return _drifting(np.fft.irfft2(spectrum, s=(wide, wide)), frames, size)


def gradient(rng: np.random.Generator, frames: int, size: int) -> Pixels:
    """Even shading whose direction turns."""
    at = np.linspace(-1, 1, size)
    start = rng.uniform(0, 2 * np.pi)
    turns = start + np.linspace(0, 0.6, frames)
    planes = [np.cos(turn) * at[None] + np.sin(turn) * at[:, None] for turn in turns]
    return np.asarray((np.stack(planes) / np.sqrt(2) + 1) * 127, np.uint8)


def checkerboard(rng: np.random.Generator, frames: int, size: int) -> Pixels:
    """Squares of two greys that move."""
    side = int(rng.integers(max(size // 16, 2), size // 5))
    cells = np.indices((2 * size, 2 * size)) // side
    return _drifting((cells.sum(axis=0) % 2).astype(float), frames, size)


def wood(rng: np.random.Generator, frames: int, size: int) -> Pixels:
    """Rings around a far centre, bent by slow noise, with grain."""
    wide = 2 * size
    bent = gaussian_filter(rng.standard_normal((wide, wide)), size / 6)
    y, x = np.indices((wide, wide)) / size
    rings = np.hypot(x + rng.uniform(0.5, 1.5), 0.3 * y) + 0.15 * bent / bent.std()
    grain = gaussian_filter(rng.standard_normal((wide, wide)), (size / 12, 0.6))
    return _drifting(np.sin(60 * rings) + 0.6 * grain / grain.std(), frames, size)


def liver(rng: np.random.Generator, frames: int, size: int) -> Pixels:
    """A liver that breathing moves, by the phantom's own scanner: vessels, no heart."""
    vessels = [(rng.uniform(-5, 5, 2), rng.uniform(3, 14, 2)) for _ in range(5)]
    width = rng.uniform(0.2, 0.55, len(vessels))
    far = rng.uniform(12, 14)

    def paint(canvas: Canvas, phase: float) -> None:
        canvas.level_db[:] = LIVER_DB
        down = np.float32(0.6 * np.sin(2 * np.pi * phase))
        z = canvas.z - down
        for (x_cm, z_cm), half in zip(vessels, width, strict=True):
            vein = segment(canvas.x, z, (x_cm[0], z_cm[0]), (x_cm[1], z_cm[1]))
            canvas.fill(vein - np.float32(half), BLOOD_DB, 0.12)
        canvas.reflect(np.asarray(far - z - 0.03 * canvas.x**2, np.float32), PERICARDIUM_DB, 0.2)

    return _scanned(paint, rng, frames, size)


def foetal_head(rng: np.random.Generator, frames: int, size: int) -> Pixels:
    """A skull with its midline in the womb, by the phantom's own scanner."""
    half = (rng.uniform(3.6, 4.8), rng.uniform(2.8, 3.6))
    centre = (rng.uniform(-1, 1), rng.uniform(6.5, 8.5))

    def paint(canvas: Canvas, phase: float) -> None:
        x = canvas.x - np.float32(0.3 * np.sin(2 * np.pi * phase))
        womb = ellipse(x, canvas.z, centre, (half[0] + 1.6, half[1] + 1.6))
        canvas.fill(womb, BLOOD_DB)
        skull = ellipse(x, canvas.z, centre, half)
        canvas.fill(skull, MYOCARDIUM_DB - 14)
        canvas.fill(np.abs(skull) - np.float32(0.15), PERICARDIUM_DB - 6)
        ends = (centre[0] - half[0], centre[1]), (centre[0] + half[0], centre[1])
        canvas.fill(segment(x, canvas.z, *ends) - np.float32(0.05), PERICARDIUM_DB - 12)

    return _scanned(paint, rng, frames, size)


#: Natural textures, by name.
NATURAL: Mapping[str, Maker] = {
    "clouds": clouds,
    "gradient": gradient,
    "checkerboard": checkerboard,
    "wood": wood,
}
#: Other organs, by name.
ORGANS: Mapping[str, Maker] = {"liver": liver, "foetal head": foetal_head}


def _drifting(wide: NDArray[np.float64], frames: int, size: int) -> Pixels:
    """Windows of a picture twice as wide, each a little further, at full contrast."""
    low, high = np.percentile(wide, [1, 99])
    grey = np.clip((wide - low) / max(high - low, 1e-9), 0, 1) * 255
    steps = np.linspace(0, size / 3, frames).astype(int)
    return np.stack([grey[at : at + size, at : at + size] for at in steps]).astype(np.uint8)


def _scanned(
    paint: Callable[[Canvas, float], None], rng: np.random.Generator, frames: int, size: int
) -> Pixels:
    sector = Sector(
        depth_cm=float(rng.uniform(13, 16)),
        angle_rad=float(np.deg2rad(rng.uniform(72, 84))),
        samples=176,
        beams=80,
        height=size,
        width=size,
    )
    quality = list(Quality)[int(rng.integers(0, 2))]
    speckle = Speckle(sector, quality, 1.0, rng)
    x = sector.radius_cm * np.sin(sector.beam_rad)
    z = sector.radius_cm * np.cos(sector.beam_rad)
    step_ms = _BEAT_MS / frames
    shown = []
    for number in range(frames):
        canvas = Canvas(x, z, sector.step_cm, TISSUE_DB)
        paint(canvas, number / frames)
        shown.append(sector.convert(speckle.grey(canvas.level_db, step_ms)))
    return np.stack(shown)
