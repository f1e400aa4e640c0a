"""The patients of a cohort: the same for every kind of phantom of one seed."""

from dataclasses import dataclass

import numpy as np

from inference.phantom import anatomy, haemodynamics
from inference.phantom.haemodynamics import Haemodynamics

_STREAM = 2


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient at one visit; `body` is the size of the heart, the same at every visit."""

    body: float
    truth: Haemodynamics


def draw_patient(seed: int, patient: int, return_visit: int = 0) -> Patient:
    """Draw a patient; later visits follow from the earlier ones."""
    course = np.random.default_rng([seed, patient, _STREAM])
    body = anatomy.draw_body(course)
    truth = haemodynamics.draw(course)
    for _ in range(return_visit):
        truth = haemodynamics.later(truth, course)
    return Patient(body, truth)
