"""Looking at one selected cine loop: file in, frames for the encoder out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.errors import LoopExcludedError, LoopUnreadableError
from inference.types import Verdict
from inference.ultrasound.decoding import grey_pictures
from inference.ultrasound.heartbeat import FRAMES_PER_BEAT, NO_HEARTBEAT_NOTE
from inference.ultrasound.inspection import Inspected, inspect, require_grey
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
from inference.ultrasound.rules import reason
from inference.ultrasound.subject import NOT_CARDIAC

PREVIEW_HEIGHT_PX = 480

NO_HEARTBEAT = reason("NO_HEARTBEAT", "No heartbeat could be told")
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
        LoopExcludedError: the pixels break a rule of the plan's profile, are not what their labels
            say and cannot be told, or there is no heartbeat.
        LoopUnreadableError: the pixels cannot be decoded or hold no picture.
        OSError: the file cannot be read.
    """
    found = _find_frames(path, plan)
    if found.fallback and not without_heartbeat:
        raise LoopExcludedError(Verdict("heartbeat", False, _why_no_beat(plan)), NO_HEARTBEAT)
    pictures = grey_pictures(path, found.frames)
    region = crop(pictures.frames, Bounds(*plan["bounds"]))
    if all(frame.min() == frame.max() for frame in region) and region.min() == region.max():
        raise LoopUnreadableError("the region holds no picture: all its pixels are the same")
    _require_heart(region, plan)
    return Loop(
        frames=resize(to_square(region), size),
        frame_numbers=tuple(index + 1 for index in found.frames),
        notes=(*found.notes, *_repeated(region), *pictures.notes),
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
        return "neither R waves, nor a drawn ECG, nor a Heart Rate"
    return "no complete heartbeat between R waves"


def _require_heart(region: NDArray[np.uint8], plan: Mapping[str, Any]) -> None:
    """Exclude what stands still, has too few frames, or looks like another organ's picture."""
    verdicts = [(moving(region), FROZEN), (enough_frames(region), FEW_FRAMES)]
    if plan.get("widest_top"):
        verdicts.append((heart_shaped(region, plan["widest_top"]), NOT_CARDIAC))
    for verdict, why in verdicts:
        if not verdict.passed:
            raise LoopExcludedError(verdict, why)


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
