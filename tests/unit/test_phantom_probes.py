"""Probes: the same for the same seed, and what their names say."""

import numpy as np
import pytest

from inference.phantom import probes, textures
from inference.phantom.probes import Probe

SIZE = 32


@pytest.fixture(scope="module")
def known() -> list[np.ndarray]:
    """Two exams of two loops: a bright disc that beats inside a sector-like box."""
    rng = np.random.default_rng(0)
    exams = np.zeros((2, 2, probes.FRAMES, SIZE, SIZE), np.uint8)
    exams[..., 4:28, 6:30] = rng.integers(20, 90, (2, 2, probes.FRAMES, 24, 24))
    exams[:, :, ::2, 10:16, 8:14] = 200
    return list(exams)


@pytest.fixture(scope="module")
def changed(known: list[np.ndarray]) -> dict[str, Probe]:
    return {probe.name: probe for probe in probes.changed(known, seed=1)}


def test_the_same_seed_gives_the_same_probes_and_another_does_not(
    known: list[np.ndarray],
) -> None:
    def made(seed: int) -> list[Probe]:
        return [*probes.changed(known, seed), *probes.invented(SIZE, seed, exams=1)]

    first, again, other = made(1), made(1), made(2)
    for one, two in zip(first, again, strict=True):
        assert (one.group, one.name) == (two.group, two.name)
        assert all(np.array_equal(a, b) for a, b in zip(one.exams, two.exams, strict=True))
    drawn = {"every pixel by chance", "clouds", "wood", "liver", "foetal head"}
    for one, two in zip(first, other, strict=True):
        if one.name in drawn:
            assert not np.array_equal(one.exams[0], two.exams[0])


def test_every_probe_is_frames_as_the_encoder_sees_them(known: list[np.ndarray]) -> None:
    every = [*probes.changed(known, 1), *probes.invented(SIZE, 1, exams=1)]
    assert len({(probe.group, probe.name) for probe in every}) == len(every)
    for probe in every:
        for exam in probe.exams:
            assert exam.dtype == np.uint8
            assert exam.shape[1:] == (probes.FRAMES, SIZE, SIZE)
            assert exam.max() > 0, probe.name


def test_synthetic_hearts_come_from_every_preset_and_the_foreign_scanner() -> None:
    made = list(probes.scanned(SIZE, seed=1, exams=1))
    assert [(probe.group, probe.name) for probe in made] == [
        ("phantom presets", "easy"),
        ("phantom presets", "realistic"),
        ("phantom presets", "hard"),
        ("foreign scanner", "easy"),
    ]
    for probe in made:
        assert probe.exams[0].shape == (probes.LOOPS, probes.FRAMES, SIZE, SIZE)


def test_changed_loops_are_what_they_are_called(
    known: list[np.ndarray], changed: dict[str, Probe]
) -> None:
    loop = known[0][0]
    assert np.array_equal(changed["mirrored"].exams[0][0], loop[:, :, ::-1])
    assert np.array_equal(changed["upside down"].exams[0][0], loop[:, ::-1])
    assert np.ptp(changed["frozen"].exams[0][0], axis=0).max() == 0
    inverted = changed["contrast inverted"].exams[0][0]
    assert inverted[0, 12, 10] == 55
    assert inverted[:, :4].max() == 0  # outside the sector
    mixed = changed["grey levels of a loop mixed in its sector"].exams[0][0]
    assert np.array_equal(np.sort(mixed[3].ravel()), np.sort(loop[3].ravel()))
    assert not np.array_equal(mixed, loop)
    trace = changed["M-mode"].exams[0][0]
    assert np.array_equal(trace[0], trace[5])


def test_known_loops_are_left_as_they_were(known: list[np.ndarray]) -> None:
    before = [exam.copy() for exam in known]
    list(probes.changed(known, 3))
    assert all(np.array_equal(one, two) for one, two in zip(before, known, strict=True))


@pytest.mark.parametrize("name", [*textures.NATURAL, *textures.ORGANS])
def test_textures_move(name: str) -> None:
    make = {**textures.NATURAL, **textures.ORGANS}[name]
    loop = make(np.random.default_rng(5), 6, 48)
    assert np.ptp(loop.astype(int), axis=0).mean() > 3
