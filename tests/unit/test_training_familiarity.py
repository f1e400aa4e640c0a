"""Limits of familiarity from validation, and what a run keeps of them."""

from pathlib import Path

import numpy as np
import pytest

from inference.bundle.familiarity import PICTURE, Familiarity
from inference.bundle.manifest import Network
from inference.errors import TrainingDataError
from inference.training.familiarity import (
    FILE,
    SLACK,
    keep_familiarity,
    limits_of,
    read_familiarity,
    space_of,
)
from inference.ultrasound import appearance
from tests.unit.bundles import SMALL
from tests.unit.familiar import familiarity, fitted, known

SIZES = {"mpap": 128, "pvr": 128}


@pytest.fixture
def made() -> Familiarity:
    return familiarity(
        tuple(Network(prefix=name, architecture=SMALL, targets=("mPAP",)) for name in SIZES)
    )


def limits(exams: list[list[float]]) -> tuple[float, float]:
    loop, exam = limits_of([np.array(distances) for distances in exams])
    return loop / (1 + SLACK), exam / (1 + SLACK)


def test_one_of_a_hundred_may_lie_beyond() -> None:
    exams = [[float(number)] * 5 for number in range(1, 200)]
    loop, exam = limits(exams)
    # The 198th of 199: (199 + 1) * 0.99.
    assert (loop, exam) == pytest.approx((198, 198))


def test_the_median_of_an_exam_counts_from_four_loops_on() -> None:
    exams = [[1.0, 1.0, 3.0, 9.0]] * 100 + [[50.0, 50.0, 50.0]] * 3
    assert limits(exams)[1] == pytest.approx(2.0)


def test_of_few_values_the_limit_is_no_less_than_the_greatest() -> None:
    rng = np.random.default_rng(1)
    few = [np.exp(rng.normal(0, 0.2, 4)).tolist() for _ in range(8)]
    loop, _ = limits(few)
    assert loop >= max(max(exam) for exam in few)
    assert loop < 2.5
    assert limits([[1.3]]) == pytest.approx((1.3, 1.3))


def test_the_same_features_give_the_same_space_to_the_bit() -> None:
    one, other = space_of(known(128), 8), space_of(known(128), 8)
    for part in ("mean", "axes", "spread"):
        assert getattr(one, part).tobytes() == getattr(other, part).tobytes()


@pytest.mark.parametrize("loops", [2, 3, 20])
@pytest.mark.parametrize("axes", [8, 128])
def test_even_a_few_loops_or_equal_ones_make_a_space(loops: int, axes: int) -> None:
    for features in (known(128, loops), np.ones((loops, 128), np.float32)):
        space = space_of(features, axes)
        assert np.isfinite(space.distances(features)).all()
        assert space.spread.min() > 0
        assert space.distances(features + np.float32(9)).min() > space.distances(features).max()


@pytest.mark.parametrize("loops", [2, 20])
def test_what_was_fitted_on_equal_loops_can_be_written_and_read(loops: int, tmp_path: Path) -> None:
    sizes = {**SIZES, PICTURE: appearance.SIZE}
    equal = {name: np.ones((loops, size), np.float32) for name, size in sizes.items()}
    keep_familiarity(tmp_path, fitted(equal))
    read = read_familiarity(tmp_path, SIZES)
    assert read.exam(read.distances(equal).tolist()).is_familiar
    other = {name: each + np.float32(1) for name, each in equal.items()}
    assert not read.exam(read.distances(other).tolist()).is_familiar


def test_a_run_keeps_it_in_the_same_bytes(made: Familiarity, tmp_path: Path) -> None:
    for name in ("a", "b"):
        keep_familiarity(tmp_path / name, made)
    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()
    read = read_familiarity(tmp_path / "a", SIZES)
    loops = {name: known(size, 5, 1) for name, size in {**SIZES, PICTURE: appearance.SIZE}.items()}
    assert read.limits == made.limits
    assert read.distances(loops).tolist() == made.distances(loops).tolist()
    assert read_familiarity(tmp_path / "a", {"pvr": 128}).spaces.keys() == {"pvr", PICTURE}


def test_what_is_missing_damaged_or_of_others_says_what_to_do(
    made: Familiarity, tmp_path: Path
) -> None:
    with pytest.raises(TrainingDataError, match="predict the run again"):
        read_familiarity(tmp_path, SIZES)
    keep_familiarity(tmp_path, made)
    for others in ({"mpap": 2048}, {"pawp": 128}):
        with pytest.raises(TrainingDataError, match="predict the run again"):
            read_familiarity(tmp_path, others)
    data = (tmp_path / FILE).read_bytes()
    for damaged in (data[:100], b"", b"not a file of tensors", data.replace(b"limits", b"xxmits")):
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(TrainingDataError, match="predict the run again"):
            read_familiarity(tmp_path, SIZES)
