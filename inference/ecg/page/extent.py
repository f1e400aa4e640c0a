"""From where to where on a page the traces reach, and the pulses before or after them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.ecg.cleaning import longest_run
from inference.ecg.page.calibration import Pulse, find_pulse
from inference.ecg.page.curve import pen_px
from inference.ecg.page.tracing import Traces
from inference.ecg.page.upright import PX

#: A pulse stands within so much of an end of its row, and a gap that it leaves is shorter.
_REACH, _GAP = 24 * PX, 4 * PX
#: How far from its pulse a trace may begin that touches it.
_FOOT = 6 * PX
#: Left out at both ends, where traces begin and cease.
_MARGIN = PX // 2


@dataclass(frozen=True, slots=True)
class Row:
    """The columns in which a row has ink, its pulse included; `present` where it has some."""

    present: NDArray[np.bool_]
    span: slice
    pulse: Pulse | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """From where to where traces reach, in columns; they begin within the range of `start`."""

    start: tuple[float, float]
    end: float

    @property
    def inside(self) -> slice:
        """The columns in which there must be traces, and nothing else that touches them."""
        return slice(round(self.start[1]) + _MARGIN, round(self.end) - _MARGIN)


def rows_of(traces: Traces) -> list[Row]:
    """Each row with its pulse: those before the rows, or if there is none those after them."""
    present = ~np.isnan(traces.top)
    rows = [Row(here, _span(here)) for here in present]
    pen = pen_px(traces)
    before = [_with_pulse(row, traces, n, pen, before=True) for n, row in enumerate(rows)]
    if any(row.pulse for row in before):
        return before
    return [_with_pulse(row, traces, n, pen, before=False) for n, row in enumerate(rows)]


def extent_of(rows: Sequence[Row], pen: float) -> Extent:
    """From where to where the traces reach, by the rows that have a pulse, without it."""
    ends = np.array([_ends(row, row.pulse, pen) for row in rows if row.pulse])
    low, high, end = np.median(ends, axis=0)
    return Extent((float(low), float(high)), float(end))


def _span(present: NDArray[np.bool_]) -> slice:
    """The longest part of a row without a large gap."""
    filled = present.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[True], present, [True]]).astype(int)))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start <= _GAP and start > 0 and end < len(present):
            filled[start:end] = True
    start, length = longest_run(filled)
    return slice(start, start + length)


def _with_pulse(row: Row, traces: Traces, number: int, pen: float, *, before: bool) -> Row:
    reach = min(_REACH, row.span.stop - row.span.start)
    first = row.span.start if before else row.span.stop - reach
    part = slice(first, first + reach)
    pulse = find_pulse(traces.top[number, part], traces.bottom[number, part], pen)
    if pulse is None:
        return row
    moved = replace(pulse, left=pulse.left + first, right=pulse.right + first)
    return replace(row, pulse=moved)


def _ends(row: Row, pulse: Pulse, pen: float) -> tuple[float, float, float]:
    """The first and the last column in which a row's trace may begin, and where it ends."""
    span = row.span
    if pulse.left - span.start < span.stop - pulse.right:
        behind = np.arange(pulse.right, min(pulse.right + _FOOT, span.stop))
        blank = behind[~row.present[behind]]
        end = span.stop - pen / 2
        if not len(blank):
            return pulse.right, pulse.right + _FOOT, end
        start = float(blank[-1]) + 1 + pen / 2
        return start, start, end
    ahead = np.arange(max(pulse.left - _FOOT, span.start), pulse.left)
    blank = ahead[~row.present[ahead]]
    start = span.start + pen / 2
    return start, start, (float(blank[0]) if len(blank) else pulse.left) - pen / 2
