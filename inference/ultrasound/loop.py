"""Looking at one selected cine loop: file in, frames for the encoder out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.errors import LoopUnreadableError
from inference.ultrasound.decoding import grey_pictures
from inference.ultrasound.inspection import Inspected, inspect
from inference.ultrasound.preprocessing import crop, resize, to_square
from inference.ultrasound.profile import Profile
from inference.ultrasound.regions import Bounds

PREVIEW_HEIGHT_PX = 480

FALLBACK_NOTE = "No complete heartbeat between R waves; frames are spread over the whole clip."


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


def look(path: Path, plan: Mapping[str, Any], size: int = 256) -> Loop:
    """Decode the planned frames of a loop and bring them into the encoder's shape.

    `plan` is what `inference.ultrasound.selection.select` made for this file.

    Raises:
        LoopExcludedError: the pixels break a rule of the plan's profile, or are not what their
            labels say and cannot be told.
        LoopUnreadableError: the pixels cannot be decoded or hold no picture.
        OSError: the file cannot be read.
    """
    found = _find_frames(path, plan)
    pictures = grey_pictures(path, found.frames)
    region = crop(pictures.frames, Bounds(*plan["bounds"]))
    if region.min() == region.max():
        raise LoopUnreadableError("the region holds no picture: all its pixels are the same")
    return Loop(
        frames=resize(to_square(region), size),
        frame_numbers=tuple(index + 1 for index in found.frames),
        notes=(*found.notes, *pictures.notes),
        preview=_preview(region[0]),
    )


def _find_frames(path: Path, plan: Mapping[str, Any]) -> Inspected:
    if plan.get("profile") == Profile.VENDOR_NEUTRAL:
        return inspect(path, plan)
    return Inspected(tuple(plan["frames"]), (FALLBACK_NOTE,) if plan["fallback"] else ())


def _preview(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape
    if height <= PREVIEW_HEIGHT_PX:
        return frame.copy()
    shrunk = (max(1, round(width * PREVIEW_HEIGHT_PX / height)), PREVIEW_HEIGHT_PX)
    return np.asarray(Image.fromarray(frame).resize(shrunk, Image.Resampling.BILINEAR))
