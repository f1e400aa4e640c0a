"""Which loops are dropped from an exam, to see what is left."""

import pytest

from inference.training.dropping import MOST_ATTENDED, RANDOM, WITHOUT, Draw, draws

SCORES = (0.5, 2.0, -1.0, 1.0, 0.0)
VIEWS = ("PLAX", "A4C", "SSN", "PSAX", "PLAX")


def of_kind(found: list[Draw], kind: str) -> list[tuple[int, ...]]:
    return [draw.kept for draw in found if draw.kind == kind]


def test_the_most_attended_loops_go_first() -> None:
    assert of_kind(list(draws("E1", SCORES)), MOST_ATTENDED) == [
        (0, 2, 3, 4),
        (0, 2, 4),
        (2, 4),
        (2,),
    ]


def test_random_draws_have_every_size_and_never_all_loops() -> None:
    found = of_kind(list(draws("E1", SCORES)), RANDOM)
    assert {len(kept) for kept in found} == {1, 2, 3, 4}
    assert len(set(found)) == len(found)
    assert all(kept == tuple(sorted(set(kept))) for kept in found)


def test_an_exam_gets_the_same_draws_whenever_it_is_asked_and_another_exam_others() -> None:
    many = tuple(float(k % 7) for k in range(30))
    assert list(draws("E1", many)) == list(draws("E1", many))
    assert list(draws("E1", many)) != list(draws("E2", many))


def test_whole_views_are_dropped_where_they_were_noted() -> None:
    found = list(draws("E1", SCORES, VIEWS))
    assert of_kind(found, WITHOUT + "PLAX") == [(1, 2, 3)]
    assert of_kind(found, WITHOUT + "A4C and PSAX") == [(0, 2, 4)]
    assert not any(draw.kind.startswith(WITHOUT) for draw in draws("E1", SCORES, ("",) * 5))


@pytest.mark.parametrize("count", [1, 2, 3, 150])
def test_there_is_always_something_left_and_something_dropped(count: int) -> None:
    found = list(draws("E1", [0.0] * count, ["A4C"] * count))
    assert bool(found) is (count > 1)
    assert all(0 < len(draw.kept) < count for draw in found)
    assert len(found) < 30
