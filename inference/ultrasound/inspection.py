"""What only the pixels can tell of a clip that its header let pass: motion, colour, heartbeat.

A few colour frames from the whole clip are enough for all three.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import LoopExcludedError
from inference.types import Verdict
from inference.ultrasound.colour import flow_share
from inference.ultrasound.decoding import colour_frames
from inference.ultrasound.ecg_trace import r_wave_frames
from inference.ultrasound.heartbeat import (
    BeatSource,
    Sampling,
    agrees,
    beats_from_start,
    sample_first_known_beat,
)
from inference.ultrasound.preprocessing import crop
from inference.ultrasound.profile import PROFILE_NOTE
from inference.ultrasound.regions import Bounds
from inference.ultrasound.vendor_neutral import REASONS

_FRAMES = 9
#: A pixel moved when its brightest and darkest moment differ by more, 8 bit; so many of them do.
_CHANGE = 16
_MOVING_SHARE = 0.005
#: Shares of the lit picture that are clearly, or perhaps, flow.
_CLEAR_FLOW = 0.01
_FAINT_FLOW = 0.002
_COLOUR_VOTES = 2


@dataclass(frozen=True, slots=True)
class Inspected:
    """The frames to take (zero-based), and what a reader must know of how they were found."""

    frames: tuple[int, ...]
    notes: tuple[str, ...]


def inspect(path: Path, plan: Mapping[str, Any]) -> Inspected:
    """Judge the pixels of a clip and find its first heartbeat by the best source there is.

    `plan` is what the profile `vendor-neutral` made for this file.

    Raises:
        LoopExcludedError: it stands still, or shows colour flow.
        LoopUnreadableError: the pixels cannot be decoded.
        OSError: the file cannot be read.
    """
    times_ms = plan["times_ms"]
    indices = np.unique(np.linspace(0, len(times_ms) - 1, _FRAMES).round().astype(int)).tolist()
    pictures = colour_frames(path, indices)
    tissue = crop(pictures, Bounds(*plan["bounds"]))
    for verdict in (moving(tissue), grey_tissue(tissue, plan["colour_signs"])):
        if not verdict.passed:
            raise LoopExcludedError(verdict, REASONS[verdict.rule])
    rate_bpm = plan["heart_rate_bpm"]
    sampling = sample_first_known_beat(
        times_ms,
        {
            BeatSource.R_WAVE_TIMES: plan["r_waves_ms"],
            BeatSource.ECG_TRACE: _traced_r_waves_ms(pictures, indices, plan),
            BeatSource.HEART_RATE: beats_from_start(times_ms, rate_bpm),
        },
    )
    return Inspected(sampling.frames, tuple(_notes(plan, sampling)))


def moving(tissue: NDArray[np.uint8]) -> Verdict:
    """Rule 9: the picture moves; `tissue` are RGB frames (k, h, w, 3)."""
    changed = tissue.max(axis=0) - tissue.min(axis=0) > _CHANGE
    share = float(changed.any(axis=-1).mean())
    return Verdict("moving", share >= _MOVING_SHARE, f"{share:.1%} of the picture changes")


def grey_tissue(tissue: NDArray[np.uint8], signs: Sequence[str]) -> Verdict:
    """Rule 10: it shows no colour flow; `tissue` are RGB frames (k, h, w, 3).

    Pixels that are clearly flow count two votes, a few of them one, and each of the header's
    `signs` one; two votes are colour. So clear pixels decide alone, and the header alone only
    where it says so twice.
    """
    share = flow_share(tissue)
    votes = (share >= _CLEAR_FLOW) + (share >= _FAINT_FLOW) + len(signs)
    stated = f", stated by {' and '.join(signs)}" if signs else ""
    detail = f"{share:.1%} of the picture is colour{stated}"
    return Verdict("grey_tissue", votes < _COLOUR_VOTES, detail)


def _traced_r_waves_ms(
    pictures: NDArray[np.uint8], indices: Sequence[int], plan: Mapping[str, Any]
) -> list[float]:
    """R waves of the drawn ECG, ms; none where they do not come at the stated heart rate."""
    times_ms = plan["times_ms"]
    for strip in plan["ecg_strips"]:
        waves = r_wave_frames(crop(pictures, Bounds(*strip)), indices)
        waves_ms = [_time_ms(times_ms, wave) for wave in waves]
        if agrees(waves_ms, plan["heart_rate_bpm"]):
            return waves_ms
    return []


def _time_ms(times_ms: Sequence[float], frame: float) -> float:
    """The time between two frames, or a little before the first or after the last."""
    before = min(max(0, int(frame)), len(times_ms) - 2)
    return times_ms[before] + (frame - before) * (times_ms[before + 1] - times_ms[before])


def _notes(plan: Mapping[str, Any], sampling: Sampling) -> list[str]:
    departures = plan["departures"]
    apart = (
        f"departs from the paper in {', '.join(departures)}" if departures else "as by the paper"
    )
    found = {
        BeatSource.R_WAVE_TIMES: "First heartbeat",
        BeatSource.ECG_TRACE: "First heartbeat",
        BeatSource.HEART_RATE: "One heartbeat from the start of the clip",
        BeatSource.WHOLE_CLIP: "No heartbeat found: frames are spread over the whole clip",
    }[sampling.source]
    if sampling.beat_ms is not None:
        found += f", {sampling.beat_ms:.0f} ms by {sampling.source}"
    cut = plan["off_image_px"]
    return [
        f"{PROFILE_NOTE}: {apart}.",
        f"{found}; frame times by {plan['clock']}.",
        *([f"The region's bounds lay {cut} px off the image and were cut."] if cut else []),
    ]
