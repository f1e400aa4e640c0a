"""What the cart's screen shows around the sector: texts, depth scale and the ECG."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.phantom.sizes import Size

_TEXT, _FAINT = (225, 225, 215), (120, 120, 115)
#: What every picture says, and its colour.
BANNER, WARNING = "SYNTHETIC PHANTOM - NOT A PATIENT", (255, 190, 60)
_TRACE, _CURSOR = (90, 235, 130), (255, 240, 90)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Screen:
    """The layout of one cine: a sector of `size.sector` × `sector_width` pixels on a dark screen.

    `texts` stand beside the sector; the ECG lies below it, outside every region.
    """

    size: Size
    sector_width: int
    pixel_cm: float
    duration_ms: float
    r_waves_ms: Sequence[float]
    texts: Sequence[str] = ()

    @property
    def region(self) -> tuple[int, int, int, int]:
        """Bounds of the sector: x0, y0, x1, y1, zero-based and inclusive."""
        left = (self.size.columns - self.sector_width) // 2
        top = self.size.rows // 42
        return left, top, left + self.sector_width - 1, top + self.size.sector - 1

    def show(self, sector: Pixels, time_ms: float) -> Pixels:
        """One frame, RGB (rows, columns, 3), of a grey or RGB sector."""
        x0, y0, x1, y1 = self.region
        picture = self._still.copy()
        picture[y0 : y1 + 1, x0 : x1 + 1] = sector if sector.ndim == 3 else sector[..., None]
        cursor = round(time_ms / self.duration_ms * (self.size.columns - 1))
        picture[self._strip_top :, min(max(cursor, 0), self.size.columns - 1)] = _CURSOR
        return picture

    @property
    def _strip_top(self) -> int:
        """First row of the ECG strip, below the region."""
        return self.region[3] + 3

    @cached_property
    def _still(self) -> Pixels:
        """Everything that does not move."""
        image = Image.new("RGB", (self.size.columns, self.size.rows))
        draw = ImageDraw.Draw(image)
        self._draw_texts(draw)
        self._draw_scale(draw)
        self._draw_ecg(draw)
        return np.asarray(image)

    def _draw_texts(self, draw: ImageDraw.ImageDraw) -> None:
        height = max(self.size.rows // 44, 8)
        font = ImageFont.load_default(height)
        for line, text in enumerate(self.texts):
            draw.text((3, 2 + line * (height + 2)), text, _TEXT, font)
        draw.text((3, self.size.rows - height - 3), BANNER, WARNING, font)

    def _draw_scale(self, draw: ImageDraw.ImageDraw) -> None:
        """Ticks for every centimetre of depth, longer ones for every fifth."""
        x, top = self.region[2] + 3, self.region[1]
        for centimetre in range(int(self.size.sector * self.pixel_cm) + 1):
            y = top + round(centimetre / self.pixel_cm)
            major = centimetre % 5 == 0
            draw.line([(x, y), (x + (6 if major else 2), y)], _TEXT if major else _FAINT)

    def _draw_ecg(self, draw: ImageDraw.ImageDraw) -> None:
        columns = np.arange(self.size.columns)
        times = columns / (self.size.columns - 1) * self.duration_ms
        height = self.size.rows - self._strip_top
        level = self._strip_top + 0.56 * height - 0.45 * height * ecg(times, self.r_waves_ms)
        points = [(float(x), float(y)) for x, y in zip(columns, level, strict=True)]
        draw.line(points, _TRACE, width=max(self.size.rows // 400, 1))


def ecg(times_ms: NDArray[np.float64], r_waves_ms: Sequence[float]) -> NDArray[np.float64]:
    """A lead with P, Q, R, S and T waves; the R wave is about 1 high."""
    trace = 0.015 * np.sin(times_ms / 173.0)
    waves = ((-160, 0.12, 32), (-28, -0.12, 9), (0, 1.0, 11), (26, -0.22, 11), (280, 0.24, 55))
    for r_wave in r_waves_ms:
        for delay, height, width in waves:
            trace += height * np.exp(-(((times_ms - r_wave - delay) / width) ** 2))
    return trace
