"""Looking at one selected cine loop: file in, frames for the encoder out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.exclusions import reason
from inference.types import Verdict
from inference.ultrasound.decoding import OpenClip, open_grey
from inference.ultrasound.heartbeat import FRAMES_PER_BEAT, NO_HEARTBEAT_NOTE
from inference.ultrasound.inspection import Inspected, inspect, require_grey
from inference.ultrasound.margins import BOUNDS_CUT, find_cut
from inference.ultrasound.picture import (
    FEW_FRAMES,
    FROZEN,
    distinct_frames,
    enough_frames,
    heart_shaped,
    moving,
)
from inference.ultrasound.preprocessing import crop, resize, to_square
from inference.ultrasound.profile import Profile
from inference.ultrasound.regions import Bounds
from inference.ultrasound.subject import NOT_CARDIAC

PREVIEW_HEIGHT_PX = 480
#: How much of a whole loop is decoded at once, as 8-bit RGB.
_BATCH_BYTES = 2**25

NO_HEARTBEAT = reason("NO_HEARTBEAT", "No heartbeat could be determined")
#: Where nothing tells the heartbeat, frames can be spread over the whole clip, if that is allowed.
FALLBACK_NOTE = f"{NO_HEARTBEAT_NOTE}."


@dataclass(frozen=True, slots=True)
class Loop:
    """What was seen of one loop.

    `frames` is (k, size, size) in 0..1. `frame_numbers` are DICOM's, 1-based, one per entry of
    `frames`; a slow clip repeats some. `preview` is the first frame's region, 8-bit grey, at most
    480 pixels high.
    """

    frames: NDArray[np.float32]
    frame_numbers: tuple[int, ...]
    notes: tuple[str, ...]
    preview: NDArray[np.uint8]


def look(
    path: Path, plan: Mapping[str, Any], size: int = 256, *, without_heartbeat: bool = False
) -> Loop:
    """Decode the planned frames of a loop and bring them into the encoder's shape.

    `plan` is what `inference.ultrasound.selection.select` made for this file. A loop whose
    heartbeat nothing tells is looked at only where `without_heartbeat` allows it.

    Raises:
        InstanceExcludedError: the pixels break a rule of the plan's profile, are not what their
            labels say and cannot be told, or there is no heartbeat.
        InstanceUnreadableError: the pixels cannot be decoded or hold no picture.
        OSError: the file cannot be read.
    """
    with open_loop(path, plan, size, without_heartbeat=without_heartbeat) as opened:
        return opened.loop


class OpenLoop:
    """A loop that was looked at and is still open; `loop` is what `look` gives."""

    def __init__(self, clip: OpenClip, bounds: Bounds, size: int, loop: Loop) -> None:
        self._clip, self._bounds, self._size, self.loop = clip, bounds, size, loop

    def whole(self, most_frames: int) -> Iterator[NDArray[np.float32]]:
        """Frames of the whole loop in order of time, in batches (k, size, size) in 0..1.

        They are read and preprocessed as those of `loop`; of a longer loop, `most_frames` evenly
        spread ones. Each batch is decoded within a fixed memory. Frames that are damaged are left
        out.

        Raises:
            OSError: the file cannot be read.
        """
        frames = self._clip.written.frames
        spread = np.linspace(0, frames - 1, min(frames, most_frames)).round().astype(int).tolist()
        at_once = max(1, _BATCH_BYTES // (3 * self._clip.written.rows * self._clip.written.columns))
        for first in range(0, len(spread), at_once):
            yield from self._decodable(spread[first : first + at_once])

    def _decodable(self, indices: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """Those of some frames that can be decoded, found by halving where not all of them can."""
        try:
            pictures = self._clip.read(indices).frames
        except (InstanceUnreadableError, InstanceExcludedError):
            half = len(indices) // 2
            for part in (indices[:half], indices[half:]) if half else ():
                yield from self._decodable(part)
            return
        yield resize(to_square(crop(pictures, self._bounds)), self._size)


@contextmanager
def open_loop(
    path: Path, plan: Mapping[str, Any], size: int = 256, *, without_heartbeat: bool = False
) -> Iterator[OpenLoop]:
    """Look at a loop, and keep it open so that the rest of its frames can be read.

    Arguments and errors are those of `look`.
    """
    found = _find_frames(path, plan)
    if found.fallback and not without_heartbeat:
        raise InstanceExcludedError(Verdict("heartbeat", False, _why_no_beat(plan)), NO_HEARTBEAT)
    bounds = Bounds(*plan["bounds"])
    with open_grey(path) as clip:
        yield OpenLoop(clip, bounds, size, _look_at(clip, found, plan, bounds, size))


def _look_at(
    clip: OpenClip, found: Inspected, plan: Mapping[str, Any], bounds: Bounds, size: int
) -> Loop:
    pictures = clip.read(found.frames)
    region = crop(pictures.frames, bounds)
    if all(frame.min() == frame.max() for frame in region) and region.min() == region.max():
        raise InstanceUnreadableError("the region holds no picture: all its pixels are the same")
    cut = find_cut(pictures.frames, bounds)
    if not cut.verdict.passed:
        raise InstanceExcludedError(cut.verdict, BOUNDS_CUT)
    _require_heart(region, plan)
    return Loop(
        frames=resize(to_square(region), size),
        frame_numbers=tuple(index + 1 for index in found.frames),
        notes=(*found.notes, *_repeated(region), *pictures.notes, *cut.notes),
        preview=_preview(region[0]),
    )


def _find_frames(path: Path, plan: Mapping[str, Any]) -> Inspected:
    if plan.get("profile") == Profile.VENDOR_NEUTRAL:
        return inspect(path, plan)
    if plan.get("colour_signs"):
        require_grey(path, plan["frames"], plan)
    notes = [*plan.get("notes", ()), *([FALLBACK_NOTE] if plan["fallback"] else ())]
    return Inspected(tuple(plan["frames"]), tuple(notes), plan["fallback"])


def _why_no_beat(plan: Mapping[str, Any]) -> str:
    if plan.get("r_waves_refused"):
        return str(plan["r_waves_refused"])
    if plan.get("profile") == Profile.VENDOR_NEUTRAL:
        return "no R waves, no readable ECG trace and no Heart Rate"
    return "no complete heartbeat between R waves"


def _require_heart(region: NDArray[np.uint8], plan: Mapping[str, Any]) -> None:
    """Exclude what stands still, has too few frames, or looks like another organ's picture."""
    verdicts = [(moving(region), FROZEN), (enough_frames(region), FEW_FRAMES)]
    if plan.get("widest_top"):
        verdicts.append((heart_shaped(region, plan["widest_top"]), NOT_CARDIAC))
    for verdict, why in verdicts:
        if not verdict.passed:
            raise InstanceExcludedError(verdict, why)


def _repeated(region: NDArray[np.uint8]) -> tuple[str, ...]:
    count = distinct_frames(region)
    if count == FRAMES_PER_BEAT:
        return ()
    return (f"Only {count} different frames show the heartbeat; some are used more than once.",)


def _preview(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape
    if height <= PREVIEW_HEIGHT_PX:
        return frame.copy()
    shrunk = (max(1, round(width * PREVIEW_HEIGHT_PX / height)), PREVIEW_HEIGHT_PX)
    return np.asarray(Image.fromarray(frame).resize(shrunk, Image.Resampling.BILINEAR))
