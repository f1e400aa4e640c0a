"""From echo levels to grey pictures: the sector, the speckle, the screen."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.phantom import SIZES, exam_at, make_exam
from inference.phantom.cine import frames, sector_of
from inference.phantom.exams import image_exam
from inference.phantom.scan import Sector
from inference.phantom.screen import Screen
from inference.phantom.speckle import Quality, Speckle

SECTOR = Sector(depth_cm=15, angle_rad=1.4, samples=160, beams=80, height=120, width=154)


def test_the_sector_is_black_outside_and_keeps_an_even_grey_inside() -> None:
    picture = SECTOR.convert(np.full((160, 80), 200, np.float32))
    assert picture.shape == (120, 154)
    assert set(np.unique(picture)) == {0, 200}
    assert picture[0, 0] == picture[119, 0] == picture[1, 153] == 0
    assert picture[60, 77] == 200


def test_depth_grows_downwards_and_beams_run_from_left_to_right() -> None:
    deep = np.repeat(np.linspace(0, 250, 160, dtype=np.float32)[:, None], 80, axis=1)
    right = np.repeat(np.linspace(50, 250, 80, dtype=np.float32)[None], 160, axis=0)
    column = SECTOR.convert(deep)[10:115, 77].astype(int)
    row = SECTOR.convert(right)[90, 40:115].astype(int)
    assert np.all(np.diff(column) > 0)
    assert np.all(np.diff(row) >= 0)


def _contrast(quality: Quality) -> float:
    """Mean grey of muscle less that of blood, at the same depth and in the same exam."""
    rng = np.random.default_rng(4)
    speckle = Speckle(SECTOR, quality, gain_db=0, rng=rng)
    level = np.full((160, 80), -25, np.float32)
    level[60:110, 20:60] = -64
    grey = speckle.grey(level, 0)
    return float(grey[60:110, 64:76].mean() - grey[70:100, 30:50].mean())


def test_a_worse_window_shows_less_contrast() -> None:
    good, acceptable, suboptimal = (_contrast(quality) for quality in Quality)
    assert good > acceptable > suboptimal
    assert good > 65


def test_speckle_is_speckle_and_drifts_in_time() -> None:
    speckle = Speckle(SECTOR, Quality.GOOD, gain_db=0, rng=np.random.default_rng(1))
    level = np.full((160, 80), -25, np.float32)
    pictures = [speckle.grey(level, 25)[40:120].ravel() for _ in range(12)]
    near = np.corrcoef(pictures[0], pictures[1])[0, 1]
    far = np.corrcoef(pictures[0], pictures[11])[0, 1]
    assert pictures[0].std() > 10
    assert near > 0.8
    assert far < near - 0.1


def test_a_loop_is_the_same_for_the_same_seed() -> None:
    loop = exam_at(40, seed=2, loops=1).loops[0]
    first, again = (list(frames(loop, SECTOR, [0, 40])) for _ in range(2))
    assert np.array_equal(first, again)


def test_an_exam_in_memory_has_loops_frames_and_labels() -> None:
    exam = make_exam(3, "realistic", size_px=48, frames_per_loop=5)
    assert exam.pixels.dtype == np.uint8
    assert exam.pixels.shape == (len(exam.views), 5, 48, 48)
    assert len(exam.qualities) == len(exam.views) >= 4
    assert np.array_equal(
        make_exam(3, "realistic", size_px=48, frames_per_loop=5).pixels, exam.pixels
    )
    assert exam.labels.mpap_mmhg > exam.labels.pawp_mmhg


def test_an_exam_of_chosen_pressure_says_so() -> None:
    shown = image_exam(exam_at(52, 9, seed=1, loops=2), size_px=32, frames_per_loop=2)
    assert shown.labels.mpap_mmhg == 52
    assert shown.labels.pawp_mmhg == 9
    assert shown.pixels.shape == (2, 2, 32, 32)


def test_unknown_words_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="easy, realistic, hard"):
        make_exam(1, "medium")
    with pytest.raises(ValueError, match="at least one loop"):
        exam_at(40, loops=0)


def _screen(name: str) -> tuple[Screen, NDArray[np.uint8]]:
    size = SIZES[name]
    probe = exam_at(40, loops=1).loops[0].probe
    sector = sector_of(probe, size.samples, size.beams, size.sector)
    screen = Screen(size, sector.width, sector.pixel_cm, 1500, (200, 1100))
    return screen, np.full((sector.height, sector.width), 77, np.uint8)


@pytest.mark.parametrize("name", SIZES)
def test_the_region_holds_the_sector_and_nothing_else(name: str) -> None:
    screen, sector = _screen(name)
    picture = screen.show(sector, 700)
    x0, y0, x1, y1 = screen.region
    assert picture.shape == (SIZES[name].rows, SIZES[name].columns, 3)
    assert np.all(picture[y0 : y1 + 1, x0 : x1 + 1] == 77)
    assert (picture == 77).all(axis=2).sum() == sector.size


@pytest.mark.parametrize("name", SIZES)
def test_the_ecg_and_its_cursor_lie_below_the_region(name: str) -> None:
    screen, sector = _screen(name)
    start, middle = screen.show(sector, 0), screen.show(sector, 750)
    below = screen.region[3] + 1
    moved = (start != middle).any(axis=2)
    green = (start[..., 1] > 200) & (start[..., 2] < 160) & (start[..., 0] < 120)
    assert moved[below:].any()
    assert not moved[:below].any()
    assert green[below:].any(axis=0).mean() > 0.8
    assert not green[:below].any()
