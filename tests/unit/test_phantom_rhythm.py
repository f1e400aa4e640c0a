"""R waves, phase and contraction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.phantom.rhythm import Rhythm, contraction, draw, inflow


def _rhythm(seed: int = 0, *, irregular: bool = False, rate: float = 60) -> Rhythm:
    return draw(
        np.random.default_rng(seed),
        heart_rate_bpm=rate,
        irregular=irregular,
        respiration_period_s=2.0,
        beats=3,
    )


def test_the_ventricle_fills_until_the_r_wave_and_empties_by_a_third_of_the_beat() -> None:
    assert contraction(0) == 0
    assert contraction(0.35) == pytest.approx(1)
    assert contraction(0.7) == 0


def test_the_valves_are_shut_while_the_ventricle_ejects() -> None:
    assert inflow(0.2) == inflow(0.35) == 0
    assert inflow(0.64) > 0.9
    assert inflow(0.8) < inflow(0.92)


def test_every_beat_starts_at_its_r_wave() -> None:
    rhythm = _rhythm()
    for r_wave in rhythm.r_waves_ms[1:]:
        assert rhythm.at(r_wave + 0.01).contraction == pytest.approx(0, abs=1e-6)


@given(
    seed=st.integers(0, 2**32),
    irregular=st.booleans(),
    rate=st.floats(48, 115),
    time_ms=st.floats(0, 2500),
)
def test_every_moment_is_a_possible_one(
    seed: int, irregular: bool, rate: float, time_ms: float
) -> None:
    now = _rhythm(seed, irregular=irregular, rate=rate).at(time_ms)
    assert 0 <= now.contraction <= 1
    assert 0 <= now.inflow <= 1
    assert 0 <= now.inspiration <= 1


@given(seed=st.integers(0, 2**32), irregular=st.booleans())
def test_the_loop_starts_before_an_r_wave_and_holds_whole_beats(seed: int, irregular: bool) -> None:
    before, *inside = _rhythm(seed, irregular=irregular).r_waves_ms
    assert before < 0 < inside[0] < 350
    assert np.all(np.diff(inside) >= 600)
    assert np.all(np.diff(inside) <= 1600)


def test_an_irregular_rhythm_varies_its_intervals() -> None:
    regular = np.diff(_rhythm().r_waves_ms)
    irregular = np.diff(_rhythm(irregular=True).r_waves_ms)
    assert np.std(regular) < 40 < np.std(irregular)
