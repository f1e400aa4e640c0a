"""Leads as pictures: small ones for a model, and the sheet that a cardiologist knows."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.ecg.cleaning import RATE_HZ, longest_run
from inference.ecg.leads import LEADS, LIMB, Leads

Pixels = NDArray[np.uint8]

#: A picture of one lead for a model: 2.5 s across, -2 to +2 mV.
HEIGHT, WIDTH = 48, 224
SECONDS, MOST_MV = 2.5, 2.0
_WINDOW = round(SECONDS * RATE_HZ)
#: Lines are drawn so much larger and averaged, so that they lie between pixels.
_FINER = 4

#: The sheet: pixels of one mm, 25 mm for a second, 10 mm for a mV.
_MM = 6
_MM_PER_S, _MM_PER_MV = 25, 10
_ROW_MM, _COLUMNS_MM, _MARGIN_MM, _HEAD_MM = 32, 250, 12, 10
_PAPER, _FINE, _COARSE, _INK = (255, 250, 248), (250, 214, 210), (236, 160, 155), (20, 20, 30)
_LAYOUT = ((0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11))
_LIMB_LAYOUT = ((0, 3), (1, 4), (2, 5))


def lead_pictures(drawn: Leads) -> Pixels:
    """Twelve pictures, RGB (12, 48, 224, 3), black on white; a lead without values is white.

    `drawn` are leads in mV at 500 Hz. As on a sheet, the columns of three leads follow each other
    in time; a lead that has no values there shows the first 2.5 s (or fewer) that it has. What
    lies beyond -2 or +2 mV is drawn at the edge.
    """
    return np.stack([_lead_picture(_window(drawn, lead)) for lead in range(len(LEADS))])


def sheet(drawn: Leads, *, caption: str = "") -> Pixels:
    """The leads on ECG paper, RGB (height, width, 3): 25 mm/s, 10 mm/mV, lead II as rhythm below.

    `drawn` are leads in mV at 500 Hz. Without any chest lead the limb leads have the whole width.
    `caption` stands above.
    """
    chest = bool((~np.isnan(drawn[LIMB:])).any())
    layout = _LAYOUT if chest else _LIMB_LAYOUT
    height = _HEAD_MM + (len(layout) + 1) * _ROW_MM
    picture = _paper(_COLUMNS_MM + 2 * _MARGIN_MM, height)
    pen = ImageDraw.Draw(picture)
    pen.text((_MARGIN_MM * _MM, _MM), caption, _INK, ImageFont.load_default(4 * _MM))
    width = _COLUMNS_MM / len(layout[0])
    for row, leads in enumerate(layout):
        middle = _HEAD_MM + (row + 0.5) * _ROW_MM
        _pulse(pen, middle)
        for column, lead in enumerate(leads):
            left = _MARGIN_MM + column * width
            samples = _share(drawn, lead, column, len(leads))
            _trace(pen, samples, left, middle, LEADS[lead])
    middle = _HEAD_MM + (len(layout) + 0.5) * _ROW_MM
    _pulse(pen, middle)
    _trace(pen, drawn[1, : 10 * RATE_HZ], _MARGIN_MM, middle, "II")
    scale = f"{_MM_PER_S} mm/s   {_MM_PER_MV} mm/mV   slower than 0.5 Hz removed"
    small = ImageFont.load_default(3 * _MM)
    pen.text((_MARGIN_MM * _MM, (height - 4) * _MM), scale, _INK, small)
    return np.asarray(picture)


def _window(drawn: Leads, lead: int) -> NDArray[np.float64]:
    """2.5 s of a lead: of its column of the sheet, else the longest stretch that it has."""
    first = max(drawn.shape[1] - _WINDOW, 0) * (lead // 3) // 3
    there = ~np.isnan(drawn[lead])
    if not there[first : first + _WINDOW].all():
        first, _ = longest_run(there)
    return drawn[lead, first : first + _WINDOW]


def _lead_picture(samples: NDArray[np.float64]) -> Pixels:
    picture = Image.new("L", (WIDTH * _FINER, HEIGHT * _FINER), 255)
    across = np.arange(len(samples)) * (WIDTH * _FINER - 1) / (_WINDOW - 1)
    levels = np.clip(samples, -MOST_MV, MOST_MV)
    down = (MOST_MV - levels) / (2 * MOST_MV) * (HEIGHT * _FINER - 1)
    _line(ImageDraw.Draw(picture), across, down, 0, _FINER)
    return np.repeat(np.asarray(picture.reduce(_FINER))[..., None], 3, axis=2)


def _share(drawn: Leads, lead: int, column: int, columns: int) -> NDArray[np.float64]:
    """What of a lead stands in a column of the sheet; the longest stretch, where nothing does."""
    width = 10 * RATE_HZ // columns
    samples = drawn[lead, column * width : (column + 1) * width]
    if np.isnan(samples).all():
        first, length = longest_run(~np.isnan(drawn[lead]))
        samples = drawn[lead, first : first + min(length, width)]
    return samples


def _paper(width_mm: int, height_mm: int) -> Image.Image:
    picture = Image.new("RGB", (width_mm * _MM, height_mm * _MM), _PAPER)
    pen = ImageDraw.Draw(picture)
    for colour, step in ((_FINE, 1), (_COARSE, 5)):
        for x in range(0, width_mm * _MM, step * _MM):
            pen.line((x, 0, x, height_mm * _MM), colour)
        for y in range(0, height_mm * _MM, step * _MM):
            pen.line((0, y, width_mm * _MM, y), colour)
    return picture


def _pulse(pen: ImageDraw.ImageDraw, middle_mm: float) -> None:
    """The calibration pulse before a row: 1 mV for 0.2 s."""
    left = (_MARGIN_MM - 8) * _MM
    x = left + np.array([0, 1, 1, 6, 6, 7]) * _MM
    y = (middle_mm - np.array([0, 0, 1, 1, 0, 0]) * _MM_PER_MV) * _MM
    _line(pen, x, y, _INK, 2)


def _trace(
    pen: ImageDraw.ImageDraw,
    samples: NDArray[np.float64],
    left_mm: float,
    middle_mm: float,
    name: str,
) -> None:
    x = (left_mm + np.arange(len(samples)) * _MM_PER_S / RATE_HZ) * _MM
    y = (middle_mm - samples * _MM_PER_MV) * _MM
    _line(pen, x, y, _INK, 2)
    known = name if not np.isnan(samples).all() else f"{name} (none)"
    place = ((left_mm + 1) * _MM, (middle_mm - _ROW_MM / 2 + 2) * _MM)
    pen.text(place, known, _INK, ImageFont.load_default(4 * _MM))


def _line(
    pen: ImageDraw.ImageDraw,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    colour: int | tuple[int, int, int],
    width: int,
) -> None:
    """Draw a line through points, interrupted where y is NaN."""
    there = ~np.isnan(y)
    edges: Sequence[int] = np.flatnonzero(np.diff(np.pad(there.astype(int), 1))).tolist()
    for start, end in list(pairwise(edges))[::2]:
        points = list(zip(x[start:end].tolist(), y[start:end].tolist(), strict=True))
        pen.line(points, colour, width)
