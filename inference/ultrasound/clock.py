"""When each frame of a clip was taken, from whichever attribute can be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

from pydicom import Dataset

from inference.dicom.elements import integer, numbers
from inference.ultrasound.rules import MOST_FRAMES

#: Frame times outside of 5 to 200 frames/s are no cine of a heart.
SHORTEST_FRAME_MS = 5.0
LONGEST_FRAME_MS = 200.0


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of each frame since the first, ms, ascending; `source` is the attribute's name."""

    times_ms: tuple[float, ...]
    source: str


def read_clock(header: Dataset) -> Clock | None:
    """The first plausible clock in the order of trust; None without one. Never raises.

    Frame Time Vector, Frame Time (PS3.3 C.7.6.5), Cine Rate, Recommended Display Frame Rate.
    """
    frames = integer(header, "NumberOfFrames") or 1
    if not 1 < frames <= MOST_FRAMES:
        return None
    increments = numbers(header, "FrameTimeVector")
    if _are_increments(increments, frames):
        return Clock(tuple(accumulate((0.0, *increments[1:]))), "Frame Time Vector")
    for keyword, name, to_frame_ms in _EVEN:
        value = next(iter(numbers(header, keyword)), 0.0)
        frame_ms = to_frame_ms(value) if value > 0 else 0.0
        if SHORTEST_FRAME_MS <= frame_ms <= LONGEST_FRAME_MS:
            return Clock(tuple(k * frame_ms for k in range(frames)), name)
    return None


def _are_increments(values: Sequence[float], frames: int) -> bool:
    """Whether there is one increment per frame; the first may be anything (PS3.3 C.7.6.5.1.2).

    Some write the times themselves, or a single number.
    """
    if len(values) != frames or min(values[1:]) <= 0:
        return False
    are_times = frames > 2 and all(before < after for before, after in pairwise(values))
    return not are_times and SHORTEST_FRAME_MS <= median(values[1:]) <= LONGEST_FRAME_MS


def _from_rate(frames_per_s: float) -> float:
    return 1000.0 / frames_per_s


_EVEN: tuple[tuple[str, str, Callable[[float], float]], ...] = (
    ("FrameTime", "Frame Time", float),
    ("CineRate", "Cine Rate", _from_rate),
    ("RecommendedDisplayFrameRate", "Recommended Display Frame Rate", _from_rate),
)
