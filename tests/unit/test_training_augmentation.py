"""Rotation, scale and shift: one draw per loop, black beyond the border."""

import numpy as np
import torch

from inference.training.augmentation import as_frames, augment, draw
from inference.training.recipe import Augmentation

NONE = Augmentation(rotation_deg=0.0, scale=0.0, shift=0.0)


def maps(limits: Augmentation, loops: int = 200) -> torch.Tensor:
    return torch.from_numpy(draw(loops, limits, np.random.default_rng(0)))


def spot(row: int, column: int) -> torch.Tensor:
    clip = torch.zeros(1, 1, 64, 64)
    clip[0, 0, row, column] = 1.0
    return clip


def centre(clip: torch.Tensor) -> tuple[float, float]:
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    mass = clip[0, 0]
    return float((mass * rows).sum() / mass.sum()), float((mass * columns).sum() / mass.sum())


def test_without_limits_nothing_moves() -> None:
    clips = torch.rand(3, 5, 32, 32)
    assert torch.allclose(augment(clips, maps(NONE, 3)), clips, atol=1e-5)


def test_every_frame_of_a_loop_moves_alike_and_loops_move_apart() -> None:
    clips = torch.rand(1, 1, 32, 32).expand(2, 4, 32, 32)
    moved = augment(clips, maps(Augmentation(), 2))
    assert torch.equal(moved[:, 0], moved[:, 3])
    assert not torch.allclose(moved[0], moved[1])


def test_draws_stay_within_the_limits_and_use_them() -> None:
    drawn = maps(Augmentation()).double().numpy()
    scale = 1 / np.hypot(drawn[:, 0, 0], drawn[:, 1, 0])
    angle = np.rad2deg(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    shift = drawn[:, :, 2] / 2
    for values, limit in ((scale - 1, 0.1), (angle, 15), (shift, 0.1)):
        assert np.abs(values).max() <= limit + 1e-6
        assert values.min() < -0.9 * limit
        assert values.max() > 0.9 * limit


def test_a_shift_moves_by_its_share_of_the_side() -> None:
    shift = torch.tensor([[[1.0, 0, 0.2], [0, 1, 0]]])  # a tenth of two
    row, column = centre(augment(spot(32, 32), shift))
    assert (round(row, 2), round(column, 2)) == (32.0, 25.6)


def test_what_comes_from_outside_is_black() -> None:
    shift = torch.tensor([[[1.0, 0, 1.0], [0, 1, 0]]])  # half the side
    moved = augment(torch.ones(1, 1, 64, 64), shift)
    assert moved[0, 0, :, 40:].max() == 0
    assert moved[0, 0, :, :31].min() > 0.99


def test_frames_become_grey_between_0_and_1() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8)
    assert as_frames(pixels).tolist() == [0.0, 0.20000000298023224, 1.0]
