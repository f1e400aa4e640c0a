"""Which leads cannot be used although they were recorded: flat, clipped or interrupted."""

import numpy as np
from numpy.typing import NDArray

from inference.ecg.cleaning import longest_run
from inference.ecg.leads import LIMB, Leads, with_values

_FLAT_MV = 0.03
#: A lead that keeps its exact highest or lowest value for so long, so often, so far from its
#: median, has met the end of its range.
_CLIPPED_S, _CLIPPED_TIMES, _CLIPPED_MV = 0.008, 3, 2.0

Flags = NDArray[np.bool_]


def flat(leads: Leads) -> Flags:
    """Leads without any wave; of (12, samples) in mV without wander. Not those without values."""
    there = with_values(leads)
    ranges = np.full(len(leads), np.inf)
    ranges[there] = np.nanmax(leads[there], axis=1) - np.nanmin(leads[there], axis=1)
    return ranges < _FLAT_MV


def clipped(leads: Leads, frequency_hz: float) -> Flags:
    """Leads cut off at the end of their range; of leads as they were recorded.

    Carts compute limb leads of each other, so one clipped limb lead spoils all of them.
    """
    fewest = max(round(_CLIPPED_S * frequency_hz), 3)
    found = np.array([_meets_end(lead, fewest) for lead in leads])
    found[:LIMB] |= found[:LIMB].any()
    return found


def interrupted(leads: Leads, fewest: int) -> Flags:
    """Leads of which no stretch of so many samples is without a gap; not those without values."""
    there = ~np.isnan(leads)
    return np.array([bool(row.any()) and longest_run(row)[1] < fewest for row in there])


def _meets_end(lead: NDArray[np.float64], fewest: int) -> bool:
    if np.isnan(lead).all():
        return False
    level = np.nanmedian(lead)
    for end in (np.nanmax(lead), np.nanmin(lead)):
        if abs(end - level) >= _CLIPPED_MV:
            edges = np.flatnonzero(np.diff(np.pad((lead == end).astype(int), 1)))
            if np.count_nonzero(edges[1::2] - edges[::2] >= fewest) >= _CLIPPED_TIMES:
                return True
    return False
