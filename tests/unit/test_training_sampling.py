"""What a step sees: drawn from (seed, epoch, place) alone, dealt out to processes."""

import math

import numpy as np
import pytest

from inference.errors import TrainingDataError
from inference.training.cohort import CachedExam, CohortExam, CohortLoop
from inference.training.exams import Exams
from inference.training.recipe import Recipe, parse_recipe
from inference.training.sampling import MicroBatch, Sampler


def exams(count: int = 10, *, loops: int = 3, frames: int = 10) -> Exams:
    """Exams whose every pixel tells exam, loop and frame."""
    made = []
    for number in range(count):
        truth = {
            "mpap_mmhg": 10.0 + number,
            "pvr_wu": math.nan if number % 2 else 3.0,
            "pawp_mmhg": 9.0,
        }
        listed = tuple(CohortLoop(f"{k}.dcm", f"2.25.{k}", {}) for k in range(loops))
        exam = CohortExam(f"E{number}", f"P{number}", "train", truth, math.nan, listed)
        told = 100 * number + 10 * np.arange(loops)[:, None] + np.arange(frames)
        pixels = np.broadcast_to(told[..., None, None], (loops, frames, 4, 4))
        made.append(CachedExam(exam, listed, pixels.astype(np.uint16)))
    return Exams(made, range(count))


def recipe(extra: str = "") -> Recipe:
    return parse_recipe(f"name = 'x'\n[sampling]\nexams = 4\nloops = 2\nframes = 3\n{extra}", "x")


def steps(
    epoch: int = 0, *, extra: str = "", rank: int = 0, world: int = 1, cohort: Exams | None = None
) -> list[list[MicroBatch]]:
    sampler = Sampler(
        recipe(extra), cohort or exams(), ["mPAP", "PVR"], seed=1, rank=rank, world=world
    )
    count = sampler.count()
    found = list(sampler.steps(epoch * count, count))
    assert len(found) == count
    return found


def seen(found: list[list[MicroBatch]]) -> list[int]:
    """The exams in the order in which they were seen."""
    return [int(row[0] - 10) for parts in found for part in parts for row in part.truth]


def test_an_epoch_sees_every_exam_once_and_the_next_one_in_another_order() -> None:
    assert sorted(seen(steps(0))) == list(range(10))
    assert sorted(seen(steps(1))) == list(range(10))
    assert seen(steps(0)) != seen(steps(1))


def test_an_epoch_drawn_again_is_the_same_to_the_last_number() -> None:
    for first, second in zip(steps(3), steps(3), strict=True):
        for one, other in zip(first, second, strict=True):
            assert np.array_equal(one.pixels, other.pixels)
            assert np.array_equal(one.maps, other.maps)


def test_steps_are_counted_on_from_one_epoch_into_the_next() -> None:
    sampler = Sampler(recipe(), exams(), ["mPAP", "PVR"], seed=1)
    whole = seen([*steps(0), *steps(1), *steps(2)])
    assert seen(list(sampler.steps(0, 9))) == whole
    assert seen([*sampler.steps(0, 2), *sampler.steps(2, 5), *sampler.steps(7, 2)]) == whole
    assert list(sampler.steps(4, 0)) == []


def test_balanced_exams_without_ph_come_up_as_often_as_those_with_it() -> None:
    cohort = exams(40)  # mPAP 10 to 49 mmHg: 11 of 40 without PH
    sampler = Sampler(recipe("balanced = true"), cohort, ["mPAP"], seed=1)
    found = [parts[0] for parts in sampler.steps(0, 1000)]
    below = np.concatenate([part.truth[:, 0] <= 20 for part in found])
    assert len(below) == 4000
    assert below.mean() == pytest.approx(0.5, abs=0.03)


def test_an_exam_that_comes_up_twice_is_drawn_twice() -> None:
    sampler = Sampler(recipe("balanced = true"), exams(12, loops=9), ["mPAP"], seed=1)
    drawn: dict[float, list[bytes]] = {}
    for (part,) in sampler.steps(0, sampler.count()):
        for truth, maps in zip(part.truth[:, 0], part.maps, strict=True):
            drawn.setdefault(float(truth), []).append(maps.tobytes())
    twice = [each for each in drawn.values() if len(each) > 1]
    assert twice
    assert all(len(set(each)) == len(each) for each in twice)


def test_a_cohort_of_one_class_cannot_be_balanced() -> None:
    with pytest.raises(TrainingDataError, match="no training exam has PH"):
        Sampler(recipe("balanced = true"), exams(5), ["mPAP"], seed=1)


def test_loops_differ_and_frames_are_in_order_of_time() -> None:
    for parts in steps():
        for part in parts:
            told = part.pixels[..., 0, 0]
            assert told.shape[1:] == (2, 3)
            frame, loop = told % 10, told // 10 % 10
            assert (np.diff(frame, axis=-1) > 0).all()
            assert (loop[:, 0] != loop[:, 1]).all()


def test_too_few_loops_and_frames_are_drawn_more_than_once() -> None:
    (first, *_), *_ = steps(cohort=exams(loops=1, frames=2))
    assert first.pixels.shape == (4, 2, 3, 4, 4)


def test_processes_share_every_step_and_together_see_what_one_would() -> None:
    alone = steps(5)
    shared = [steps(5, rank=rank, world=2) for rank in range(2)]
    for step, whole in enumerate(alone):
        parts = [set(seen([mine[step]])) for mine in shared]
        assert parts[0] | parts[1] == set(seen([whole]))
        assert len(parts[0]) == len(parts[1])


def test_exams_that_cannot_be_dealt_out_evenly_wait_for_another_epoch() -> None:
    found = [seen(steps(0, rank=rank, world=3)) for rank in range(3)]
    assert len({len(each) for each in found}) == 1
    assert sum(len(each) for each in found) == 9


def test_fewer_exams_than_processes_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="2 exams cannot be dealt to 3 processes"):
        steps(world=3, cohort=exams(2))


def test_micro_batches_are_the_step_in_pieces_and_know_the_whole_steps_labels() -> None:
    whole, pieces = steps(2), steps(2, extra="micro_batch_exams = 3")
    assert seen(whole) == seen(pieces)
    assert [len(part.truth) for part in pieces[0]] == [3, 1]
    for parts, together in zip(pieces, whole, strict=True):
        for part in parts:
            assert np.array_equal(part.known, together[0].known)
    assert whole[0][0].known[0] == 4


def test_an_error_while_reading_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="positive"):
        steps(cohort=exams(loops=0))
