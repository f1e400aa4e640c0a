"""The phantom's picture for the documents: every view at low and high pressure."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.phantom.cine import frames, sector_of
from inference.phantom.exams import exam_at
from inference.phantom.sizes import SIZES
from inference.phantom.speckle import Quality
from inference.phantom.views import View

_TILE_PX, _GAP_PX, _HEAD_PX = 190, 4, 22
_LOW_MMHG, _HIGH_MMHG = 15, 55
_END_SYSTOLE = 0.35


def picture(path: Path, seed: int = 5) -> Path:
    """Draw the grid as JPEG: a column per view, a row per pressure (low, high) and phase."""
    size = SIZES["cart"]
    rows: list[tuple[str, list[NDArray[np.uint8]]]] = []
    for mpap_mmhg in (_LOW_MMHG, _HIGH_MMHG):
        exam = exam_at(mpap_mmhg, seed=seed, loops=len(View))
        tiles: dict[float, list[NDArray[np.uint8]]] = {0.0: [], _END_SYSTOLE: []}
        for drawn in exam.loops:
            loop = replace(drawn, quality=Quality.GOOD)
            start, end = loop.rhythm.r_waves_ms[1:3]
            times = [start + (end - start) * share for share in tiles]
            sector = sector_of(loop.probe, size.samples, size.beams, size.sector)
            for share, tile in zip(tiles, frames(loop, sector, times), strict=True):
                tiles[share].append(tile)
        rows.append((f"mPAP {mpap_mmhg} mmHg, end diastole", tiles[0.0]))
        rows.append((f"mPAP {mpap_mmhg} mmHg, end systole", tiles[_END_SYSTOLE]))
    _arrange(rows).save(path, quality=80, optimize=True)
    return path


def _arrange(rows: list[tuple[str, list[NDArray[np.uint8]]]]) -> Image.Image:
    width = round(1.34 * _TILE_PX)
    font = ImageFont.load_default(13)
    step = (width + _GAP_PX, _TILE_PX + _HEAD_PX)
    sheet = Image.new("L", (step[0] * len(View), step[1] * len(rows) + _HEAD_PX))
    draw = ImageDraw.Draw(sheet)
    for row, (title, tiles) in enumerate(rows):
        top = row * step[1]
        draw.text((4, top + 4), title, 190, font)
        for column, (view, tile) in enumerate(zip(View, tiles, strict=True)):
            shrunk = Image.fromarray(tile).resize(
                (round(tile.shape[1] * _TILE_PX / tile.shape[0]), _TILE_PX),
                Image.Resampling.LANCZOS,
            )
            left = column * step[0]
            sheet.paste(shrunk, (left + (width - shrunk.width) // 2, top + _HEAD_PX))
            draw.text((left + width - 48, top + 4), view.value, 130, font)
    draw.text((4, sheet.height - _HEAD_PX + 4), "SYNTHETIC PHANTOM - NOT A PATIENT", 190, font)
    return sheet
