"""What Einthoven's law says of leads that were printed side by side."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inference.ecg.leads import LIMB, Leads

#: Sums of I, II, III, aVR, aVL, aVF that are 0.
_LAWS = np.array(
    [
        [1, -1, 1, 0, 0, 0],
        [0, 0, 0, 1, 1, 1],
        [0.5, 0.5, 0, 1, 0, 0],
        [1, -0.5, 0, 0, -1, 0],
        [-0.5, 1, 0, 0, 0, -1],
    ]
)


def contradiction(leads: Leads) -> float:
    """How far six leads (6, samples) are from being limb leads: 0 not at all, about 1 for others.

    Of each law whose leads are there at one time, the voltage that is left, as a share of what
    unrelated leads would leave; the worst of all. 1 where no law can be asked.
    """
    return max(_left(leads[:LIMB]), default=1.0)


def _left(leads: Leads) -> Iterator[float]:
    for law in _LAWS:
        part = leads[law != 0]
        here = ~np.isnan(part).any(axis=0)
        if not here.any():
            continue
        weighted = _level(part[:, here]) * law[law != 0][:, None]
        yield float(
            np.std(weighted.sum(axis=0)) / (np.sqrt((weighted**2).mean(axis=1).sum()) + 1e-9)
        )


def _level(leads: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without offset and slope, which electrodes add to each lead."""
    time = np.linspace(-1, 1, leads.shape[1])
    slopes = (leads @ time) / (time @ time)
    level: NDArray[np.float64] = leads - leads.mean(axis=1, keepdims=True) - np.outer(slopes, time)
    return level
