"""The frames of the first heartbeat, for any timing that a cart may write."""

from hypothesis import given
from hypothesis import strategies as st

from inference.ultrasound.heartbeat import (
    FRAMES_PER_BEAT,
    LONGEST_BEAT_MS,
    SHORTEST_BEAT_MS,
    sample_first_beat,
)

frame_counts = st.integers(2, 300)
frame_times = st.floats(5, 120)
r_waves = st.lists(st.floats(-1e4, 1e5, allow_nan=False), max_size=12)


def even_times(frames: int, frame_ms: float) -> tuple[float, ...]:
    return tuple(k * frame_ms for k in range(frames))


@given(frame_counts, frame_times, r_waves)
def test_ten_frames_of_the_clip_in_order_of_time(
    frames: int, frame_ms: float, waves: list[float]
) -> None:
    sampling = sample_first_beat(even_times(frames, frame_ms), waves)
    assert len(sampling.frames) == FRAMES_PER_BEAT
    assert list(sampling.frames) == sorted(sampling.frames)
    assert sampling.frames[0] >= 0
    assert sampling.frames[-1] < frames


@given(frame_counts, frame_times, r_waves, st.randoms(use_true_random=False))
def test_the_order_of_r_waves_and_repeated_ones_change_nothing(
    frames: int, frame_ms: float, waves: list[float], random: object
) -> None:
    times = even_times(frames, frame_ms)
    shuffled = [*waves, *waves[:2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sample_first_beat(times, shuffled) == sample_first_beat(times, waves)


@given(st.floats(SHORTEST_BEAT_MS, LONGEST_BEAT_MS), frame_times, st.floats(0, 500))
def test_each_frame_is_the_nearest_to_its_tenth_of_the_beat(
    beat_ms: float, frame_ms: float, start_ms: float
) -> None:
    times = even_times(int((start_ms + beat_ms) / frame_ms) + 2, frame_ms)
    # The difference is formed again inside, where rounding may push it over the limit.
    end_ms = start_ms + beat_ms * 0.999 + 0.3
    sampling = sample_first_beat(times, [start_ms, end_ms])
    assert not sampling.fallback
    for j, frame in enumerate(sampling.frames):
        target = start_ms + j * (end_ms - start_ms) / FRAMES_PER_BEAT
        nearest = min(abs(time - target) for time in times)
        assert abs(times[frame] - target) == nearest


@given(frame_counts, frame_times)
def test_without_r_waves_the_frames_span_the_clip_and_are_flagged(
    frames: int, frame_ms: float
) -> None:
    sampling = sample_first_beat(even_times(frames, frame_ms), [])
    assert sampling.fallback
    assert (sampling.frames[0], sampling.frames[-1]) == (0, frames - 1)


def test_the_second_r_wave_is_left_out_since_it_shows_the_phase_of_the_first() -> None:
    sampling = sample_first_beat(even_times(30, 100), [0.0, 1000.0])
    assert sampling.frames == (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)


def test_implausible_and_incomplete_intervals_are_passed_over() -> None:
    times = even_times(60, 50)
    assert sample_first_beat(times, [0.0, 100.0, 1100.0]).frames[0] == 2
    assert sample_first_beat(times, [-300.0, 500.0, 1500.0]).frames[0] == 10
    assert sample_first_beat(times, [2500.0, 3500.0]).fallback
