"""The foreign scanner's screen: banner on top, grey bar and depth dots, ECG in white below."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.phantom.screen import BANNER, WARNING, ecg
from inference.phantom.sizes import Size

_LINE, _MARK = (200, 205, 230), (150, 160, 200)
_BACKGROUND = (14, 14, 22)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Screen:
    """The layout of one cine: a sector of `size.sector` × `sector_width` pixels.

    The manufacturer's mark lies inside the region, beside the sector, as on many real carts.
    """

    size: Size
    sector_width: int
    pixel_cm: float
    duration_ms: float
    r_waves_ms: Sequence[float]

    @property
    def region(self) -> tuple[int, int, int, int]:
        """Bounds of the sector: x0, y0, x1, y1, zero-based and inclusive."""
        left = (self.size.columns - self.sector_width) * 2 // 3
        top = self.size.rows // 11
        return left, top, left + self.sector_width - 1, top + self.size.sector - 1

    def show(self, sector: Pixels, time_ms: float) -> Pixels:
        """One frame, RGB (rows, columns, 3), of a grey or RGB sector."""
        x0, y0, x1, y1 = self.region
        picture = self._still.copy()
        shown = sector if sector.ndim == 3 else np.repeat(sector[..., None], 3, axis=2)
        picture[y0 : y1 + 1, x0 : x1 + 1] = np.maximum(shown, self._mark)
        # The trace is drawn as it comes, and black ahead of it.
        ahead = round(time_ms / self.duration_ms * (self.size.columns - 1)) + 1
        picture[y1 + 4 :, ahead:] = _BACKGROUND
        return picture

    @cached_property
    def _mark(self) -> Pixels:
        """A triangle in the region's upper left corner."""
        side = max(self.size.sector // 14, 6)
        image = Image.new("RGB", (self.sector_width, self.size.sector))
        corner = [(3, 3), (3 + side, 3), (3, 3 + side)]
        ImageDraw.Draw(image).polygon(corner, fill=_MARK)
        return np.asarray(image)

    @cached_property
    def _still(self) -> Pixels:
        """Everything that does not move."""
        size = self.size
        image = Image.new("RGB", (size.columns, size.rows), _BACKGROUND)
        draw = ImageDraw.Draw(image)
        font = ImageFont.load_default(max(size.rows // 40, 8))
        draw.text((3, 1), BANNER, WARNING, font)
        x0, top, _, bottom = self.region
        for row in range(size.sector):
            grey = round(255 * (1 - row / size.sector))
            draw.line([(4, top + row), (4 + size.columns // 50, top + row)], (grey, grey, grey))
        for centimetre in range(0, int(size.sector * self.pixel_cm) + 1, 2):
            y = top + round(centimetre / self.pixel_cm)
            draw.ellipse([(x0 - 7, y - 1), (x0 - 5, y + 1)], fill=_LINE)
        columns = np.arange(size.columns)
        height = size.rows - bottom - 4
        level = ecg(columns / (size.columns - 1) * self.duration_ms, self.r_waves_ms)
        rows = bottom + 4 + (0.6 - 0.5 * level) * height
        points = [(float(x), float(y)) for x, y in zip(columns, rows, strict=True)]
        draw.line(points, _LINE, width=max(size.rows // 400, 1))
        return np.asarray(image)
