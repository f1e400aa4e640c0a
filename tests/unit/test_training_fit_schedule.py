"""The learning rate follows from the share of all steps that is done."""

import pytest

from inference.training.fit import learning_rate
from inference.training.recipe import Optimisation


def test_the_papers_rate_stays() -> None:
    assert {learning_rate(Optimisation(), done) for done in (0, 0.5, 0.999)} == {1.0}


def test_one_cycle_rises_for_a_fifth_and_falls_to_almost_nothing() -> None:
    how = Optimisation(schedule="one-cycle")
    rates = [learning_rate(how, step / 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates.index(max(rates)) == 20
    assert max(rates) == 1.0
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert 0 < rates[-1] < 0.002
