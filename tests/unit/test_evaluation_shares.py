"""Wilson's intervals are the published ones and scipy's; exams of one patient count less."""

import numpy as np
import pytest
from scipy.stats import binomtest

from inference.training.evaluation.shares import Share, share_of, wilson


# Newcombe, Stat Med 1998;17:857-872, table I, method 3; the last is the paper's specificity.
@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (9, 37, 0.13, 0.40),
    ],
)
def test_wilsons_interval_is_the_published_one(
    count: int, of: int, low: float, high: float
) -> None:
    flags = np.arange(of) < count
    found = wilson(share_of(flags, np.arange(of)))
    digits = 0.01 if of == 37 else 0.00006
    assert found == (pytest.approx(low, abs=digits), pytest.approx(high, abs=digits))
    known = binomtest(count, of).proportion_ci(method="wilson")
    assert found == (pytest.approx(known.low, abs=1e-9), pytest.approx(known.high))


def test_none_of_four_is_not_certainly_none() -> None:
    low, high = wilson(share_of(np.zeros(4, dtype=bool), np.arange(4)))
    assert low == 0
    assert high == pytest.approx(0.490, abs=0.001)


@pytest.mark.parametrize("count", [0, 12, 20, 30])
def test_exams_that_repeat_their_patients_first_count_once(count: int) -> None:
    once = np.arange(30) < count
    twice, patients = np.repeat(once, 2), np.repeat(np.arange(30), 2)
    assert share_of(twice, patients).effective == pytest.approx(30, rel=0.04)
    assert share_of(once, np.arange(30)).effective == pytest.approx(30)


def test_unlike_exams_of_a_patient_do_not_narrow_the_interval() -> None:
    flags, patients = np.tile([True, False], 15), np.repeat(np.arange(15), 2)
    assert share_of(flags, patients) == Share(15, 30, 30.0)


def test_the_interval_covers_what_it_promises_with_patients_of_several_exams() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        patients = np.repeat(np.arange(40), rng.integers(1, 4, 40))
        own = rng.beta(0.8 * 2, 0.2 * 2, 40)[patients]
        low, high = wilson(share_of(rng.random(len(patients)) < own, patients))
        inside += low <= 0.8 <= high
    assert inside / 400 >= 0.92
