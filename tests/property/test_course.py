"""A change is claimed only where the difference is more than both estimates may err."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inference.course import changed, course_of
from inference.types import Code, Earlier, Findings, Measurement, StudyRef
from tests.report_cases import card

CONCEPT, UNIT = Code("1", "99TEST", "Depth"), Code("mm", "UCUM", "mm")
VALUES = st.integers(-200, 200)
WIDTHS = st.integers(1, 60)


def depth(value: float, below: float | None, above: float | None = None) -> Measurement:
    """A depth with an interval from `below` it to `above` it; None: as far, or none at all."""
    if below is None:
        return Measurement("depth", CONCEPT, value, UNIT, None, None, None)
    high = value + (below if above is None else above)
    return Measurement("depth", CONCEPT, value, UNIT, value - below, high, 0.9)


def found(measurement: Measurement) -> Findings:
    return Findings("t", card(), measurements=(measurement,))


def earlier(day: str, measurement: Measurement, bundle: str = card().bundle_digest) -> Earlier:
    return Earlier(StudyRef(f"1.2.{day}", f"{day}000000"), bundle, {measurement.name: measurement})


@given(VALUES, VALUES, WIDTHS)
def test_between_like_intervals_it_takes_root_two_half_widths(
    now: int, then: int, half_width: int
) -> None:
    claimed = changed(depth(now, half_width), depth(then, half_width))
    assert claimed is ((now - then) ** 2 > 2 * half_width**2)


@given(VALUES, VALUES, WIDTHS, WIDTHS, WIDTHS, WIDTHS)
def test_the_order_of_the_two_and_the_zero_of_the_scale_do_not_matter(
    now: int, then: int, below: int, above: int, below_then: int, above_then: int
) -> None:
    one, other = depth(now, below, above), depth(then, below_then, above_then)
    claimed = changed(one, other)
    assert claimed is changed(other, one)
    moved = depth(now + 7, below, above), depth(then + 7, below_then, above_then)
    assert claimed is changed(*moved)


@given(VALUES, VALUES, WIDTHS, WIDTHS, WIDTHS)
def test_a_wider_interval_never_makes_a_change(
    now: int, then: int, below: int, above: int, more: int
) -> None:
    before = depth(then, below)
    if changed(depth(now, below, above + more), before):
        assert changed(depth(now, below, above), before)


@given(VALUES, VALUES, WIDTHS)
def test_where_it_is_claimed_the_intervals_hold_not_both_values(
    now: int, then: int, half_width: int
) -> None:
    if changed(depth(now, half_width), depth(then, half_width)):
        assert not then - half_width <= now <= then + half_width


@given(VALUES, VALUES, WIDTHS)
def test_without_an_interval_or_beyond_the_range_nothing_tells(
    now: int, then: int, half_width: int
) -> None:
    whole = depth(now, half_width)
    assert changed(whole, depth(then, None)) is None
    assert changed(depth(then, None), whole) is None
    at_the_end = replace(depth(then, half_width), model_range=(then, then + 100.0))
    assert changed(whole, at_the_end) is None


@given(st.floats(-0.49, 0.49), st.floats(-0.49, 0.49))
def test_it_counts_what_is_printed(one: float, other: float) -> None:
    """10 and 20 with 7 to either side are 10 apart, of 9.9, whatever is behind the point."""
    now, then = depth(20, 7), depth(10, 7)
    assert changed(replace(now, value=20 + one), replace(then, value=10 + other))


@given(st.lists(st.tuples(VALUES, st.booleans()), min_size=1, max_size=8), VALUES, WIDTHS)
def test_it_is_compared_with_the_last_of_the_same_bundle(
    before: list[tuple[int, bool]], now: int, half_width: int
) -> None:
    told = [
        earlier(str(20200101 + n), depth(value, half_width), card().bundle_digest if own else "b")
        for n, (value, own) in enumerate(before)
    ]
    course = course_of(found(depth(now, half_width)), StudyRef("1.2.9", "20260101"), told)
    assert course is not None
    [track] = course.tracks
    assert [point.estimate.value for point in track.earlier] == [value for value, _ in before]
    own = [value for value, is_own in before if is_own]
    expected = changed(depth(now, half_width), depth(own[-1], half_width)) if own else None
    assert track.changed is expected


def test_nothing_is_converted_and_without_an_earlier_estimate_there_is_no_course() -> None:
    centimetres = replace(depth(3, 1), unit=Code("cm", "UCUM", "cm"))
    other = replace(depth(3, 1), name="width")
    told = [earlier("20200101", centimetres), earlier("20200102", other)]
    assert course_of(found(depth(30, 10)), StudyRef("1.2.9", "20260101"), told) is None
    assert course_of(found(depth(30, 10)), StudyRef("1.2.9", "20260101"), ()) is None
