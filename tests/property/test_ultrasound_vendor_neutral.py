"""Whatever regions, vectors and odd values a header holds: a verdict, and a usable plan."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.sequence import Sequence as DicomSequence

from inference.types import Rejected, Selected
from inference.ultrasound.clock import LONGEST_FRAME_MS, SHORTEST_FRAME_MS, read_clock
from inference.ultrasound.ecg_trace import r_wave_frames
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import RULE_SETS, select
from tests.unit.ultrasound_files import COLUMNS, FRAMES, ROWS, cine, region

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

corners = st.tuples(*[st.integers(-200, 400)] * 4)
region_sets = st.lists(
    st.builds(region, corners, st.integers(0, 6), st.integers(0, 20)), max_size=6
)
odd = st.one_of(
    st.none(),
    st.integers(-10, 10**9).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda x: f"{x:.6g}"),
)
ODD = (
    "NumberOfFrames",
    "FrameTime",
    "CineRate",
    "HeartRate",
    "RWaveTimeVector",
    "SamplesPerPixel",
)
vectors = st.lists(st.floats(-100, 3000, width=32).map(lambda x: f"{x:.6g}"), max_size=FRAMES + 2)


def header(regions: list[Dataset], **attributes: Any) -> Dataset:
    made = cine(SequenceOfUltrasoundRegions=DicomSequence(regions))
    for keyword, value in attributes.items():
        if value is None:
            made.pop(keyword, None)
        else:
            setattr(made, keyword, value)
    return made


@given(
    region_sets,
    vectors,
    st.fixed_dictionaries(dict.fromkeys(ODD, odd)),
    st.lists(st.text("0123456789ABCDEFG", max_size=8), max_size=6),
)
def test_any_header_gets_a_verdict_of_every_rule(
    regions: list[Dataset], vector: list[str], values: dict[str, str | None], image_type: list[str]
) -> None:
    made = header(regions, FrameTimeVector=vector, ImageType=image_type, **values)
    selection = select(made, Profile.VENDOR_NEUTRAL)
    assert isinstance(selection, Selected | Rejected)
    names = tuple(verdict.rule for verdict in selection.verdicts)
    assert names == RULE_SETS[Profile.VENDOR_NEUTRAL].names
    if isinstance(selection, Selected):
        x0, y0, x1, y1 = selection.plan["bounds"]
        assert 0 <= x0 < x1 < COLUMNS
        assert 0 <= y0 < y1 < ROWS
        assert json.loads(json.dumps(selection.plan)) == selection.plan


@given(region_sets)
def test_one_tissue_region_is_selected_whatever_stands_beside_it_that_is_no_picture(
    regions: list[Dataset],
) -> None:
    beside = [item for item in regions if item.RegionSpatialFormat not in {1, 2, 3}]
    made = header([*beside, region()])
    selection = select(made, Profile.VENDOR_NEUTRAL)
    assert isinstance(selection, Selected)
    assert selection.plan["bounds"] == [0, 0, COLUMNS - 1, ROWS - 1]


@given(vectors, odd, odd, odd)
def test_a_clock_ascends_at_a_plausible_pace(
    vector: list[str], frame_time: Any, rate: Any, display_rate: Any
) -> None:
    made = header([region()], FrameTimeVector=vector, FrameTime=frame_time)
    for keyword, value in (("CineRate", rate), ("RecommendedDisplayFrameRate", display_rate)):
        if value is not None:
            setattr(made, keyword, value)
    clock = read_clock(made)
    if clock is not None:
        assert len(clock.times_ms) == FRAMES
        steps = [after - before for before, after in pairwise(clock.times_ms)]
        assert min(steps) > 0
        assert SHORTEST_FRAME_MS <= sorted(steps)[len(steps) // 2] <= LONGEST_FRAME_MS * 1.001


@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_any_strip_is_read_or_not_but_never_raises(
    frames: int, height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    strips = rng.integers(0, rng.integers(2, 256), (frames, height, width, 3), np.uint8)
    waves = r_wave_frames(strips, range(frames))
    assert list(waves) == sorted(waves)
    assert all(-1 < wave < frames + 0.5 for wave in waves)
