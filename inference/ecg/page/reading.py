"""From the pixels of a page to the samples of its leads."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.ecg.cleaning import RATE_HZ, longest_run
from inference.ecg.leads import LEADS, LIMB, Leads
from inference.ecg.page import rules
from inference.ecg.page.calibration import Pulse, find_pulse, gain, speed
from inference.ecg.page.curve import curve, pen_px
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
#: A pulse stands within so much of an end of its row; a gap that a row may have, before the rest.
_PULSE_REACH, _ROW_GAP = 24 * PX, 4 * PX
#: How far ends of rows may be apart, and lie from where a layout has them.
_END_MM = 1.5
#: Left out at both ends, where traces begin and cease.
_MARGIN = PX // 2
#: Between a pulse and a trace that touches it.
_FOOT_MM = 6.0
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


@dataclass(frozen=True, slots=True)
class _Extent:
    """From where to where traces reach, in columns; `start` lies in the range that is given."""

    start: tuple[float, float]
    end: float

    @property
    def inside(self) -> slice:
        """The columns in which there must be traces, and nothing else that touches them."""
        return slice(round(self.start[1]) + _MARGIN, round(self.end) - _MARGIN)


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
    spans = [_span(~np.isnan(row)) for row in traces.top]
    pulses = _pulses(traces, spans, pen_px(traces))
    found = [pulse for pulse in pulses if pulse]
    mm_per_mv, mm_per_s = gain(found), speed(found)
    verdicts.append(required(rules.calibration(len(found), mm_per_mv, mm_per_s)))
    assert mm_per_mv and mm_per_s  # noqa: S101 - else the rule has failed
    pen = float(np.median([pulse.pen_px for pulse in found]))
    extent = _extent(traces, spans, pulses, pen)
    lines = np.stack([_line(traces, row, pen) for row in range(len(levels))])
    candidates = list(_candidates(lines, extent, mm_per_s, mm_per_mv))
    verdicts.append(required(rules.lengths((extent.end - extent.start[0]) / PX, bool(candidates))))
    verdicts.append(required(_whole(traces, extent)))
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


def _span(present: NDArray[np.bool_]) -> slice:
    """The longest part of a row without a large gap."""
    filled = present.copy()
    edges = np.flatnonzero(np.diff(np.r_[True, present, True].astype(int)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start <= _ROW_GAP and start > 0 and end < len(present):
            filled[start:end] = True
    start, length = longest_run(filled)
    return slice(start, start + length)


def _pulses(traces: Traces, spans: list[slice], pen: float) -> list[Pulse | None]:
    """The pulse of each row: those before the rows, or if there is none those after them."""
    for side in ("before", "after"):
        found: list[Pulse | None] = []
        for row, span in enumerate(spans):
            reach = min(_PULSE_REACH, span.stop - span.start)
            first = span.start if side == "before" else span.stop - reach
            part = slice(first, first + reach)
            pulse = find_pulse(traces.top[row, part], traces.bottom[row, part], pen)
            found.append(
                pulse and replace(pulse, left=pulse.left + first, right=pulse.right + first)
            )
        if any(found):
            return found
    return found


def _extent(traces: Traces, spans: list[slice], pulses: list[Pulse | None], pen: float) -> _Extent:
    """From where to where the traces of all rows reach, without pulses."""
    starts, ends = [], []
    for row, (span, pulse) in enumerate(zip(spans, pulses, strict=True)):
        present = ~np.isnan(traces.top[row])
        if pulse is None:
            continue
        if pulse.left - span.start < span.stop - pulse.right:
            behind = np.arange(pulse.right, min(pulse.right + round(_FOOT_MM * PX), span.stop))
            blank = behind[~present[behind]]
            if len(blank):
                start = blank[-1] + 1 + pen / 2
                starts.append((start, start))
            else:
                starts.append((pulse.right, pulse.right + _FOOT_MM * PX))
            ends.append(span.stop - pen / 2)
        else:
            starts.append((span.start + pen / 2,) * 2)
            before = np.arange(max(pulse.left - round(_FOOT_MM * PX), span.start), pulse.left)
            blank = before[~present[before]]
            ends.append((blank[0] if len(blank) else pulse.left) - pen / 2)
    low, high = np.median(np.array(starts), axis=0)
    return _Extent((float(low), float(high)), float(np.median(ends)))


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
    lines: NDArray[np.float64], extent: _Extent, mm_per_s: float, mm_per_mv: float
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


def _whole(traces: Traces, extent: _Extent) -> Verdict:
    absent = np.isnan(traces.top[:, extent.inside])
    gaps_mm = np.array([longest_run(row)[1] for row in absent]) / PX
    return rules.whole(gaps_mm, int(traces.shared[:, extent.inside].sum()))
