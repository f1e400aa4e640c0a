"""The profile `vendor-neutral`: what shows the same as the paper's loops, whoever made the cart.

It asks for one B-mode clip of one tissue region and for a clock. Other regions may stand beside it
as long as they show no other picture, R waves may come from elsewhere, and whether "tissue" is
really colour is decided by the pixels. Where a loop departs from the paper, it breaks one of the
paper's own rules.
"""

from collections.abc import Mapping
from typing import Any

from pydicom import Dataset

from inference.dicom.elements import integer
from inference.exclusions import reason
from inference.types import Code, Verdict
from inference.ultrasound import examination, plausibility
from inference.ultrasound.clock import read_clock
from inference.ultrasound.colour_signs import COLOUR_FLOW, colour_signs
from inference.ultrasound.heartbeat import (
    FEWEST_FRAMES_PER_BEAT,
    read_r_waves,
    stated_heart_rate_bpm,
)
from inference.ultrasound.paper import TABLE_4
from inference.ultrasound.plausibility import cut_note, tissue_of
from inference.ultrasound.profile import Profile
from inference.ultrasound.regions import Bounds, Region
from inference.ultrasound.rules import MOST_FRAMES, NOT_2D, RuleSet
from inference.ultrasound.subject import widest_top

STILL = reason("STILL", "Still picture")

#: Why an instance takes no part: one code per rule; `grey_tissue` needs the pixels.
REASONS: Mapping[str, Code] = {
    **examination.REASONS,
    "two_dimensional": NOT_2D,
    "cine": STILL,
    "no_flow_region": COLOUR_FLOW,
    "tissue_region": reason("NO_TISSUE_REGION", "No ultrasound region is labelled as tissue"),
    "single_image": reason("SEVERAL_IMAGES", "Several images side by side"),
    **plausibility.REASONS,
    "grey_tissue": COLOUR_FLOW,
}


def two_dimensional(_header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule 1: no region shows M-mode or a Doppler spectrum."""
    traces = sum(region.is_trace for region in regions)
    detail = f"{traces} regions of M-mode or Doppler" if traces else "no M-mode or Doppler region"
    return Verdict("two_dimensional", not traces, detail)


def cine(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule 2: there are several frames of a picture of one or three samples."""
    frames = integer(header, "NumberOfFrames") or 1
    rows, columns = integer(header, "Rows") or 0, integer(header, "Columns") or 0
    samples = integer(header, "SamplesPerPixel") or 1
    passed = (
        FEWEST_FRAMES_PER_BEAT <= frames <= MOST_FRAMES
        and min(rows, columns) > 0
        and samples in {1, 3}
    )
    detail = f"{frames} frames of {rows} x {columns} with {samples} samples"
    return Verdict("cine", passed, detail)


def no_flow_region(_header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule 3: no region shows colour flow, over the tissue or beside it."""
    flows = [region for region in regions if region.is_flow]
    if not flows:
        return Verdict("no_flow_region", True, "no colour region")
    overlapping = any(
        _overlap(flow.bounds, tissue.bounds)
        for flow in flows
        for tissue in regions
        if tissue.is_tissue
    )
    where = "over the tissue region" if overlapping else "in the image"
    return Verdict("no_flow_region", False, f"a colour region {where}")


def tissue_region(_header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule 4: some two-dimensional region shows tissue; ECG, graphics and frames do not count."""
    tissues = sum(region.is_tissue for region in regions)
    detail = f"{tissues} of {len(regions)} regions show tissue" if regions else "no regions"
    return Verdict("tissue_region", tissues > 0, detail)


def single_image(_header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule 5: it is one picture, not a dual image or a quad of a stress echo."""
    places = {region.bounds for region in regions if region.is_tissue}
    detail = "one tissue region" if len(places) < 2 else f"{len(places)} tissue regions"
    return Verdict("single_image", len(places) < 2, detail)


def _overlap(one: Bounds | None, other: Bounds | None) -> bool:
    if one is None or other is None:
        return False
    return one.x0 <= other.x1 and other.x0 <= one.x1 and one.y0 <= other.y1 and other.y0 <= one.y1


def _plan(header: Dataset, regions: tuple[Region, ...]) -> dict[str, Any]:
    """What `look` must know: bounds inclusive, times in ms since the first frame."""
    region, times = tissue_of(regions), read_clock(header)
    assert region is not None and region.bounds is not None  # noqa: S101 - its rules have passed
    assert times is not None  # noqa: S101 - so has the clock's
    strips = [item.bounds for item in regions if item.is_ecg and item.bounds is not None]
    waves = read_r_waves(header, times.times_ms)
    return {
        "profile": Profile.VENDOR_NEUTRAL.value,
        "bounds": _corners(region.bounds),
        "times_ms": [round(time, 3) for time in times.times_ms],
        "clock": times.source,
        "r_waves_ms": list(waves.times_ms),
        "r_waves_refused": waves.refused,
        "heart_rate_bpm": stated_heart_rate_bpm(header),
        "ecg_strips": [_corners(strip) for strip in strips[:1]],
        "colour_signs": list(colour_signs(header)),
        "widest_top": widest_top(header),
        "notes": [*times.notes, *cut_note(region)],
        "departures": [
            f"{verdict.rule} ({verdict.detail})"
            for verdict in (rule(header, regions) for rule in TABLE_4)
            if not verdict.passed
        ],
    }


def _corners(place: Bounds) -> list[int]:
    return [place.x0, place.y0, place.x1, place.y1]


VENDOR_NEUTRAL = RuleSet(
    rules=(
        *examination.RULES,
        two_dimensional,
        cine,
        no_flow_region,
        tissue_region,
        single_image,
        plausibility.bounds,
        plausibility.clock,
        plausibility.whole_beat,
    ),
    reasons=REASONS,
    plan=_plan,
)
