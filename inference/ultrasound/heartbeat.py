"""Which frames show the first heartbeat."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from pydicom import Dataset

from inference.dicom.elements import integer, numbers

FRAMES_PER_BEAT = 10
SHORTEST_BEAT_MS = 250.0
LONGEST_BEAT_MS = 2500.0

_FRAME_TIME_VECTOR = 0x00181065


@dataclass(frozen=True, slots=True)
class Sampling:
    """Zero-based frame indices in order of time; `fallback` where no heartbeat was found.

    A slow frame rate repeats a frame rather than giving fewer.
    """

    frames: tuple[int, ...]
    fallback: bool


def frame_times_ms(header: Dataset) -> tuple[float, ...]:
    """The time of each frame since the start of the first, ms; empty where there is none.

    Frame Time Vector counts where Frame Increment Pointer names it and it has one increment per
    frame, else Frame Time (PS3.3 C.7.6.5). Frame Delay does not enter: it tells when the first
    frame came after the start of the acquisition, and R waves are timed from the first frame.
    """
    frames = integer(header, "NumberOfFrames") or 1
    increments = numbers(header, "FrameTimeVector")
    by_vector = integer(header, "FrameIncrementPointer") == _FRAME_TIME_VECTOR
    if by_vector and len(increments) == frames and min(increments) >= 0:
        return tuple(accumulate((0.0, *increments[1:])))
    frame_time = next(iter(numbers(header, "FrameTime")), 0.0)
    return tuple(k * frame_time for k in range(frames)) if frame_time > 0 else ()


def sample_first_beat(
    times_ms: Sequence[float], r_waves_ms: Sequence[float], count: int = FRAMES_PER_BEAT
) -> Sampling:
    """Pick `count` frames uniformly over the first RR interval that lies inside the clip.

    The second R wave itself is left out: it shows the phase of the first. An interval counts from
    250 to 2500 ms. Without one the frames are spread over the whole clip and flagged.
    `times_ms` ascend and hold one time per frame, at least one.
    """
    beat = _first_beat(times_ms, r_waves_ms)
    if beat is None:
        last = len(times_ms) - 1
        return Sampling(tuple(round(last * j / (count - 1)) for j in range(count)), fallback=True)
    start, end = beat
    targets = (start + j * (end - start) / count for j in range(count))
    return Sampling(tuple(_nearest(times_ms, target) for target in targets), fallback=False)


def _first_beat(
    times_ms: Sequence[float], r_waves_ms: Sequence[float]
) -> tuple[float, float] | None:
    frame_ms = (times_ms[-1] - times_ms[0]) / max(1, len(times_ms) - 1)
    # The clip ends when its last frame does; carts round R waves to about half a frame.
    first_ms, last_ms = times_ms[0] - frame_ms / 2, times_ms[-1] + 1.5 * frame_ms
    for start, end in pairwise(sorted(set(r_waves_ms))):
        inside = first_ms <= start and end <= last_ms
        if inside and SHORTEST_BEAT_MS <= end - start <= LONGEST_BEAT_MS:
            return start, end
    return None


def _nearest(times_ms: Sequence[float], target_ms: float) -> int:
    after = bisect_left(times_ms, target_ms)
    if after == 0:
        return 0
    if after == len(times_ms):
        return after - 1
    before = after - 1
    return before if target_ms - times_ms[before] <= times_ms[after] - target_ms else after
