"""When each frame of a clip was taken, from whichever attribute can be trusted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

from pydicom import Dataset
from pydicom.datadict import dictionary_description

from inference.dicom.elements import integer, numbers
from inference.ultrasound.rules import MOST_FRAMES

#: Frame times outside of 5 to 200 frames/s are no cine of a heart.
SHORTEST_FRAME_MS = 5.0
LONGEST_FRAME_MS = 200.0


#: Frame Increment Pointer of a clip whose frames are evenly spaced.
_FRAME_TIME = 0x00181063


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of each frame since the first, ms, ascending; `source` is the attribute's name.

    `passed_over` says which attributes are trusted more but hold something impossible.
    """

    times_ms: tuple[float, ...]
    source: str
    passed_over: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of where the time comes from."""
        if not self.passed_over:
            return ()
        return (f"{', '.join(self.passed_over)}: frame times taken from {self.source}.",)


def read_clock(header: Dataset) -> Clock | None:
    """The first plausible clock in the order of trust; None without one. Never raises."""
    found = find_clock(header)
    return found if found.times_ms else None


def find_clock(header: Dataset) -> Clock:
    """The first plausible clock in the order of trust, or what makes each impossible.

    Frame Time Vector, Frame Time (PS3.3 C.7.6.5; the other way round where Frame Increment Pointer
    names Frame Time), Cine Rate, Recommended Display Frame Rate, Actual Frame Duration, and the
    number of frames over Effective Duration or Acquisition Duration.
    """
    frames = integer(header, "NumberOfFrames") or 1
    if not 1 < frames <= MOST_FRAMES:
        return Clock((), "")
    passed_over: list[str] = []
    for keyword in _in_order(header):
        values = numbers(header, keyword)
        times_ms = _increments(values, frames) if keyword == _VECTOR else None
        if keyword != _VECTOR and values:
            times_ms = _even(_EVEN[keyword](values[0], frames) if values[0] > 0 else 0.0, frames)
        name = dictionary_description(keyword)
        if times_ms:
            return Clock(times_ms, name, tuple(passed_over))
        if any(values):
            passed_over.append(_impossible(name, values))
    return Clock((), "", tuple(passed_over))


def _in_order(header: Dataset) -> Sequence[str]:
    if integer(header, "FrameIncrementPointer") == _FRAME_TIME:
        return "FrameTime", _VECTOR, *(keyword for keyword in _EVEN if keyword != "FrameTime")
    return _VECTOR, *_EVEN


def _increments(values: Sequence[float], frames: int) -> tuple[float, ...] | None:
    """Times by one increment per frame; the first may be anything (PS3.3 C.7.6.5.1.2).

    Some write the times themselves, or a single number.
    """
    if len(values) != frames or min(values[1:]) <= 0:
        return None
    are_times = frames > 2 and all(before < after for before, after in pairwise(values))
    if are_times or not SHORTEST_FRAME_MS <= median(values[1:]) <= LONGEST_FRAME_MS:
        return None
    return tuple(accumulate((0.0, *values[1:])))


def _even(frame_ms: float, frames: int) -> tuple[float, ...] | None:
    if not SHORTEST_FRAME_MS <= frame_ms <= LONGEST_FRAME_MS:
        return None
    return tuple(k * frame_ms for k in range(frames))


def _impossible(name: str, values: Sequence[float]) -> str:
    return f"{name} is impossible" + (f" ({values[0]:g})" if len(values) == 1 else "")


_VECTOR = "FrameTimeVector"
#: Keyword -> frame time in ms by its value and the number of frames.
_EVEN: Mapping[str, Callable[[float, int], float]] = {
    "FrameTime": lambda frame_ms, _frames: frame_ms,
    "CineRate": lambda frames_per_s, _frames: 1000 / frames_per_s,
    "RecommendedDisplayFrameRate": lambda frames_per_s, _frames: 1000 / frames_per_s,
    "ActualFrameDuration": lambda frame_ms, _frames: frame_ms,
    "EffectiveDuration": lambda long_s, frames: 1000 * long_s / frames,
    "AcquisitionDuration": lambda long_s, frames: 1000 * long_s / frames,
}
