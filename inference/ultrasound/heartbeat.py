"""Which frames show the first heartbeat."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise
from statistics import median

from pydicom import Dataset

from inference.dicom.elements import integer, numbers

FRAMES_PER_BEAT = 10
SHORTEST_BEAT_MS = 250.0
LONGEST_BEAT_MS = 2500.0

_FRAME_TIME_VECTOR = 0x00181065
_RATE_TOLERANCE = 0.25


class BeatSource(StrEnum):
    """What told where the first heartbeat lies."""

    R_WAVE_TIMES = "R Wave Time Vector"
    ECG_TRACE = "the drawn ECG trace"
    HEART_RATE = "Heart Rate"
    WHOLE_CLIP = "none"


@dataclass(frozen=True, slots=True)
class Sampling:
    """Zero-based frame indices in order of time.

    `beat_ms` is the length of the heartbeat that they show; without one they are spread over the
    whole clip. A slow frame rate repeats a frame rather than giving fewer.
    """

    frames: tuple[int, ...]
    source: BeatSource
    beat_ms: float | None = None

    @property
    def fallback(self) -> bool:
        """Whether no heartbeat was found."""
        return self.source is BeatSource.WHOLE_CLIP


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


def sample_first_beat(times_ms: Sequence[float], r_waves_ms: Sequence[float]) -> Sampling:
    """Pick ten frames uniformly over the first RR interval that lies inside the clip.

    The second R wave itself is left out: it shows the phase of the first. An interval counts from
    250 to 2500 ms. Without one the frames are spread over the whole clip and flagged.
    `times_ms` ascend and hold one time per frame, at least one.
    """
    return sample_first_known_beat(times_ms, {BeatSource.R_WAVE_TIMES: r_waves_ms})


def sample_first_known_beat(
    times_ms: Sequence[float], r_waves_ms: Mapping[BeatSource, Sequence[float]]
) -> Sampling:
    """Sample by the first source, in the order of trust, whose R waves hold a usable beat."""
    for source, waves_ms in r_waves_ms.items():
        beat = _first_beat(times_ms, waves_ms)
        if beat is not None:
            start, end = beat
            targets = (start + j * (end - start) / FRAMES_PER_BEAT for j in range(FRAMES_PER_BEAT))
            frames = tuple(_nearest(times_ms, target) for target in targets)
            return Sampling(frames, source, beat_ms=end - start)
    last = len(times_ms) - 1
    spread = (round(last * j / (FRAMES_PER_BEAT - 1)) for j in range(FRAMES_PER_BEAT))
    return Sampling(tuple(spread), BeatSource.WHOLE_CLIP)


def beats_from_start(times_ms: Sequence[float], heart_rate_bpm: float) -> tuple[float, ...]:
    """Where R waves would be if one came with the first frame: only their distance is known."""
    if not times_ms or heart_rate_bpm <= 0:
        return ()
    return times_ms[0], times_ms[0] + 60_000 / heart_rate_bpm


def agrees(r_waves_ms: Sequence[float], heart_rate_bpm: float) -> bool:
    """Whether R waves come at the stated heart rate, within a quarter; true where none is stated.

    The rate is a mean over some beats, so that an irregular rhythm is given some room.
    """
    if heart_rate_bpm <= 0 or len(r_waves_ms) < 2:
        return True
    typical_ms = median(after - before for before, after in pairwise(sorted(r_waves_ms)))
    return abs(typical_ms * heart_rate_bpm / 60_000 - 1) <= _RATE_TOLERANCE


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
