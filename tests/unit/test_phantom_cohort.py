"""The invented cohort: pressures, hearts, visits and catheters."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.phantom import PRESETS, haemodynamics
from inference.phantom.anatomy import draw as draw_heart
from inference.phantom.exams import draw_exam
from inference.phantom.visits import draw_visits


def _generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_pressures_are_spread_like_the_published_cohort() -> None:
    rng = _generator()
    cohort = [haemodynamics.draw(rng) for _ in range(4000)]
    mpap = np.array([state.mpap_mmhg for state in cohort])
    pawp = np.array([state.pawp_mmhg for state in cohort])
    pvr = np.array([state.pvr_wu for state in cohort])
    assert np.mean(mpap) == pytest.approx(36, abs=3)
    assert np.std(mpap) == pytest.approx(16, abs=2)
    assert np.mean(pawp) == pytest.approx(12, abs=1.5)
    assert np.std(pawp) == pytest.approx(5, abs=1)
    assert np.mean(pvr) == pytest.approx(6, abs=1.5)
    assert np.mean(mpap <= 20) == pytest.approx(0.25, abs=0.05)


@given(seed=st.integers(0, 2**32), noise=st.sampled_from([0.0, 9.0]))
def test_every_patient_and_every_catheter_is_physically_possible(seed: int, noise: float) -> None:
    rng = _generator(seed)
    state = haemodynamics.later(haemodynamics.draw(rng), rng)
    catheter = haemodynamics.measure(state, noise, rng)
    assert 8 <= state.mpap_mmhg <= 90
    assert state.pawp_mmhg + 1.9 < state.mpap_mmhg
    assert state.pvr_wu > 0
    assert catheter.pawp_mmhg < catheter.mpap_mmhg
    assert catheter.pvr_wu > 0


def test_the_catheter_differs_from_the_truth_by_the_presets_noise() -> None:
    rng = _generator()
    state = haemodynamics.expected(40)
    for preset in PRESETS.values():
        noise = preset.label_noise_mmhg
        measured = [haemodynamics.measure(state, noise, rng).mpap_mmhg for _ in range(1500)]
        assert np.std(measured) == pytest.approx(noise, abs=0.06 * noise)


def test_tricuspid_velocity_is_missing_in_a_quarter_of_the_exams() -> None:
    rng = _generator()
    state = haemodynamics.expected(40)
    missing = [haemodynamics.measure(state, 0, rng).trvmax_m_s is None for _ in range(2000)]
    assert np.mean(missing) == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize(("mpap", "pawp"), [(400, 10), (20, 19), (5, 2)])
def test_impossible_pressures_are_refused(mpap: float, pawp: float) -> None:
    with pytest.raises(ValueError, match="impossible pressures"):
        haemodynamics.expected(mpap, pawp)


def test_the_right_heart_suffers_with_rising_pressure() -> None:
    low, high = (
        draw_heart(haemodynamics.expected(mpap), _generator(), spread=0) for mpap in (15, 55)
    )
    assert high.rv_lv_ratio > 1 > low.rv_lv_ratio
    assert high.eccentricity_systole > 1.3
    assert low.eccentricity_systole < 1.1
    assert high.tapse_cm < 1.7 < low.tapse_cm
    assert high.rv_area_change < low.rv_area_change
    assert high.ivc_cm > low.ivc_cm
    assert high.ivc_collapse < low.ivc_collapse


def test_wedge_pressure_shows_in_the_left_atrium() -> None:
    healthy, congested = (
        draw_heart(haemodynamics.expected(35, pawp), _generator(), spread=0) for pawp in (8, 25)
    )
    assert congested.la_cm > healthy.la_cm + 1


def test_an_exam_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    preset = PRESETS["realistic"]
    exam = draw_exam(preset, 7, patient=3, exam=4)
    assert draw_exam(preset, 7, patient=3, exam=4) == exam
    assert draw_exam(preset, 8, patient=3, exam=4).truth != exam.truth


def test_a_patient_keeps_the_body_but_not_the_pressure() -> None:
    first = draw_exam(PRESETS["easy"], 1, patient=1, exam=1)
    second = draw_exam(PRESETS["easy"], 1, patient=1, exam=2, return_visit=1)
    assert second.heart.body == first.heart.body
    assert second.truth.mpap_mmhg != first.truth.mpap_mmhg
    assert abs(second.truth.mpap_mmhg - first.truth.mpap_mmhg) < 30


def test_some_patients_come_back_and_some_catheters_are_late_or_missing() -> None:
    visits = draw_visits(1000, seed=1)
    patients = {visit.patient for visit in visits}
    days = [abs(v.exam_date - v.rhc_date) for v in visits if v.rhc_date is not None]
    assert [visit.exam for visit in visits] == list(range(1, 1001))
    assert 780 < len(patients) < 880
    assert 20 < sum(visit.rhc_date is None for visit in visits) < 65
    assert 0.03 < np.mean([gap > timedelta(days=92) for gap in days]) < 0.10
    assert np.mean([gap <= timedelta(days=7) for gap in days]) > 0.5


def test_a_longer_cohort_begins_like_a_shorter_one() -> None:
    assert draw_visits(50, seed=3)[:20] == draw_visits(20, seed=3)
