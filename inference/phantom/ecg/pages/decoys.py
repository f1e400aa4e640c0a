"""Pictures that are no ECG page, or only a part of one."""

from collections.abc import Callable, Mapping
from enum import StrEnum

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from inference.ecg.leads import Leads
from inference.ecg.page.layouts import SIX_BY_TWO
from inference.phantom.ecg.pages.drawing import Paper, Pixels, Style, draw_page


class PageDecoy(StrEnum):
    """One kind of picture that must not be read."""

    TABLE = "table"
    PHOTO = "photo"
    ULTRASOUND = "ultrasound"
    EMPTY_PAPER = "empty paper"
    NO_GRID = "no grid"
    NO_PULSE = "no pulse"
    LEFT_HALF = "left half"
    RIGHT_HALF = "right half"
    TOP_HALF = "top half"
    SIX_ROWS_LEFT_HALF = "left half of six rows"
    UPSIDE_DOWN = "upside down"
    MIRRORED = "mirrored"
    TOO_SKEWED = "too skewed"
    CABRERA = "Cabrera's order"
    TWO_GAINS = "two gains"


def page_decoy(kind: PageDecoy, leads: Leads, rng: np.random.Generator) -> Pixels:
    """One decoy RGB (height, width, 3); those that are pages show the leads (mV, 500 Hz)."""
    return _MAKERS[kind](leads, rng)


def _table(_leads: Leads, rng: np.random.Generator) -> Pixels:
    picture = Image.new("RGB", (1700, 2200), (255, 255, 255))
    pen = ImageDraw.Draw(picture)
    for row in range(40):
        pen.line((100, 100 + 50 * row, 1600, 100 + 50 * row), (90, 90, 90), 2)
        for column in range(5):
            words = f"{rng.integers(0, 999)} ms"
            place = (120 + 300 * column, 112 + 50 * row)
            pen.text(place, words, (20, 20, 20), ImageFont.load_default(24))
    for column in range(6):
        pen.line((100 + 300 * column, 100, 100 + 300 * column, 2050), (90, 90, 90), 2)
    return np.asarray(picture)


def _photo(_leads: Leads, rng: np.random.Generator) -> Pixels:
    coarse = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
    smooth = Image.fromarray(coarse).resize((1600, 1200), Image.Resampling.BICUBIC)
    noisy = np.asarray(smooth) + rng.normal(0, 8, (1200, 1600, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _ultrasound(_leads: Leads, rng: np.random.Generator) -> Pixels:
    y, x = np.mgrid[0:768, 0:1024]
    radius, angle = np.hypot(y, x - 512), np.abs(np.arctan2(x - 512, y + 1))
    speckle = rng.rayleigh(60, (768, 1024)) * ((angle < 0.75) & (radius < 720))
    picture = Image.fromarray(np.clip(speckle, 0, 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(1.2)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for depth in range(0, 720, 45):
        pen.line((1000, depth, 1010, depth), (255, 255, 255), 1)
    return np.asarray(picture)


def _empty(leads: Leads, _rng: np.random.Generator) -> Pixels:
    return draw_page(np.full_like(leads, np.nan), Style(pulses=False, names=False))


def _page(leads: Leads) -> Pixels:
    return draw_page(leads, Style())


def _two_gains(leads: Leads, _rng: np.random.Generator) -> Pixels:
    """The upper half at 10 mm/mV, the lower one at 20."""
    usual, tall = _page(leads), draw_page(leads, Style(mm_per_mv=20.0))
    middle = len(usual) // 2
    return np.concatenate([usual[:middle], tall[middle:]])


def _cabrera(leads: Leads, _rng: np.random.Generator) -> Pixels:
    """aVL, I, -aVR, II, aVF, III, where I, II, III, aVR, aVL, aVF are usual."""
    ordered = np.concatenate([leads[[4, 0, 3, 1, 5, 2]], leads[6:]])
    ordered[2] *= -1
    return draw_page(ordered, Style(names=False))


def _six_rows_left_half(leads: Leads, _rng: np.random.Generator) -> Pixels:
    page = draw_page(leads, Style(layout=SIX_BY_TWO, strips=()))
    return page[:, : (22 + 125) * 8]


_MAKERS: Mapping[PageDecoy, Callable[[Leads, np.random.Generator], Pixels]] = {
    PageDecoy.TABLE: _table,
    PageDecoy.PHOTO: _photo,
    PageDecoy.ULTRASOUND: _ultrasound,
    PageDecoy.EMPTY_PAPER: _empty,
    PageDecoy.NO_GRID: lambda leads, _: draw_page(leads, Style(paper=Paper.NONE)),
    PageDecoy.NO_PULSE: lambda leads, _: draw_page(leads, Style(pulses=False)),
    PageDecoy.LEFT_HALF: lambda leads, _: _page(leads)[:, : _page(leads).shape[1] // 2],
    PageDecoy.RIGHT_HALF: lambda leads, _: _page(leads)[:, _page(leads).shape[1] // 2 :],
    PageDecoy.TOP_HALF: lambda leads, _: _page(leads)[: len(_page(leads)) // 2],
    PageDecoy.SIX_ROWS_LEFT_HALF: _six_rows_left_half,
    PageDecoy.UPSIDE_DOWN: lambda leads, _: _page(leads)[::-1, ::-1],
    PageDecoy.MIRRORED: lambda leads, _: _page(leads)[:, ::-1],
    PageDecoy.TOO_SKEWED: lambda leads, _: np.asarray(
        Image.fromarray(_page(leads)).rotate(6.5, Image.Resampling.BICUBIC, expand=True)
    ),
    PageDecoy.CABRERA: _cabrera,
    PageDecoy.TWO_GAINS: _two_gains,
}
