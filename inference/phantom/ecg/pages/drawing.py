"""Leads printed on ECG paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.ecg.cleaning import RATE_HZ
from inference.ecg.leads import LEADS, Leads
from inference.ecg.page.layouts import THREE_BY_FOUR, Layout

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]


class Paper(StrEnum):
    """The colour of the grid."""

    RED = "red"
    ORANGE = "orange"
    BLUE = "blue"
    GREY = "grey"
    NONE = "no grid"


#: Paper, lines of 1 mm, lines of 5 mm.
_COLOURS: Mapping[Paper, tuple[Colour, Colour, Colour]] = {
    Paper.RED: ((255, 250, 248), (250, 205, 200), (232, 140, 135)),
    Paper.ORANGE: ((255, 252, 242), (252, 220, 185), (240, 170, 100)),
    Paper.BLUE: ((250, 252, 255), (205, 220, 245), (135, 165, 225)),
    Paper.GREY: ((252, 252, 252), (218, 218, 218), (170, 170, 170)),
    Paper.NONE: ((255, 255, 255),) * 3,
}
_INK = (25, 25, 35)
#: Drawn so much larger and averaged, so that lines lie between pixels.
_FINER = 2
_LEFT_MM, _RIGHT_MM, _HEAD_MM, _FOOT_MM = 22.0, 12.0, 26.0, 12.0
_ROW_MM: Mapping[int, float] = {3: 44, 4: 38, 5: 32, 6: 27, 7: 24, 12: 16, 13: 15}


@dataclass(frozen=True, slots=True)
class Style:
    """How a page is printed; `strips` are the leads that stand below in full length."""

    layout: Layout = THREE_BY_FOUR
    strips: tuple[int, ...] = (1,)
    paper: Paper = Paper.RED
    mm_per_s: float = 25.0
    mm_per_mv: float = 10.0
    width_mm: float = 250.0
    px_per_mm: float = 8.0
    pen_mm: float = 0.35
    pulses: bool = True
    separators: bool = False
    names: bool = True


def draw_page(leads: Leads, style: Style) -> Pixels:
    """The leads (12, samples; mV at 500 Hz) as a printed page, RGB (height, width, 3)."""
    rows = [*style.layout.rows, *((lead,) for lead in style.strips)]
    row_mm = _ROW_MM[len(rows)]
    size_mm = (_LEFT_MM + style.width_mm + _RIGHT_MM, _HEAD_MM + len(rows) * row_mm + _FOOT_MM)
    sheet = _Sheet(size_mm, style)
    for number, row in enumerate(rows):
        middle_mm = _HEAD_MM + (number + 0.5) * row_mm
        if style.pulses:
            sheet.pulse(middle_mm)
        sheet.row(leads, row, middle_mm)
    sheet.words(size_mm)
    return sheet.pixels()


class _Sheet:
    """A page that is being drawn; places are in mm from its upper left corner."""

    def __init__(self, size_mm: tuple[float, float], style: Style) -> None:
        self._style, self._px = style, style.px_per_mm * _FINER
        paper, fine, coarse = _COLOURS[style.paper]
        width, height = (round(side * self._px) for side in size_mm)
        self._picture = Image.new("RGB", (width, height), paper)
        self._pen = ImageDraw.Draw(self._picture)
        thin, thick = max(1, round(0.12 * self._px)), max(1, round(0.2 * self._px))
        for colour, step, pen in ((fine, 1, thin), (coarse, 5, thick)):
            for x in np.arange(0, size_mm[0], step) * self._px:
                self._pen.line((x, 0, x, height), colour, pen)
            for y in np.arange(0, size_mm[1], step) * self._px:
                self._pen.line((0, y, width, y), colour, pen)

    def pulse(self, middle_mm: float) -> None:
        """1 mV for 0.2 s, just before the row."""
        wide, high = 0.2 * self._style.mm_per_s, self._style.mm_per_mv
        foot = 1.0
        left = _LEFT_MM - wide - 2 * foot - 1.5
        x = left + np.array([0, foot, foot, foot + wide, foot + wide, 2 * foot + wide])
        self._line(x, middle_mm - np.array([0, 0, high, high, 0, 0]))

    def row(self, leads: Leads, row: Sequence[int], middle_mm: float) -> None:
        """Leads after each other: each for its share of the time."""
        style = self._style
        wide_mm = style.width_mm / len(row)
        samples = round(wide_mm / style.mm_per_s * RATE_HZ)
        for column, lead in enumerate(row):
            shown = leads[lead, column * samples : (column + 1) * samples]
            left = _LEFT_MM + column * wide_mm
            x = left + np.arange(len(shown)) * style.mm_per_s / RATE_HZ
            self._line(x, middle_mm - shown * style.mm_per_mv)
            if style.separators and column:
                self._line(np.array([left, left]), middle_mm + np.array([-2.5, 2.5]))
            if style.names:
                self._text((left + 1, middle_mm - 11), LEADS[lead], 3.5)

    def words(self, size_mm: tuple[float, float]) -> None:
        """What stands above and below."""
        self._text((_LEFT_MM, 4), "SYNTHETIC PHANTOM - NOT A PATIENT", 5)
        self._text((_LEFT_MM, 12), "72/min   PR 160 ms   QRS 92 ms   QT/QTc 400/420 ms", 3.5)
        scale = f"{self._style.mm_per_s:g} mm/s   {self._style.mm_per_mv:g} mm/mV   0.5-150 Hz"
        self._text((_LEFT_MM, size_mm[1] - 8), scale, 3)

    def pixels(self) -> Pixels:
        """The page as a scanner sees it."""
        return np.asarray(self._picture.reduce(_FINER))

    def _text(self, place_mm: tuple[float, float], words: str, high_mm: float) -> None:
        place = (place_mm[0] * self._px, place_mm[1] * self._px)
        self._pen.text(place, words, _INK, ImageFont.load_default(high_mm * self._px))

    def _line(self, x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]) -> None:
        if np.isnan(y_mm).any():
            return
        pen = max(1, round(self._style.pen_mm * self._px))
        points = np.stack([x_mm, y_mm], axis=1) * self._px
        self._pen.line([tuple(point) for point in points.tolist()], _INK, pen, joint="curve")
