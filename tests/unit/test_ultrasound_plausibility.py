"""What neither profile believes of a clip: its clock, its bounds, its R waves, its length."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.sequence import Sequence as DicomSequence

from inference.dicom.header import read_header
from inference.errors import InstanceExcludedError
from inference.types import Rejected, Selected, Selection
from inference.ultrasound.heartbeat import agrees, are_regular, read_r_waves
from inference.ultrasound.loop import Loop, look
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from tests.unit.ultrasound_files import COLUMNS, ROWS, cine, echo_pictures, region, save

pytestmark = [
    pytest.mark.parametrize("profile", Profile),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

TIMES_MS = [100.0 * k for k in range(30)]


def judged(profile: Profile, **attributes: Any) -> Selection:
    """The verdict on a clip of 30 frames, 100 ms apart."""
    return select(cine(echo_pictures(30), **attributes), profile)


def seen(folder: Path, profile: Profile, **attributes: Any) -> Loop:
    path = save(cine(echo_pictures(30), **attributes), folder / "cine")
    selection = select(read_header(path), profile)
    assert isinstance(selection, Selected), selection.detail
    return look(path, selection.plan, size=32)


@pytest.mark.parametrize("frame_time", ["50000", "0.05", "3000"])
def test_frame_times_of_no_cine_are_not_believed(profile: Profile, frame_time: str) -> None:
    selection = judged(profile, FrameTime=frame_time)
    assert isinstance(selection, Rejected)
    assert selection.reason.value == "NO_CLOCK"
    assert selection.detail == f"Frame Time is impossible ({float(frame_time):g})"


@pytest.mark.parametrize(
    ("attributes", "source"),
    [
        ({"CineRate": 10}, "Cine Rate"),
        ({"RecommendedDisplayFrameRate": 10}, "Recommended Display Frame Rate"),
        ({"EffectiveDuration": 3}, "Effective Duration"),
        ({"FrameTimeVector": [0.0, *[100.0] * 29]}, "Frame Time Vector"),
    ],
)
def test_another_clock_is_used_and_noted(
    profile: Profile, attributes: dict[str, Any], source: str, tmp_path: Path
) -> None:
    pointed = {"FrameIncrementPointer": 0x00181063, "FrameTime": "100000"}
    beat = {"RWaveTimeVector": [200.0, 1200.0]}
    loop = seen(tmp_path, profile, **attributes, **pointed, **beat)
    assert loop.frame_numbers == tuple(range(3, 13))
    assert f"Frame Time is impossible (100000): frame times taken from {source}." in loop.notes


def test_bounds_of_a_bigger_image_are_not_cut_to_this_one(profile: Profile) -> None:
    bigger = DicomSequence([region((30, 10, 2 * COLUMNS, 2 * ROWS))])
    selection = judged(profile, SequenceOfUltrasoundRegions=bigger)
    assert isinstance(selection, Rejected)
    assert selection.reason.value == "BOUNDS_OFF_IMAGE"


def test_bounds_that_are_off_by_a_pixel_are_cut_and_that_is_said(
    profile: Profile, tmp_path: Path
) -> None:
    off_by_one = DicomSequence([region((0, 0, COLUMNS, ROWS))])
    loop = seen(tmp_path, profile, SequenceOfUltrasoundRegions=off_by_one)
    assert "The region's bounds lay 1 px beyond the image and were cut off." in loop.notes


@pytest.mark.parametrize(
    ("waves_ms", "rate_bpm", "refusal"),
    [
        ([0.2, 1.2], 60, "contradicts Heart Rate"),
        ([200_000.0, 1_200_000.0], 60, "does not fit the length of the clip"),
        ([5200.0, 6200.0], 0, "does not fit the length of the clip"),
        ([200.0, 700.0, 1200.0], 60, "contradicts Heart Rate"),
        ([200.0, 2200.0], 60, "contradicts Heart Rate"),
    ],
    ids=["seconds", "microseconds", "of another clip", "T waves counted", "every second beat"],
)
def test_r_waves_that_fit_neither_clip_nor_heart_rate_are_refused(
    profile: Profile, waves_ms: list[float], rate_bpm: int, refusal: str
) -> None:
    found = read_r_waves(cine(RWaveTimeVector=waves_ms, HeartRate=rate_bpm), TIMES_MS)
    assert found.times_ms == ()
    assert refusal in found.refused


@pytest.mark.parametrize("rr_ms", [650, 1000, 1500])
def test_beats_of_an_irregular_rhythm_are_believed(profile: Profile, rr_ms: float) -> None:
    waves = (200.0, 200.0 + rr_ms)
    found = read_r_waves(cine(RWaveTimeVector=list(waves), HeartRate=60), TIMES_MS)
    assert found.times_ms == waves


@pytest.mark.parametrize("rate_bpm", [0, -5, 7, 700])
def test_a_heart_rate_that_no_heart_has_is_not_held_against_r_waves(
    profile: Profile, rate_bpm: int
) -> None:
    waves = (200.0, 1200.0)
    assert read_r_waves(cine(RWaveTimeVector=waves, HeartRate=rate_bpm), TIMES_MS).times_ms == waves


def test_without_r_waves_to_believe_there_is_no_estimate_by_the_paper_and_another_source_else(
    profile: Profile, tmp_path: Path
) -> None:
    wrong = {"RWaveTimeVector": [0.2, 1.2], "HeartRate": 60}
    if profile is Profile.PAPER:
        with pytest.raises(InstanceExcludedError, match="contradicts Heart Rate") as caught:
            seen(tmp_path, profile, **wrong)
        assert caught.value.reason.value == "NO_HEARTBEAT"
        return
    _, beat, refused = seen(tmp_path, profile, **wrong).notes
    assert beat.startswith("One heartbeat from the start of the clip, 1000 ms by Heart Rate")
    assert refused == (
        "R Wave Time Vector contradicts Heart Rate (1 ms between beats, Heart Rate 60/min): "
        "it was not used."
    )


def test_a_clip_shorter_than_its_own_heartbeat_is_left_out(profile: Profile) -> None:
    selection = select(cine(echo_pictures(8), HeartRate=50, RWaveTimeVector=[0.0, 1500.0]), profile)
    assert isinstance(selection, Rejected)
    assert selection.reason.value == "SHORT_CLIP"
    assert selection.detail == "800 ms long, one heartbeat takes 1200 ms by Heart Rate"


def test_a_short_clip_between_two_r_waves_of_an_irregular_rhythm_is_taken(profile: Profile) -> None:
    short_beat = cine(echo_pictures(8), HeartRate=60, RWaveTimeVector=[0.0, 700.0])
    assert isinstance(select(short_beat, profile), Selected)


def test_regular_waves_confirm_each_other_and_two_do_not(profile: Profile) -> None:
    assert are_regular([100, 900, 1700])
    assert not are_regular([100, 900])
    assert not are_regular([100, 900, 2500])
    assert not are_regular([100, 200, 300])
    assert agrees([100, 900, 1700], 75)
    assert not agrees([100, 900, 1700], 150)
