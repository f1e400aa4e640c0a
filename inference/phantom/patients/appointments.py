"""When the ECGs of a visit are recorded: mostly within days of the film."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from inference.phantom.visits import Visit

_STREAM = 31
#: Of ten visits one has no ECG, one an ECG that is too far away, and two have a second ECG.
_NONE, _FAR, _SECOND = 0.1, 0.2, 0.4
#: An ECG farther from its film than this does not belong to it.
_NEAR_DAYS = 7


@dataclass(frozen=True, slots=True)
class Appointment:
    """One ECG of a visit; numbers count from 1, the nearest first."""

    number: int
    date: date


def draw_appointments(seed: int, visit: Visit) -> list[Appointment]:
    """Draw the ECGs of a visit."""
    rng = np.random.default_rng([seed, visit.exam, _STREAM])
    chance = rng.random()
    if chance < _NONE:
        return []
    sides = rng.choice([-1, 1], 2)
    if chance < _FAR:
        days = [int(rng.integers(_NEAR_DAYS + 1, 30))]
    elif chance < _SECOND:
        days = [int(rng.integers(0, 3)), int(rng.integers(3, _NEAR_DAYS + 1))]
    else:
        days = [int(rng.integers(0, _NEAR_DAYS + 1))]
    return [
        Appointment(number, visit.exam_date + timedelta(days=int(side) * apart))
        for number, (side, apart) in enumerate(zip(sides, days, strict=False), start=1)
    ]
