"""Flow told from tint and overlay."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.ultrasound.colour import flow_share
from inference.ultrasound.inspection import grey_tissue

SIZE, FRAMES = 160, 6


def speckle(seed: int = 1) -> NDArray[np.uint8]:
    """B-mode: grey speckle that moves, RGB (k, h, w, 3)."""
    grey = np.random.default_rng(seed).gamma(1.5, 40, (FRAMES, SIZE, SIZE, 1)).clip(0, 255)
    return np.repeat(grey, 3, axis=-1).astype(np.uint8)


def with_flow(share: float, colour: tuple[int, int, int] = (200, 30, 20)) -> NDArray[np.uint8]:
    """A jet of that share of the picture, in every second frame."""
    frames = speckle()
    side = round(SIZE * share**0.5)
    frames[::2, 40 : 40 + side, 40 : 40 + side] = colour
    return frames


def test_grey_tissue_has_no_flow() -> None:
    assert flow_share(speckle()) == 0


@pytest.mark.parametrize(
    "tint", [(1.0, 0.85, 0.6), (0.8, 0.85, 1.0), (1.0, 0.75, 0.35)], ids=["sepia", "blue", "amber"]
)
def test_a_tint_is_no_flow(tint: tuple[float, float, float]) -> None:
    tinted = speckle() * np.array(tint)
    assert flow_share(tinted.astype(np.uint8)) == 0


def test_a_tint_of_the_middle_greys_is_no_flow() -> None:
    grey = speckle().astype(np.float64) / 255
    bent = 255 * grey ** np.array([0.8, 1.0, 1.25])
    assert flow_share(bent.astype(np.uint8)) == 0


def test_standing_and_thin_overlays_are_no_flow() -> None:
    frames = speckle()
    frames[:, 5:25, 5:25] = (240, 150, 20)
    frames[:, 150, :] = (20, 220, 60)
    for number, frame in enumerate(frames):
        frame[120:150, 20 * number : 20 * number + 3] = (20, 220, 60)
    assert flow_share(frames) == 0


@pytest.mark.parametrize("colour", [(200, 30, 20), (20, 60, 220), (90, 10, 5), (240, 220, 40)])
def test_flow_is_found_in_any_direction_and_strength(colour: tuple[int, int, int]) -> None:
    assert flow_share(with_flow(0.05, colour)) > 0.02


def test_flow_is_found_in_a_tinted_picture() -> None:
    frames = with_flow(0.05)
    frames[1::2] = (frames[1::2] * np.array((1.0, 0.85, 0.6))).astype(np.uint8)
    assert flow_share(frames) > 0.02


def test_a_black_picture_has_no_flow() -> None:
    assert flow_share(np.zeros((2, 30, 30, 3), np.uint8)) == 0
    assert flow_share(np.full((2, 3, 3, 3), 200, np.uint8)) == 0


@pytest.mark.parametrize(
    ("share", "signs", "is_grey"),
    [
        (0, [], True),
        (0, ["Image Type"], True),
        (0, ["Image Type", "Ultrasound Color Data Present"], False),
        (0.006, [], True),
        (0.006, ["Image Type"], False),
        (0.05, [], False),
    ],
)
def test_pixels_and_header_are_weighed(share: float, signs: list[str], is_grey: bool) -> None:
    frames = with_flow(share) if share else speckle()
    verdict = grey_tissue(frames, signs)
    assert verdict.passed == is_grey
    assert all(sign in verdict.detail for sign in signs)
