"""A page put upright at one scale, and the ink on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import median_filter

from inference.ecg.page.grid import Grid, Pixels

#: Every page is brought to so many pixels of a mm.
PX = 8
_BLOCK = 5 * PX
#: Share of pixels that are darker than any of the grid, and than half of a trace's.
_GRID_SHARE, _TRACE_SHARE = 12.0, 0.3
#: By how much more, of the paper's brightness, a trace is darker than the grid, at least.
_TELLING = 0.12

Darkness = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ink:
    """How dark each pixel is (0 paper to 1), and above which darkness it is ink."""

    dark: Darkness
    threshold: float


def upright(pixels: Pixels, grid: Grid) -> Pixels:
    """The lightest colour of the page (height, width), the lines of its grid along the axes.

    `PX` pixels are a mm. Coloured grids and pens are lighter there than black traces.
    """
    height, width = pixels.shape[:2]
    angle = np.deg2rad(grid.degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    x_scale, y_scale = (px_per_mm / PX for px_per_mm in grid.px_per_mm)
    new_width = round((width * cos + height * abs(sin)) / x_scale)
    new_height = round((height * cos + width * abs(sin)) / y_scale)
    a, b, d, e = cos * x_scale, -sin * y_scale, sin * x_scale, cos * y_scale
    c = width / 2 - a * new_width / 2 - b * new_height / 2
    f = height / 2 - d * new_width / 2 - e * new_height / 2
    lightest = np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])
    turned = Image.fromarray(lightest).transform(
        (new_width, new_height),
        Image.Transform.AFFINE,
        (a, b, c, d, e, f),
        Image.Resampling.BILINEAR,
        fillcolor=255,
    )
    return np.asarray(turned)


def find_ink(page: Pixels) -> Ink | None:
    """What of a page (height, width) is much darker than its grid: traces and black writing.

    None where traces cannot be told from the grid.
    """
    dark = np.clip(1 - page / _paper(page), 0, 1)
    grid, trace = np.percentile(dark[::2, ::2], [100 - _GRID_SHARE, 100 - _TRACE_SHARE])
    if trace - grid < _TELLING:
        return None
    return Ink(dark, float((grid + trace) / 2))


def _paper(lightest: Pixels) -> Darkness:
    """How bright the paper is around each pixel."""
    height, width = lightest.shape
    rows, columns = max(height // _BLOCK, 1), max(width // _BLOCK, 1)
    blocks = lightest[: rows * _BLOCK : 2, : columns * _BLOCK : 2]
    blocks = blocks.reshape(rows, _BLOCK // 2, columns, _BLOCK // 2)
    bright = np.percentile(blocks, 75, axis=(1, 3)).astype(np.float32)
    smooth = Image.fromarray(np.maximum(median_filter(bright, 3), 1))
    return np.asarray(smooth.resize((width, height), Image.Resampling.BILINEAR))
