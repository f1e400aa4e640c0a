"""Rules of both profiles: plausible bounds, plausible frame times, at least one heartbeat."""

from collections.abc import Mapping, Sequence

from pydicom import Dataset

from inference.dicom.elements import integer
from inference.exclusions import reason
from inference.types import Code, Verdict
from inference.ultrasound.clock import find_clock, read_clock
from inference.ultrasound.heartbeat import has_beat, read_r_waves, stated_heart_rate_bpm
from inference.ultrasound.regions import Region

#: Bounds may lie off the image by this share of its longer side; more of it and they belong to a
#: picture of another size.
_OFF_IMAGE = 0.02

REASONS: Mapping[str, Code] = {
    "bounds": reason("BOUNDS_OFF_IMAGE", "Bounds of the tissue region do not fit the image"),
    "clock": reason("NO_CLOCK", "No plausible frame times"),
    "whole_beat": reason("SHORT_CLIP", "Clip is shorter than one heartbeat"),
}


def bounds(header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule: the tissue region lies in the image but for a margin, which is cut off."""
    region = tissue_of(regions) or next(iter(regions), None)
    if region is None or region.bounds is None:
        return Verdict("bounds", False, "no bounds that hold a part of the image")
    longer_px = max(integer(header, "Rows") or 0, integer(header, "Columns") or 0)
    detail = f"{region.beyond_px} px beyond the image" if region.beyond_px else "in the image"
    return Verdict("bounds", region.beyond_px <= _OFF_IMAGE * longer_px, detail)


def clock(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule: the frame times are stated and plausible."""
    found = find_clock(header)
    if found.times_ms:
        return Verdict("clock", True, f"by {found.source}")
    return Verdict("clock", False, ", ".join(found.passed_over) or "no attribute")


def whole_beat(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule: the clip covers one heartbeat, by its R waves or else by its Heart Rate, if stated."""
    found, rate_bpm = read_clock(header), stated_heart_rate_bpm(header)
    if found is None or not rate_bpm:
        return Verdict("whole_beat", True, "no Heart Rate stated")
    times_ms = found.times_ms
    beat_ms = 60_000 / rate_bpm
    if has_beat(times_ms, read_r_waves(header, times_ms).times_ms):
        return Verdict("whole_beat", True, "one heartbeat between R waves")
    covers = has_beat(times_ms, (times_ms[0], times_ms[0] + beat_ms))
    long_ms = times_ms[-1] * len(times_ms) / (len(times_ms) - 1)
    detail = f"{long_ms:.0f} ms long, one heartbeat takes {beat_ms:.0f} ms by Heart Rate"
    return Verdict("whole_beat", covers, detail)


def cut_note(region: Region) -> Sequence[str]:
    """What a reader must know of bounds that were cut."""
    if not region.beyond_px:
        return ()
    return (f"The region's bounds lay {region.beyond_px} px beyond the image and were cut off.",)


def tissue_of(regions: tuple[Region, ...]) -> Region | None:
    """The first region that shows two-dimensional tissue."""
    return next((region for region in regions if region.is_tissue), None)
