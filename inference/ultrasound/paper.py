"""The profile `paper`: Table 4 of the paper that the pipeline follows (MIDL 2026), read strictly.

Its six rules stand between the questions what is examined and how, and what no profile believes.
"""

from collections.abc import Mapping

from pydicom import Dataset

from inference.dicom.elements import integer, numbers
from inference.exclusions import reason
from inference.types import Code, Verdict
from inference.ultrasound import examination, plausibility
from inference.ultrasound.clock import read_clock
from inference.ultrasound.colour_signs import colour_signs
from inference.ultrasound.heartbeat import read_r_waves, sample_first_beat
from inference.ultrasound.plausibility import cut_note
from inference.ultrasound.regions import TISSUE, TWO_DIMENSIONAL, Region
from inference.ultrasound.rules import MOST_FRAMES, NOT_2D, RuleSet
from inference.ultrasound.subject import widest_top

#: Why an instance takes no part: one code per rule.
REASONS: Mapping[str, Code] = {
    **examination.REASONS,
    "essential_tags": reason("TAGS_MISSING", "Essential ultrasound attributes missing"),
    "one_region": reason("NOT_ONE_REGION", "Not exactly one usable ultrasound region"),
    "spatial_format": NOT_2D,
    "data_type": reason("NOT_TISSUE", "Ultrasound region does not show tissue"),
    "r_waves": reason("FEW_R_WAVES", "Fewer than two R waves"),
    "four_dimensional": reason("NOT_COLOUR_CINE", "Not a colour or RGB-encoded cine loop"),
    **plausibility.REASONS,
}


def essential_tags(header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule 1: regions with format and data type, R waves and a frame time are there."""
    present = {
        "SequenceOfUltrasoundRegions": bool(regions),
        "RegionSpatialFormat": bool(regions)
        and all(region.spatial_format is not None for region in regions),
        "RegionDataType": bool(regions) and all(region.data_type is not None for region in regions),
        "RWaveTimeVector": bool(numbers(header, "RWaveTimeVector")),
        "FrameTime": any(value > 0 for value in numbers(header, "FrameTime")[:1]),
    }
    missing = [name for name, there in present.items() if not there]
    detail = f"missing or unusable: {', '.join(missing)}" if missing else "all present"
    return Verdict("essential_tags", not missing, detail)


def one_region(_header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule 2: exactly one region, and its bounds hold a part of the image."""
    if len(regions) != 1:
        return Verdict("one_region", False, f"{len(regions)} regions")
    if regions[0].bounds is None:
        return Verdict("one_region", False, "the region's bounds hold no part of the image")
    return Verdict("one_region", True, "one region")


def spatial_format(_header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule 3: the first region is two-dimensional (Region Spatial Format 1)."""
    value = regions[0].spatial_format if regions else None
    return Verdict("spatial_format", value == TWO_DIMENSIONAL, _value("spatial format", value))


def data_type(_header: Dataset, regions: tuple[Region, ...]) -> Verdict:
    """Rule 4: the first region shows tissue (Region Data Type 1)."""
    value = regions[0].data_type if regions else None
    return Verdict("data_type", value == TISSUE, _value("data type", value))


def r_waves(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule 5: at least two R waves at different times."""
    count = len(set(numbers(header, "RWaveTimeVector")))
    return Verdict("r_waves", count >= 2, f"{count} R wave{'' if count == 1 else 's'}")


def four_dimensional(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule 6: the pixels are frames x rows x columns x 3 samples, with several frames."""
    frames = integer(header, "NumberOfFrames") or 1
    rows, columns = integer(header, "Rows") or 0, integer(header, "Columns") or 0
    samples = integer(header, "SamplesPerPixel") or 1
    passed = 1 < frames <= MOST_FRAMES and rows > 0 and columns > 0 and samples == 3
    detail = f"{frames} frames of {rows} x {columns} with {samples} samples"
    return Verdict("four_dimensional", passed, detail)


def _value(name: str, value: int | None) -> str:
    return f"no {name}" if value is None else f"{name} {value}"


def _plan(header: Dataset, regions: tuple[Region, ...]) -> dict[str, object]:
    """What `look` must know: bounds inclusive, frames zero-based.

    Only a loop that is out of the ordinary has `notes`, `r_waves_refused`, `widest_top` or
    `colour_signs`; those of colour are for the pixels to confirm.
    """
    bounds, times = regions[0].bounds, read_clock(header)
    assert bounds is not None and times is not None  # noqa: S101 - the rules of both have passed
    waves = read_r_waves(header, times.times_ms)
    sampling = sample_first_beat(times.times_ms, waves.times_ms)
    unusual = {
        "notes": [*times.notes, *cut_note(regions[0])],
        "r_waves_refused": waves.refused,
        "widest_top": widest_top(header),
        "colour_signs": list(colour_signs(header)),
    }
    return {
        "bounds": [bounds.x0, bounds.y0, bounds.x1, bounds.y1],
        "frames": list(sampling.frames),
        "fallback": sampling.fallback,
        **{name: value for name, value in unusual.items() if value},
    }


#: Table 4 of the paper.
TABLE_4 = (essential_tags, one_region, spatial_format, data_type, r_waves, four_dimensional)

PAPER = RuleSet(
    rules=(
        *examination.RULES,
        *TABLE_4,
        plausibility.clock,
        plausibility.bounds,
        plausibility.whole_beat,
    ),
    reasons=REASONS,
    plan=_plan,
)
