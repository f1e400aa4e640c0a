"""What only the pixels can tell of a clip that its header let pass: colour and heartbeat.

A few colour frames from the whole clip are enough for both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import InstanceExcludedError
from inference.types import Verdict
from inference.ultrasound.colour import flow_share
from inference.ultrasound.colour_signs import COLOUR_FLOW
from inference.ultrasound.decoding import colour_frames
from inference.ultrasound.ecg_search import find_strip
from inference.ultrasound.ecg_trace import r_wave_frames
from inference.ultrasound.heartbeat import (
    NO_HEARTBEAT_NOTE,
    BeatSource,
    Sampling,
    agrees,
    are_regular,
    beats_from_start,
    sample_first_known_beat,
)
from inference.ultrasound.preprocessing import crop
from inference.ultrasound.profile import PROFILE_NOTE
from inference.ultrasound.regions import Bounds

_FRAMES = 9
#: Of the frames of one heartbeat, every third shows whether there is flow.
_EVERY = 3
#: Shares of the lit picture that are clearly, or perhaps, flow.
_CLEAR_FLOW = 0.01
_FAINT_FLOW = 0.002
_COLOUR_VOTES = 2


@dataclass(frozen=True, slots=True)
class Inspected:
    """The frames to take (zero-based), and what a reader must know of how they were found."""

    frames: tuple[int, ...]
    notes: tuple[str, ...]
    fallback: bool = False


def inspect(path: Path, plan: Mapping[str, Any]) -> Inspected:
    """Judge the pixels of a clip and find its first heartbeat by the best source there is.

    `plan` is what the profile `vendor-neutral` made for this file.

    Raises:
        InstanceExcludedError: it shows colour flow.
        InstanceUnreadableError: the pixels cannot be decoded.
        OSError: the file cannot be read.
    """
    times_ms = plan["times_ms"]
    indices = np.unique(np.linspace(0, len(times_ms) - 1, _FRAMES).round().astype(int)).tolist()
    pictures = colour_frames(path, indices)
    tissue = crop(pictures, Bounds(*plan["bounds"]))
    _require_grey(tissue, plan["colour_signs"])
    rate_bpm = plan["heart_rate_bpm"]
    sampling = sample_first_known_beat(
        times_ms,
        {
            BeatSource.R_WAVE_TIMES: plan["r_waves_ms"],
            BeatSource.ECG_TRACE: _traced_r_waves_ms(pictures, indices, plan),
            BeatSource.HEART_RATE: beats_from_start(times_ms, rate_bpm),
        },
    )
    return Inspected(sampling.frames, tuple(_notes(plan, sampling)), sampling.fallback)


def require_grey(path: Path, frames: Sequence[int], plan: Mapping[str, Any]) -> None:
    """Confirm, by some frames of a clip whose header has signs of colour flow, that it is grey.

    Raises:
        InstanceExcludedError: it shows colour flow.
        InstanceUnreadableError: the pixels cannot be decoded.
        OSError: the file cannot be read.
    """
    some = sorted(set(frames))[::_EVERY]
    _require_grey(crop(colour_frames(path, some), Bounds(*plan["bounds"])), plan["colour_signs"])


def _require_grey(tissue: NDArray[np.uint8], signs: Sequence[str]) -> None:
    verdict = grey_tissue(tissue, signs)
    if not verdict.passed:
        raise InstanceExcludedError(verdict, COLOUR_FLOW)


def grey_tissue(tissue: NDArray[np.uint8], signs: Sequence[str]) -> Verdict:
    """Rule: it shows no colour flow; `tissue` are RGB frames (k, h, w, 3).

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
    """R waves of the drawn ECG, ms; none where they do not come at the stated heart rate.

    A strip that no region names is looked for below the tissue. Without a stated heart rate to
    confirm it, it must hold at least three R waves at regular distances.
    """
    named = [crop(pictures, Bounds(*strip)) for strip in plan["ecg_strips"]]
    found = None if named else find_strip(pictures, Bounds(*plan["bounds"]))
    for strip in named if found is None else [found]:
        waves_ms = [_time_ms(plan["times_ms"], wave) for wave in r_wave_frames(strip, indices)]
        confirmed = bool(named) or plan["heart_rate_bpm"] > 0 or are_regular(waves_ms)
        if confirmed and agrees(waves_ms, plan["heart_rate_bpm"]):
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
        BeatSource.WHOLE_CLIP: NO_HEARTBEAT_NOTE,
    }[sampling.source]
    if sampling.beat_ms is not None:
        found += f", {sampling.beat_ms:.0f} ms by {sampling.source}"
    refused = plan.get("r_waves_refused")
    return [
        f"{PROFILE_NOTE}: {apart}.",
        f"{found}; frame times by {plan['clock']}.",
        *([f"{refused}: it was not used."] if refused else []),
        *plan.get("notes", ()),
    ]
