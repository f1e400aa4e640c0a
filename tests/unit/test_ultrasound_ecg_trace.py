"""R waves read from the ECG that a cart draws."""

import numpy as np
import pytest

from inference.ultrasound.ecg_trace import r_wave_frames
from tests.unit.ecg_strips import FRAMES, HEIGHT, WIDTH, Style, draw

SAMPLED = np.unique(np.linspace(0, FRAMES - 1, 9).round().astype(int)).tolist()
R_WAVES = (4.0, 19.0, 34.0)


@pytest.mark.parametrize("inverted", [False, True], ids=["upright", "upside down"])
@pytest.mark.parametrize("style", [Style.MARKER, Style.GROWING, Style.SWEEP])
def test_the_r_waves_of_a_clip_are_found_to_a_frame(style: Style, inverted: bool) -> None:
    before = (R_WAVES[0] - 15 * k for k in (3, 2, 1))
    strips = draw(style, (*before, *R_WAVES), SAMPLED, inverted=inverted)
    found = [wave for wave in r_wave_frames(strips, SAMPLED) if wave >= 0]
    assert found == pytest.approx(R_WAVES, abs=1.0)


def test_a_trace_over_moving_tissue_is_found_by_its_colour() -> None:
    strips = draw(Style.MARKER, R_WAVES, SAMPLED)
    noise = np.random.default_rng(1).integers(0, 90, (*strips.shape[:3], 1), np.uint8)
    found = r_wave_frames(np.where(strips.any(axis=-1, keepdims=True), strips, noise), SAMPLED)
    assert found == pytest.approx(R_WAVES, abs=1.0)


def test_a_white_trace_is_found_by_its_brightness() -> None:
    strips = draw(Style.GROWING, R_WAVES, SAMPLED)
    white = np.repeat(strips.max(axis=-1, keepdims=True), 3, axis=-1)
    assert r_wave_frames(white, SAMPLED) == pytest.approx(R_WAVES, abs=1.0)


def test_a_trace_in_which_nothing_tells_the_moment_is_not_read() -> None:
    assert r_wave_frames(draw(Style.STANDING, R_WAVES, SAMPLED), SAMPLED) == ()


def test_a_flat_trace_has_no_r_waves() -> None:
    assert r_wave_frames(draw(Style.MARKER, (), SAMPLED), SAMPLED) == ()


def test_too_few_frames_tell_nothing() -> None:
    assert r_wave_frames(draw(Style.MARKER, R_WAVES, [0, 39]), [0, 39]) == ()


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_not_read_as_a_steady_trace(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 255, (9, HEIGHT, WIDTH, 3), np.uint8)
    assert r_wave_frames(noise, SAMPLED) == ()
