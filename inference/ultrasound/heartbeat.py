"""Which frames show the first heartbeat."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median

from pydicom import Dataset

from inference.dicom.elements import numbers

FRAMES_PER_BEAT = 10
SHORTEST_BEAT_MS = 250.0
LONGEST_BEAT_MS = 2500.0

#: Half of the frames that the model looks at: a fifth of a beat apart, they still hold one frame
#: of the contraction and one near its end.
FEWEST_FRAMES_PER_BEAT = 5

#: What the notes of a loop say where nothing tells its heartbeat.
NO_HEARTBEAT_NOTE = "No heartbeat found: frames are spread over the whole clip"

_RATE_TOLERANCE = 0.25
_FEWEST_REGULAR = 3
#: Least and greatest length of one beat of an irregular rhythm, as shares of the mean.
_IRREGULAR = (0.6, 1.6)


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


@dataclass(frozen=True, slots=True)
class RWaves:
    """R waves that can be believed, ms since the first frame; `refused` says why there are none."""

    times_ms: tuple[float, ...]
    refused: str = ""


def stated_heart_rate_bpm(header: Dataset) -> float:
    """Heart Rate (0018,1088); 0 where none is stated that a heart can have."""
    rate_bpm = next(iter(numbers(header, "HeartRate")), 0.0)
    possible = 60_000 / LONGEST_BEAT_MS <= rate_bpm <= 60_000 / SHORTEST_BEAT_MS
    return rate_bpm if possible else 0.0


def read_r_waves(header: Dataset, times_ms: Sequence[float]) -> RWaves:
    """R Wave Time Vector (0018,6060), where it fits the clip's length and its Heart Rate.

    `times_ms` are those of the clip's frames. Most of the waves lie in the clip, since they are
    timed from its first frame, and they come at the stated rate or at one that an irregular rhythm
    may have: seconds for milliseconds, every second beat, and T waves counted as well do not.
    """
    waves_ms = tuple(sorted(set(numbers(header, "RWaveTimeVector"))))
    if len(waves_ms) < 2 or not times_ms:
        return RWaves(waves_ms)
    first_ms, last_ms = _ends(times_ms)
    inside = sum(first_ms <= wave_ms <= last_ms for wave_ms in waves_ms)
    if 2 * inside < len(waves_ms):
        return RWaves((), "R Wave Time Vector does not fit the length of the clip")
    rate_bpm = stated_heart_rate_bpm(header)
    typical_ms = _typical_ms(waves_ms)
    slowest, fastest = _IRREGULAR
    if rate_bpm and not slowest <= typical_ms * rate_bpm / 60_000 <= fastest:
        stated = f"{typical_ms:.0f} ms between beats, Heart Rate {rate_bpm:g}/min"
        return RWaves((), f"R Wave Time Vector contradicts Heart Rate ({stated})")
    return RWaves(waves_ms)


def has_beat(times_ms: Sequence[float], r_waves_ms: Sequence[float]) -> bool:
    """Whether some two R waves in a row enclose a heartbeat within the clip."""
    return _first_beat(times_ms, r_waves_ms) is not None


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
    typical_ms = _typical_ms(sorted(r_waves_ms))
    return abs(typical_ms * heart_rate_bpm / 60_000 - 1) <= _RATE_TOLERANCE


def are_regular(r_waves_ms: Sequence[float]) -> bool:
    """Whether at least three R waves come at one possible distance, within a quarter."""
    if len(r_waves_ms) < _FEWEST_REGULAR:
        return False
    distances = [after - before for before, after in pairwise(sorted(r_waves_ms))]
    middle = median(distances)
    return SHORTEST_BEAT_MS <= middle <= LONGEST_BEAT_MS and all(
        abs(distance / middle - 1) <= _RATE_TOLERANCE for distance in distances
    )


def _first_beat(
    times_ms: Sequence[float], r_waves_ms: Sequence[float]
) -> tuple[float, float] | None:
    first_ms, last_ms = _ends(times_ms)
    for start, end in pairwise(sorted(set(r_waves_ms))):
        inside = first_ms <= start and end <= last_ms
        if inside and SHORTEST_BEAT_MS <= end - start <= LONGEST_BEAT_MS:
            return start, end
    return None


def _ends(times_ms: Sequence[float]) -> tuple[float, float]:
    """Earliest and latest time of an R wave in the clip, ms.

    The clip ends when its last frame does; carts round R waves to about half a frame.
    """
    frame_ms = (times_ms[-1] - times_ms[0]) / max(1, len(times_ms) - 1)
    return times_ms[0] - frame_ms / 2, times_ms[-1] + 1.5 * frame_ms


def _typical_ms(waves_ms: Sequence[float]) -> float:
    """The median distance of ascending R waves."""
    return median(after - before for before, after in pairwise(waves_ms))


def _nearest(times_ms: Sequence[float], target_ms: float) -> int:
    after = bisect_left(times_ms, target_ms)
    if after == 0:
        return 0
    if after == len(times_ms):
        return after - 1
    before = after - 1
    return before if target_ms - times_ms[before] <= times_ms[after] - target_ms else after
