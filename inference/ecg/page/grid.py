"""The grid of ECG paper in a picture: how many pixels are a millimetre, and how far it is turned.

A grid is a comb of lines in each direction; its spectrum is a comb of peaks on two rays at right
angles. The rays give the angle, the distance of the peaks the pitch. Lines stand every mm, every
5 mm, or both; a page is between `_NARROWEST` and five times as many mm wide, which tells them
apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import map_coordinates, median_filter, uniform_filter

Pixels = NDArray[np.uint8]
_Floats = NDArray[np.float32]

MOST_SKEW_DEGREES = 5.0
#: Angles are searched a little beyond, so that a page at the limit is told from one beyond it.
_SEARCHED_DEGREES = 7.5
_NARROWEST_MM = 120
#: Pixels of a mm, at least.
_FEWEST_PX = 2.5
_SIDE = 2048
_FINEST_PX = 2.2
_HARMONICS = 8
_FEWEST_HARMONICS = 3
#: What is weaker than this share of the strongest peak is none.
_WEAKEST = 0.004
#: How far a comb stands out of what lies between, at least, and what counts of it (log2).
_CLEAR, _LOUDEST = 3.0, 5.0
#: Width and height of a mm differ at most so much.
_ODD_SHAPE = 0.03


@dataclass(frozen=True, slots=True)
class Grid:
    """`px_per_mm` across and down; `degrees` by which the page is turned, clockwise."""

    px_per_mm: tuple[float, float]
    degrees: float


def find_grid(pixels: Pixels) -> Grid | None:
    """The grid of an RGB picture (height, width, 3); None where there is none to be sure of."""
    spectrum = _spectrum(lines(pixels))
    degrees = _angle(spectrum)
    rays = [_ray(spectrum, degrees + turn) for turn in (0.0, 90.0)]
    width = pixels.shape[1]
    # The longest period is a fifth of a page that is only as wide as the narrowest.
    lowest = max(_SIDE * _NARROWEST_MM / (5 * width), 8.0)
    fundamentals = np.arange(lowest, len(rays[0]) / _FEWEST_HARMONICS, 0.25)
    across, down = (_comb(_loudness(ray), fundamentals) for ray in rays)
    together = across + _highest_near(down, fundamentals)
    if together.max(initial=0.0) < _CLEAR:
        return None
    best = float(fundamentals[np.argmax(together)])
    near = np.abs(fundamentals - best) <= _ODD_SHAPE * best
    down_best = float(fundamentals[near][np.argmax(down[near])])
    x, y = (
        _SIDE / _refined(ray, fundamental)
        for ray, fundamental in zip(rays, (best, down_best), strict=True)
    )
    of_a_mm = 1.0 if width / x >= _NARROWEST_MM else 0.2
    return Grid((x * of_a_mm, y * of_a_mm), degrees) if x * of_a_mm >= _FEWEST_PX else None


def lines(pixels: Pixels) -> _Floats:
    """How dark each pixel is against the paper around it; what is darker than a grid is cut off."""
    darkest = np.minimum(np.minimum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])
    bright = darkest.astype(np.float32)
    dark = uniform_filter(bright, 41) - bright
    low, high = np.percentile(dark[::4, ::4], [5, 93])
    clipped: _Floats = np.clip(dark, low, max(high, low + 1))
    return clipped - clipped.mean()


def _spectrum(dark: _Floats) -> _Floats:
    """Magnitudes over the frequencies of a square picture; the first axis is down, 0 in its middle.

    Large pictures are cut to their middle.
    """
    height, width = (min(length, _SIDE) for length in dark.shape)
    top, left = (dark.shape[0] - height) // 2, (dark.shape[1] - width) // 2
    part = dark[top : top + height, left : left + width]
    part = part * np.hanning(height)[:, None] * np.hanning(width)[None, :]
    magnitudes = np.abs(fft.rfft2(part.astype(np.float32), (_SIDE, _SIDE)))
    return np.fft.fftshift(magnitudes, axes=0).astype(np.float32)


def _ray(spectrum: _Floats, degrees: float) -> _Floats:
    """Magnitudes along a direction, by frequency: entry k has a period of side / k pixels."""
    radii = np.arange(int(_SIDE / _FINEST_PX))
    x, y = np.cos(np.deg2rad(degrees)) * radii, np.sin(np.deg2rad(degrees)) * radii
    flipped = np.where(x < 0, -1, 1)  # of a real picture, both halves are alike
    places = np.stack([y * flipped + _SIDE // 2, x * flipped])
    ray: _Floats = map_coordinates(spectrum, places, order=1, mode="nearest")
    return ray


def _angle(spectrum: _Floats) -> float:
    """The turn, in degrees, at which two rays at right angles carry most."""

    def carried(degrees: float) -> float:
        rays = (_ray(spectrum, degrees + turn)[_SIDE // 100 :] for turn in (0.0, 90.0))
        return float(sum((ray**2).sum() for ray in rays))

    best, step = 0.0, 0.1
    angles = np.arange(-_SEARCHED_DEGREES, _SEARCHED_DEGREES + step, step)
    while step > 0.004:
        best = float(max(angles, key=carried))
        angles = best + np.linspace(-step, step, 9)
        step /= 4
    return best


def _loudness(ray: _Floats) -> _Floats:
    """By how much each entry stands out of those around it, log2; peaks are three entries wide."""
    around = np.maximum(median_filter(ray, 61), _WEAKEST * ray.max() + 1e-6)
    loud = np.log2(ray / around + 1)
    wide: _Floats = np.maximum.reduce([loud, np.roll(loud, 1), np.roll(loud, -1)])
    return np.minimum(wide, _LOUDEST)


def _highest_near(
    scores: NDArray[np.float64], fundamentals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The highest score within what the shape of a mm allows."""
    limits = [fundamentals * (1 - _ODD_SHAPE), fundamentals * (1 + _ODD_SHAPE)]
    first, last = (np.searchsorted(fundamentals, limit) for limit in limits)
    highest: NDArray[np.float64] = np.array(
        [scores[a:b].max() for a, b in zip(first, last, strict=True)]
    )
    return highest


def _comb(loud: _Floats, fundamentals: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much louder the multiples of each fundamental are than what lies between them.

    Between multiples of a multiple of the true fundamental others of its multiples lie.
    """
    multiples = np.arange(1, _HARMONICS + 1)
    between = np.concatenate([multiples - part for part in (1 / 2, 1 / 3, 2 / 3)])
    scores: NDArray[np.float64] = _mean_at(loud, fundamentals, multiples) - _mean_at(
        loud, fundamentals, between
    )
    return scores


def _mean_at(
    loud: _Floats, fundamentals: NDArray[np.float64], multiples: NDArray[np.floating]
) -> NDArray[np.float64]:
    places = np.rint(fundamentals[:, None] * multiples).astype(int)
    there = places < len(loud) - 1
    found = np.where(there, loud[np.where(there, places, 0)], 0.0)
    mean: NDArray[np.float64] = found.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return mean


def _refined(ray: _Floats, fundamental: float) -> float:
    """The fundamental whose multiples lie best on the peaks, each found between entries."""
    weighted, weights = 0.0, 0.0
    for harmonic in range(1, _HARMONICS + 1):
        near = round(harmonic * fundamental)
        if near + 3 > len(ray):
            break
        peak = near - 2 + int(np.argmax(ray[near - 2 : near + 3]))
        if ray[peak] < _WEAKEST * ray.max() or not 0 < peak < len(ray) - 1:
            continue
        before, at, after = np.log(ray[peak - 1 : peak + 2] + 1e-9)
        bend = before - 2 * at + after
        place = peak + (0.5 * (before - after) / bend if bend < 0 else 0.0)
        weighted += harmonic * place * ray[peak]
        weights += harmonic**2 * ray[peak]
        fundamental = weighted / weights
    return float(fundamental)
