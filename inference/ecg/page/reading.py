"""From the pixels of a page to the samples of its leads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.ecg.cleaning import RATE_HZ, longest_run
from inference.ecg.leads import LEADS, LIMB, Leads
from inference.ecg.page import rules
from inference.ecg.page.calibration import gain, speed
from inference.ecg.page.curve import curve
from inference.ecg.page.extent import Extent, extent_of, rows_of
from inference.ecg.page.grid import Pixels, find_grid
from inference.ecg.page.laws import contradiction
from inference.ecg.page.layouts import LAYOUTS, SIX_BY_TWO, Layout
from inference.ecg.page.rows import row_levels
from inference.ecg.page.rules import required
from inference.ecg.page.tracing import Traces, follow, foreign_mm2
from inference.ecg.page.upright import PX, Ink, find_ink, upright
from inference.types import Verdict

#: Pictures with a longer side are made smaller before.
_LONGEST_PX = 3600
_SECONDS = (2.5, 5.0, 10.0)
#: How far rows may begin from where a layout has them begin.
_END_MM = 1.5
#: What stands at the borders of a lead's part of a row is a separator, or of the next lead.
_BORDER_MM, _END_OF_PEN_MM = 0.4, 0.1


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on a page.

    `leads` are (12, samples) in mV at 500 Hz, each at 0 in the median; NaN where the page does not
    show a lead. Columns of the layout follow each other in time.
    """

    leads: Leads
    seconds: float
    layout: str
    columns: int
    mm_per_mv: float
    mm_per_s: float
    verdicts: tuple[Verdict, ...]


class _Candidate(NamedTuple):
    """What the leads are (12, samples; mV) if the page has this layout."""

    layout: Layout
    seconds: float
    leads: Leads


def read_page(pixels: Pixels) -> Page:
    """Read the twelve leads of an ECG page, RGB (height, width, 3).

    Raises:
        InstanceExcludedError: it is no ECG page, or something of it is in doubt.
    """
    ink, verdicts = _ink_of(_moderate(pixels))
    levels = row_levels(ink)
    verdicts.append(required(rules.rows(len(levels), _ROW_COUNTS)))
    traces = follow(ink, levels)
    rows = rows_of(traces)
    found = [row.pulse for row in rows if row.pulse]
    mm_per_mv, mm_per_s = gain(found), speed(found)
    verdicts.append(required(rules.calibration(len(found), mm_per_mv, mm_per_s)))
    assert mm_per_mv and mm_per_s  # noqa: S101 - else the rule has failed
    pen = float(np.median([pulse.pen_px for pulse in found]))
    extent = extent_of(rows, pen)
    lines = np.stack([_line(traces, row, pen) for row in range(len(levels))])
    candidates = list(_candidates(lines, extent, mm_per_s, mm_per_mv))
    verdicts.append(required(rules.lengths((extent.end - extent.start[0]) / PX, bool(candidates))))
    deepest = max(len(each.layout.rows) for each in candidates)
    verdicts.append(required(_whole(traces, extent, slice(deepest))))
    verdicts.append(required(rules.unmarked(foreign_mm2(ink, traces, extent.inside))))
    fitting = [each for each in candidates if _obeys(each)]
    shares = {each.layout.name: contradiction(each.leads) for each in candidates}
    verdicts.append(required(rules.limb_leads(shares, [each.layout.name for each in fitting])))
    layout, seconds, leads = fitting[0]
    return Page(leads, seconds, layout.name, layout.columns, mm_per_mv, mm_per_s, tuple(verdicts))


_ROW_COUNTS = tuple(
    sorted({len(layout.rows) + strips for layout in LAYOUTS for strips in range(layout.strips + 1)})
)


def _ink_of(pixels: Pixels) -> tuple[Ink, list[Verdict]]:
    """The ink of a page with a grid, put upright."""
    grid = find_grid(pixels)
    verdicts = [required(rules.grid_found(grid))]
    assert grid  # noqa: S101 - else the rule has failed
    verdicts.append(required(rules.upright(grid)))
    ink = find_ink(upright(pixels, grid))
    verdicts.append(required(rules.told_from_grid(ink is not None)))
    assert ink  # noqa: S101 - else the rule has failed
    return ink, verdicts


def _moderate(pixels: Pixels) -> Pixels:
    factor = -(-max(pixels.shape[:2]) // _LONGEST_PX)
    return pixels if factor == 1 else np.asarray(Image.fromarray(pixels).reduce(factor))


def _line(traces: Traces, row: int, pen: float) -> NDArray[np.float64]:
    """The line of a row in pixels from above; small gaps are bridged."""
    top, bottom = traces.top[row], traces.bottom[row]
    here = ~np.isnan(top)
    places = np.arange(len(top))
    if not here.any():
        return np.full(len(top), np.nan)
    top, bottom = (np.interp(places, places[here], end[here]) for end in (top, bottom))
    return curve(top, bottom, pen)


def _candidates(
    lines: NDArray[np.float64], extent: Extent, mm_per_s: float, mm_per_mv: float
) -> Iterator[_Candidate]:
    """The layouts that have so many rows of such a length, with the leads as each has them."""
    near = _END_MM * PX
    for layout in LAYOUTS:
        if not len(layout.rows) <= len(lines) <= len(layout.rows) + layout.strips:
            continue
        for seconds in _SECONDS:
            start = extent.end - seconds * layout.columns * mm_per_s * PX
            if extent.start[0] - near <= start <= extent.start[1] + near:
                if extent.start[0] == extent.start[1]:
                    start = (start + extent.start[0]) / 2
                heights_mm = _leads(lines, layout, start, seconds, mm_per_s)
                yield _Candidate(layout, seconds, heights_mm / mm_per_mv)


def _leads(
    lines: NDArray[np.float64], layout: Layout, start: float, seconds: float, mm_per_s: float
) -> Leads:
    """Twelve leads in mm, upwards, each at 0 in the median."""
    samples = round(seconds * RATE_HZ)
    leads = np.full((len(LEADS), samples * layout.columns), np.nan)
    wide = seconds * mm_per_s * PX
    centres = np.arange(lines.shape[1]) + 0.5
    for line, row in zip(lines, layout.rows, strict=False):
        for column, lead in enumerate(row):
            left = start + column * wide
            places = left + np.arange(samples) / RATE_HZ * mm_per_s * PX
            begin = left + PX * (_BORDER_MM if column else _END_OF_PEN_MM)
            last = column == layout.columns - 1
            end = left + wide - PX * (_END_OF_PEN_MM if last else _BORDER_MM)
            inside = np.clip(places, begin, end)
            heights = -np.interp(inside, centres, line) / PX
            leads[lead, column * samples : (column + 1) * samples] = heights - np.median(heights)
    return leads


def _obeys(candidate: _Candidate) -> bool:
    """Whether the limb leads are limb leads, and the chest leads not limb leads once more.

    On the left half of a page with six rows they would be.
    """
    layout, _, leads = candidate
    return contradiction(leads) <= rules.MOST_CONTRADICTION and not (
        layout is SIX_BY_TWO and contradiction(leads[LIMB:]) < rules.LEAST_CONTRADICTION
    )


def _whole(traces: Traces, extent: Extent, rows: slice) -> Verdict:
    """Whether the rows of leads are whole; strips below may be anything."""
    absent = np.isnan(traces.top[rows, extent.inside])
    gaps_mm = np.array([longest_run(row)[1] for row in absent]) / PX
    return rules.whole(gaps_mm, int(traces.shared[rows, extent.inside].sum()))
