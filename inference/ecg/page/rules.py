"""Which pictures and documents are ECG pages, and which pages can be read without doubt.

Every rule has a name, a code of why an instance takes no part, and a sentence for the reader.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.ecg.page.grid import MOST_SKEW_DEGREES, Grid
from inference.errors import InstanceExcludedError
from inference.exclusions import reason
from inference.types import Code, Verdict

REASONS: Mapping[str, Code] = {
    "grid": reason("ECG_GRID_NOT_FOUND", "No grid of ECG paper found"),
    "upright": reason("ECG_PAGE_SKEWED", "ECG page lies too far askew"),
    "told_from_grid": reason("ECG_TRACE_FAINT", "ECG traces cannot be told from the grid"),
    "layout": reason("ECG_LAYOUT_UNCERTAIN", "Layout of the ECG page cannot be determined"),
    "calibration": reason("ECG_GAIN_UNCERTAIN", "Gain of the ECG page cannot be determined"),
    "traces": reason("ECG_TRACES_BROKEN", "ECG traces are interrupted or run into each other"),
    "unmarked": reason("ECG_PAGE_MARKED", "Writing touches the ECG traces"),
    "limb_leads": reason("ECG_PAGE_LEADS", "ECG leads are not those of a usual layout"),
}

#: Of the limb leads' voltage, so much may contradict Einthoven's law; of other leads most does.
MOST_CONTRADICTION, LEAST_CONTRADICTION = 0.35, 0.55
_LONGEST_GAP_MM = 0.8
#: Where a trace turns back within a column, a part of it is left over; letters are larger.
_MOST_FOREIGN_MM2 = 1.2


def required(verdict: Verdict) -> Verdict:
    """The verdict, if it is one that is passed.

    Raises:
        InstanceExcludedError: it is not.
    """
    if not verdict.passed:
        raise InstanceExcludedError(verdict, REASONS[verdict.rule])
    return verdict


def grid_found(grid: Grid | None) -> Verdict:
    """Rule: the page has the grid of ECG paper."""
    if grid is None:
        return Verdict("grid", False, "no regular grid, so neither time nor voltage is known")
    across, down = grid.px_per_mm
    return Verdict("grid", True, f"{across:.2f} x {down:.2f} pixels a mm")


def upright(grid: Grid) -> Verdict:
    """Rule: the page lies nearly straight."""
    detail = f"turned by {abs(grid.degrees):.1f} degrees, at most {MOST_SKEW_DEGREES:g} are read"
    return Verdict("upright", abs(grid.degrees) <= MOST_SKEW_DEGREES + 0.05, detail)


def told_from_grid(found: bool) -> Verdict:
    """Rule: traces are much darker than the grid."""
    detail = "darker than the grid" if found else "not darker than the grid: scan it in colour"
    return Verdict("told_from_grid", found, detail)


def rows(count: int, known: Sequence[int]) -> Verdict:
    """Rule: there are as many rows as a usual layout has."""
    usual = ", ".join(map(str, known))
    return Verdict("layout", count in known, f"{count} rows of traces; read are {usual}")


def calibration(pulses: int, gain: float | None, speed: float | None) -> Verdict:
    """Rule: pulses say how high 1 mV is and how wide 1 s."""
    if gain is None or speed is None:
        detail = f"{pulses} calibration pulses of unknown or different size"
        if not pulses:
            detail = "no calibration pulse before or after a row"
        return Verdict("calibration", False, detail)
    return Verdict("calibration", True, f"{gain:g} mm/mV, {speed:g} mm/s by {pulses} pulses")


def lengths(length_mm: float, fits: bool) -> Verdict:
    """Rule: a row is as long as leads of 2.5, 5 or 10 s beside each other are."""
    detail = f"rows of {length_mm:.0f} mm" + ("" if fits else ": not a whole page")
    return Verdict("layout", fits, detail)


def whole(gaps_mm: NDArray[np.float64], shared: int) -> Verdict:
    """Rule: every trace can be followed from its beginning to its end, and apart from others."""
    if shared:
        return Verdict("traces", False, "traces of neighbouring rows run into each other")
    longest = float(gaps_mm.max(initial=0.0))
    detail = f"longest gap {longest:.1f} mm, at most {_LONGEST_GAP_MM:g} mm"
    return Verdict("traces", longest <= _LONGEST_GAP_MM, detail)


def unmarked(foreign_mm2: float) -> Verdict:
    """Rule: nothing is written across the traces."""
    detail = f"{foreign_mm2:.1f} mm2 of other ink touch a trace, at most {_MOST_FOREIGN_MM2:g}"
    return Verdict("unmarked", foreign_mm2 <= _MOST_FOREIGN_MM2, detail)


def limb_leads(contradictions: Mapping[str, float], fitting: Sequence[str]) -> Verdict:
    """Rule: with one layout alone the limb leads obey Einthoven's law."""
    shares = ", ".join(f"{share:.0%} as {name}" for name, share in contradictions.items())
    detail = f"limb leads contradict each other by {shares}"
    return Verdict("limb_leads", len(fitting) == 1, "; ".join([*fitting, detail]))
