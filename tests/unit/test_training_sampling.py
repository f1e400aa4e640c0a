"""What a step sees: drawn from (seed, epoch, place) alone, dealt out to processes."""

import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from inference.errors import TrainingDataError
from inference.training.cohort import CachedExam, CohortExam, CohortLoop
from inference.training.cohort.clips import Clips, ClipWriter, compress
from inference.training.exams import Exams
from inference.training.output import whole_file
from inference.training.recipe import Recipe
from inference.training.recipe_files import parse_recipe
from inference.training.sampling import MicroBatch, Sampler

_files = TemporaryDirectory()  # removed when the tests have ended
#: Which pixel tells what.
EXAM, LOOP, FRAME = range(3)


def exams(count: int = 10, *, frames: tuple[int, ...] = (10, 10, 10)) -> Exams:
    """Exams whose every picture tells exam, loop and frame; `frames` of each loop."""
    made = []
    for number in range(count):
        truth = {
            "mpap_mmhg": 10.0 + number,
            "pvr_wu": math.nan if number % 2 else 3.0,
            "pawp_mmhg": 9.0,
        }
        listed = tuple(CohortLoop(f"{k}.dcm", f"2.25.{k}", {}) for k in range(len(frames)))
        exam = CohortExam(f"E{number}", f"P{number}", "train", truth, math.nan, listed)
        beat = np.full((len(frames), 10, 4, 4), 255, np.uint8)
        made.append(CachedExam(exam, listed, beat, clips(number, frames)))
    return Exams(made, range(count))


def clips(exam: int, frames: tuple[int, ...]) -> Clips:
    path = Path(_files.name, f"{exam} of {frames}")
    with whole_file(path) as out:
        writer = ClipWriter(out)
        for loop, count in enumerate(frames):
            told = np.zeros((count, 4, 4), np.uint8)
            told[:, 0, EXAM], told[:, 0, LOOP], told[:, 0, FRAME] = exam, loop, range(count)
            writer.add(compress(told))
        writer.finish()
    return Clips(path, writer.counts, 4)


def recipe(extra: str = "") -> Recipe:
    text = f"name = 'x'\n[sampling]\nexams = 4\nloops = 2\nframes = 3\n{extra}"
    return parse_recipe(text, "x", Recipe)


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
    sampler = Sampler(recipe("balanced = true"), exams(12, frames=(10,) * 9), ["mPAP"], seed=1)
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
            told = part.pixels[..., 0, :]
            assert told.shape[1:] == (2, 3, 4)
            exam, loop, frame = (told[..., pixel] for pixel in (EXAM, LOOP, FRAME))
            assert (exam == (part.truth[:, 0] - 10)[:, None, None]).all()
            assert (loop == loop[..., :1]).all()
            frame = frame.astype(int)
            assert (np.diff(frame, axis=-1) > 0).all()
            assert (loop[:, 0] != loop[:, 1]).all()


def test_frames_are_drawn_from_the_whole_loop_each_as_often_as_any_other() -> None:
    counts = (40, 25)
    cohort = exams(frames=counts)
    drawn = np.zeros((2, 40), int)
    for epoch in range(40):
        for parts in steps(epoch, cohort=cohort):
            for part in parts:
                told = part.pixels[..., 0, :].reshape(-1, 4).astype(int)
                np.add.at(drawn, (told[:, LOOP], told[:, FRAME]), 1)
    for loop, count in enumerate(counts):
        expected = 40 * 10 * 3 / count
        assert drawn[loop, count:].sum() == 0
        assert (np.abs(drawn[loop, :count] - expected) < 5 * expected**0.5).all()


def test_another_epoch_and_another_seed_draw_other_frames_of_an_exam() -> None:
    cohort = exams(1, frames=(100, 100))
    drawn = {
        (seed, epoch): next(
            iter(Sampler(recipe(), cohort, ["mPAP"], seed=seed).steps(3 * epoch, 3))
        )[0].pixels.tobytes()
        for seed in (1, 2)
        for epoch in (0, 1)
    }
    assert len(set(drawn.values())) == 4


def test_too_few_loops_and_frames_are_drawn_more_than_once() -> None:
    (first, *_), *_ = steps(cohort=exams(frames=(2,)))
    assert {tuple(each) for each in first.pixels[0, :, :, 0, FRAME]} <= {
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 1),
        (1, 1, 1),
    }
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


def test_an_error_while_reading_reaches_the_caller(tmp_path: Path) -> None:
    gone = Clips(tmp_path / "gone", (10, 10, 10), 4)
    cohort = Exams([replace(each, clips=gone) for each in exams(1)], range(1))
    with pytest.raises(TrainingDataError, match="echonode cohort cache"):
        steps(cohort=cohort)
