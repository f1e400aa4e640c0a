"""From decoded frames to what the encoder sees."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from inference.errors import InstanceUnreadableError
from inference.ultrasound.preprocessing import crop, resize, to_square
from inference.ultrasound.regions import Bounds


def ramp(frames: int, rows: int, columns: int) -> np.ndarray:
    return np.broadcast_to(np.arange(columns, dtype=np.uint8), (frames, rows, columns)).copy()


def test_region_bounds_are_inclusive() -> None:
    region = crop(ramp(2, 10, 20), Bounds(3, 2, 7, 5))
    assert region.shape == (2, 4, 5)
    assert region[0, 0].tolist() == [3, 4, 5, 6, 7]


def test_region_bounds_beyond_the_image_are_clipped() -> None:
    assert crop(ramp(1, 10, 20), Bounds(15, 8, 99, 99)).shape == (1, 2, 5)


def test_a_region_outside_the_image_is_refused() -> None:
    with pytest.raises(InstanceUnreadableError):
        crop(ramp(1, 10, 20), Bounds(30, 30, 40, 40))


def test_a_wide_region_loses_both_sides_evenly() -> None:
    square = to_square(ramp(1, 4, 10))
    assert square.shape == (1, 4, 4)
    assert square[0, 0].tolist() == [3, 4, 5, 6]


def test_a_narrow_region_is_padded_with_black_evenly() -> None:
    square = to_square(np.full((1, 6, 3), 9, np.uint8))
    assert square[0, 0].tolist() == [0, 9, 9, 9, 0, 0]


@pytest.mark.parametrize(("height", "size"), [(481, 256), (100, 256), (256, 256)])
def test_resizing_gives_unit_range_in_the_asked_size(height: int, size: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, height, height), np.uint8)
    resized = resize(frames, size)
    assert resized.shape == (3, size, size)
    assert resized.dtype == np.float32
    assert resized.min() >= 0
    assert resized.max() <= 1


def test_resizing_to_the_same_size_changes_nothing() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (1, 32, 32), np.uint8)
    np.testing.assert_allclose(resize(frames, 32), frames / 255, atol=1e-6)


@pytest.mark.parametrize("height", [100, 433, 481])
def test_resizing_is_that_of_torch(height: int) -> None:
    frames = np.random.default_rng(2).integers(0, 256, (2, height, height), np.uint8)
    reference = functional.interpolate(
        torch.from_numpy(frames)[:, None].float() / 255,
        size=(256, 256),
        mode="bilinear",
        antialias=True,
    )[:, 0].numpy()
    np.testing.assert_allclose(resize(frames, 256), reference, atol=1e-5)


def test_shrinking_averages_over_what_it_leaves_out() -> None:
    checkerboard = np.indices((1, 64, 64)).sum(0).astype(np.uint8) % 2 * 255
    inner = resize(checkerboard, 16)[0, 2:-2, 2:-2]
    np.testing.assert_allclose(inner, 0.5, atol=0.02)
