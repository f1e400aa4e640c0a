"""Which packets of a video are decoded for some frames."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inference.dicom.pixels.video_program import Time, runs_for


def in_sending_order(*shown: str) -> list[Time]:
    """`I` before a time marks a key frame."""
    return [Time(int(each.strip("I")), each.startswith("I")) for each in shown]


#: Three groups; the second begins with pictures that are shown before its key frame.
OPEN = in_sending_order("I0", "2", "1", "I5", "3", "4", "7", "6", "I8", "9")


def test_decoding_begins_at_the_key_frame_before_and_ends_with_the_frame() -> None:
    assert runs_for(OPEN, [9]) == [(8, 9)]
    assert runs_for(OPEN, [7]) == [(3, 6)]


def test_a_picture_shown_before_its_key_frame_needs_the_group_before() -> None:
    assert runs_for(OPEN, [4]) == [(0, 5)]
    assert runs_for(OPEN, [3, 5]) == [(0, 4)], "also where the key frame itself is wanted"
    assert runs_for(OPEN, [0, 3, 5]) == [(0, 4)]


def test_groups_without_a_wanted_frame_are_left_out() -> None:
    assert runs_for(OPEN, [0, 9]) == [(0, 0), (8, 9)]


def test_no_packet_is_decoded_twice() -> None:
    assert runs_for(OPEN, [1, 2, 4, 6, 7]) == [(0, 7)]


def test_without_a_key_frame_everything_is_decoded() -> None:
    assert runs_for(in_sending_order("0", "1", "2"), [2]) == [(0, 2)]


streams = st.lists(st.booleans(), min_size=1, max_size=30).flatmap(
    lambda keys: st.permutations(range(len(keys))).map(
        lambda shown: [Time(time, key) for time, key in zip(shown, keys, strict=True)]
    )
)


@given(streams, st.data())
def test_runs_ascend_apart_and_hold_every_wanted_frame(
    times: list[Time], data: st.DataObject
) -> None:
    indices = st.integers(0, len(times) - 1)
    wanted = sorted(data.draw(st.sets(indices, min_size=1)))
    runs = runs_for(times, wanted)
    order = sorted(range(len(times)), key=lambda position: times[position].shown)
    assert all(any(first <= order[i] <= last for first, last in runs) for i in wanted)
    assert all(here[1] < there[0] for here, there in pairwise(runs))
    assert all(times[first].key or first == 0 for first, _ in runs)
    for position in (order[index] for index in wanted):
        first = next(first for first, last in runs if first <= position <= last)
        keys = (here for here in range(first, position + 1) if times[here].key)
        assert first == 0 or any(times[key].shown <= times[position].shown for key in keys)
