"""What the views show of the haemodynamics: measured in the painted echo levels."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.phantom import haemodynamics
from inference.phantom.anatomy import Anatomy
from inference.phantom.anatomy import draw as draw_heart
from inference.phantom.canvas import BLOOD_DB, TISSUE_DB, Canvas
from inference.phantom.rhythm import Moment
from inference.phantom.views import View, paint

DIASTOLE, SYSTOLE = Moment(0, 0, 0), Moment(1, 0, 0)
STEP_CM = 0.05


def _heart(mpap_mmhg: float, pawp_mmhg: float = 10.0) -> Anatomy:
    state = haemodynamics.expected(mpap_mmhg, pawp_mmhg)
    return draw_heart(state, np.random.default_rng(0), spread=0, body=1.0)


def _painted(view: View, heart: Anatomy, now: Moment) -> Canvas:
    x, z = np.meshgrid(np.arange(-8, 8, STEP_CM), np.arange(0.3, 15, STEP_CM))
    canvas = Canvas(x.astype(np.float32), z.astype(np.float32), STEP_CM, TISSUE_DB)
    paint(view, canvas, heart, now)
    return canvas


def _blood(canvas: Canvas) -> NDArray[np.bool_]:
    return canvas.level_db < BLOOD_DB + 12


def _run(mask: NDArray[np.bool_], start: int) -> int:
    """Length of the run of True around an index."""
    low = start - int(np.argmin(mask[start::-1])) + 1
    high = start + int(np.argmin(mask[start:]))
    return high - low


def _eccentricity(mpap_mmhg: float, now: Moment) -> float:
    """The left ventricle's diameter along the septum over the one across it."""
    canvas = _painted(View.PSAX, _heart(mpap_mmhg), now)
    lengths = []
    for angle_deg in (125, 35):
        across = np.arange(-4, 4, 0.01)
        x = 1.35 + across * np.cos(np.deg2rad(angle_deg))
        z = 6.6 + across * np.sin(np.deg2rad(angle_deg))
        columns, rows = np.rint((x + 8) / STEP_CM), np.rint((z - 0.3) / STEP_CM)
        lengths.append(_run(_blood(canvas)[rows.astype(int), columns.astype(int)], 400))
    return lengths[0] / lengths[1]


def _right_over_left(mpap_mmhg: float) -> float:
    """Width of the right ventricle over the left, just above the valves."""
    canvas = _painted(View.A4C, _heart(mpap_mmhg), DIASTOLE)
    row = int((8.0 - 0.3) / STEP_CM)
    blood = _blood(canvas)[row]
    edges = np.flatnonzero(np.diff(blood.astype(int)))
    runs = [(b - a) for a, b in zip(edges[::2], edges[1::2], strict=False) if b - a > 10]
    return float(runs[0] / runs[-1])


def _vein_cm(mpap_mmhg: float, inspiration: float) -> float:
    canvas = _painted(View.SCIVC, _heart(mpap_mmhg), Moment(0, 0, inspiration))
    column = _blood(canvas)[:, int((8 - 2.0) / STEP_CM)]
    return float(column[int(5.0 / STEP_CM) : int(8.0 / STEP_CM)].sum() * STEP_CM)


def test_psax_shows_a_round_ventricle_at_low_and_a_d_at_high_pressure() -> None:
    assert _eccentricity(15, SYSTOLE) == pytest.approx(1.0, abs=0.12)
    assert _eccentricity(55, SYSTOLE) > 1.4
    assert _eccentricity(55, SYSTOLE) > _eccentricity(55, DIASTOLE)


def test_a4c_shows_a_right_ventricle_that_grows_past_the_left() -> None:
    assert _right_over_left(15) < 0.6
    assert _right_over_left(75) > 1.0
    assert _right_over_left(15) < _right_over_left(35) < _right_over_left(55)


def test_the_vena_cava_collapses_at_low_and_stays_full_at_high_pressure() -> None:
    assert _vein_cm(15, 0) < _vein_cm(60, 0)
    assert _vein_cm(15, 1) < 0.6 * _vein_cm(15, 0)
    assert _vein_cm(60, 1) > 0.6 * _vein_cm(60, 0)


def test_plax_shows_the_outflow_tract_and_the_left_atrium() -> None:
    tract = []
    for mpap in (15, 55):
        column = _blood(_painted(View.PLAX, _heart(mpap), DIASTOLE))[:, 160]
        tract.append(_run(column, int(np.argmax(column))))
    atrium = [
        _blood(_painted(View.PLAX, _heart(35, pawp), DIASTOLE))[int(8 / STEP_CM) :, 240].sum()
        for pawp in (8, 25)
    ]
    assert tract[1] > 1.2 * tract[0]
    assert atrium[1] > 1.1 * atrium[0]


def test_the_suprasternal_view_says_nothing_about_pressure() -> None:
    low, high = (_painted(View.SSN, _heart(mpap), SYSTOLE).level_db for mpap in (15, 60))
    assert np.array_equal(low, high)


def test_the_two_chamber_view_does_not_see_the_right_heart() -> None:
    heart = _heart(15)
    sick = replace(heart, rv_lv_ratio=1.5, eccentricity_systole=1.8, ra_cm=6.0, tapse_cm=1.0)
    shown = [_painted(View.A2C, each, SYSTOLE).level_db for each in (heart, sick)]
    assert np.array_equal(shown[0], shown[1])


@pytest.mark.parametrize("view", View)
@pytest.mark.parametrize("mpap_mmhg", [10, 40, 88])
def test_every_view_holds_blood_and_tissue_at_any_pressure(view: View, mpap_mmhg: float) -> None:
    for now in (DIASTOLE, SYSTOLE, Moment(0.3, 1, 1)):
        canvas = _painted(view, _heart(mpap_mmhg, 7), now)
        assert np.isfinite(canvas.level_db).all()
        assert 0.05 < _blood(canvas).mean() < 0.6
