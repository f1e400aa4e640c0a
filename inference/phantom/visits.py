"""Who comes when: patients, their exams, and the catheter days around them."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

_FIRST_DAY = date(2020, 1, 6)
_STREAM = 1


@dataclass(frozen=True, slots=True)
class Visit:
    """One exam of one patient; `rhc_date` is None where no catheter was done."""

    exam: int
    patient: int
    return_visit: int
    exam_date: date
    rhc_date: date | None


def draw_visits(exams: int, seed: int) -> list[Visit]:
    """Draw the visits of a cohort, exam by exam, so that a longer cohort begins like a shorter one.

    One exam in six is the same patient's next. Nine catheters in ten lie within the published
    window of three months, most within days; 6 % lie beyond it and 4 % of exams have none.
    """
    visits: list[Visit] = []
    for exam in range(1, exams + 1):
        rng = np.random.default_rng([seed, exam, _STREAM])
        comes_back = rng.random() < 1 / 6
        previous = visits[-1] if visits else None
        if previous is not None and comes_back and previous.return_visit < 3:
            patient, count = previous.patient, previous.return_visit + 1
            day = previous.exam_date + timedelta(days=int(rng.integers(150, 420)))
        else:
            patient, count = (previous.patient if previous else 0) + 1, 0
            day = _FIRST_DAY + timedelta(days=int(rng.integers(0, 365 * 4)))
        visits.append(Visit(exam, patient, count, day, _catheter_day(day, rng)))
    return visits


def _catheter_day(exam_date: date, rng: np.random.Generator) -> date | None:
    chance = rng.random()
    if chance < 0.04:
        return None
    if chance < 0.10:
        days = int(rng.integers(110, 300))
    elif chance < 0.75:
        days = int(rng.integers(0, 8))
    else:
        days = int(rng.integers(8, 85))
    return exam_date + timedelta(days=int(rng.choice([-1, 1])) * days)
