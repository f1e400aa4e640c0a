"""What a loop looks like in plain numbers."""

import numpy as np
import pytest

from inference.ultrasound.appearance import SIZE, appearance, mirrored

RNG = np.random.default_rng(3)


def moving(size: int = 64, frames: int = 10) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Speckle under a gradient that drifts."""
    ramp = np.linspace(0, 1, size)[None, :, None] * np.linspace(0.4, 0.6, frames)[:, None, None]
    return (ramp + 0.1 * RNG.random((frames, size, size))).astype(np.float32)


@pytest.mark.parametrize("size", [32, 64, 256])
@pytest.mark.parametrize("frames", [1, 10])
def test_it_is_as_many_finite_numbers_for_every_size(size: int, frames: int) -> None:
    found = appearance(moving(size, frames))
    assert found.shape == (SIZE,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_cached_frames_look_like_those_they_were_made_from() -> None:
    frames = moving()
    cached = np.rint(frames * 255).astype(np.uint8).astype(np.float32) / 255
    assert appearance(cached) == pytest.approx(appearance(frames), abs=1e-6)


def test_a_still_an_upturned_and_a_smoothed_loop_look_otherwise() -> None:
    frames = moving()
    smooth = frames.reshape(10, 32, 2, 32, 2).mean(axis=(2, 4)).repeat(2, 1).repeat(2, 2)
    for other in (frames[:1].repeat(10, 0), frames[:, ::-1], smooth, frames * 0.5):
        assert np.abs(appearance(other) - appearance(frames)).max() > 0.2


@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_a_picture_of_one_grey_has_an_appearance_too(grey: float) -> None:
    assert np.isfinite(appearance(np.full((10, 64, 64), grey, np.float32))).all()


@pytest.mark.parametrize("size", [32, 64, 256])
def test_that_of_a_mirrored_loop_follows_without_its_pixels(size: int) -> None:
    frames = moving(size) * np.linspace(0.2, 1, size, dtype=np.float32)
    features = appearance(frames)[None]
    [other] = mirrored(features)
    assert other == pytest.approx(appearance(frames[:, :, ::-1]), abs=1e-5)
    assert np.abs(other - features[0]).max() > 0.1
    assert mirrored(mirrored(features)).tolist() == features.tolist()
