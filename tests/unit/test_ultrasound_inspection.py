"""What the pixels of a loop decide under the profile `vendor-neutral`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.sequence import Sequence as DicomSequence

from inference.dicom.header import read_header
from inference.errors import InstanceExcludedError
from inference.types import Selected
from inference.ultrasound.loop import Loop, look
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from tests.unit.ecg_strips import FRAMES, HEIGHT, WIDTH, Style, draw
from tests.unit.ultrasound_files import cine, echo_pictures, region, save

R_WAVES = (4.0, 19.0, 34.0)
FRAME_MS = 50.0


def seen(
    folder: Path, pictures: NDArray[np.uint8], *, without_heartbeat: bool = False, **attributes: Any
) -> Loop:
    path = save(cine(pictures, **attributes), folder / "cine")
    selection = select(read_header(path), Profile.VENDOR_NEUTRAL)
    assert isinstance(selection, Selected)
    return look(path, selection.plan, size=32, without_heartbeat=without_heartbeat)


def with_strip(style: Style) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """A clip of 40 frames with an ECG strip below the sector, and its header without R waves."""
    sector = echo_pictures(FRAMES, rows=120, columns=WIDTH)
    pictures = np.concatenate([sector, draw(style, R_WAVES, range(FRAMES))], axis=1)
    regions = [
        region((0, 120, WIDTH - 1, 119 + HEIGHT), form=4, kind=10),
        region((0, 0, WIDTH - 1, 119)),
    ]
    attributes = {
        "FrameTime": str(FRAME_MS),
        "RWaveTimeVector": None,
        "SequenceOfUltrasoundRegions": DicomSequence(regions),
    }
    return pictures, attributes


@pytest.mark.parametrize("style", [Style.MARKER, Style.GROWING])
def test_the_first_heartbeat_is_read_from_the_drawn_ecg(style: Style, tmp_path: Path) -> None:
    pictures, attributes = with_strip(style)
    loop = seen(tmp_path, pictures, **attributes)
    expected = 1 + np.array(R_WAVES[0]) + np.arange(10) * (R_WAVES[1] - R_WAVES[0]) / 10
    assert np.abs(np.array(loop.frame_numbers) - expected).max() <= 1.5
    assert "by the drawn ECG trace" in loop.notes[1]


@pytest.mark.parametrize("style", [Style.MARKER, Style.GROWING])
@pytest.mark.parametrize("rate_bpm", [None, 80])
def test_a_drawn_ecg_below_the_tissue_is_found_though_no_region_names_it(
    style: Style, rate_bpm: int | None, tmp_path: Path
) -> None:
    pictures, attributes = with_strip(style)
    pictures = np.pad(pictures, ((0, 0), (0, 14), (0, 0), (0, 0)))
    pictures[:, -10:-4, 20:160:2] = 210  # a line of white text
    attributes["SequenceOfUltrasoundRegions"] = attributes["SequenceOfUltrasoundRegions"][1:]
    if rate_bpm:
        attributes["HeartRate"] = rate_bpm
    loop = seen(tmp_path, pictures, **attributes)
    expected = 1 + np.array(R_WAVES[0]) + np.arange(10) * (R_WAVES[1] - R_WAVES[0]) / 10
    assert np.abs(np.array(loop.frame_numbers) - expected).max() <= 1.5
    assert "by the drawn ECG trace" in loop.notes[1]


@pytest.mark.parametrize("colour", [(210, 210, 210), (60, 220, 90)], ids=["white", "green"])
def test_text_and_a_running_clock_below_the_tissue_are_no_ecg(
    colour: tuple[int, int, int], tmp_path: Path
) -> None:
    pictures, attributes = with_strip(Style.STANDING)
    pictures[:, 120:] = 0
    rng = np.random.default_rng(2)
    letters = rng.random((12, 200)) < 0.5
    for number, picture in enumerate(pictures):
        picture[130:142, 10:210][letters] = colour
        picture[130:142, 190:210][rng.random((12, 20)) < 0.5] = colour
        picture[144:146, 10 : 10 + 4 * number] = colour  # a progress bar
    attributes["SequenceOfUltrasoundRegions"] = attributes["SequenceOfUltrasoundRegions"][1:]
    loop = seen(tmp_path, pictures, **attributes, HeartRate=80)
    assert "by Heart Rate" in loop.notes[1]


def test_a_drawn_ecg_that_belies_the_heart_rate_is_not_trusted(tmp_path: Path) -> None:
    pictures, attributes = with_strip(Style.MARKER)
    loop = seen(tmp_path, pictures, **attributes, HeartRate=120)
    assert loop.notes[1].startswith(
        "One heartbeat from the start of the clip, 500 ms by Heart Rate;"
    )
    assert loop.frame_numbers == tuple(range(1, 11))


def test_r_waves_of_the_header_go_before_the_drawn_ones(tmp_path: Path) -> None:
    pictures, attributes = with_strip(Style.MARKER)
    loop = seen(tmp_path, pictures, **attributes | {"RWaveTimeVector": [500.0, 1000.0]})
    assert loop.frame_numbers == tuple(range(11, 21))
    assert "500 ms by R Wave Time Vector" in loop.notes[1]


def test_without_any_source_the_loop_is_excluded_or_spread_over_the_clip_and_that_is_said(
    tmp_path: Path,
) -> None:
    pictures, attributes = with_strip(Style.STANDING)
    with pytest.raises(InstanceExcludedError, match="no R waves, no readable ECG trace") as caught:
        seen(tmp_path, pictures, **attributes)
    assert caught.value.reason.value == "NO_HEARTBEAT"
    loop = seen(tmp_path, pictures, **attributes, without_heartbeat=True)
    assert (loop.frame_numbers[0], loop.frame_numbers[-1]) == (1, FRAMES)
    departures, beat = loop.notes
    assert departures == (
        "Selected by the profile vendor-neutral: departs from the paper in "
        "essential_tags (missing or unusable: RWaveTimeVector), one_region (2 regions), "
        "spatial_format (spatial format 4), data_type (data type 10), r_waves (0 R waves)."
    )
    assert beat.startswith("No heartbeat found: frames are spread over the whole clip;")


def test_a_loop_by_the_paper_has_the_same_frames_in_both_profiles(tmp_path: Path) -> None:
    pictures = echo_pictures(30)
    attributes = {"RWaveTimeVector": [200.0, 1200.0]}
    path = save(cine(pictures, **attributes), tmp_path / "paper")
    by_paper = select(read_header(path))
    assert isinstance(by_paper, Selected)
    one, other = look(path, by_paper.plan, size=32), seen(tmp_path, pictures, **attributes)
    assert one.frame_numbers == other.frame_numbers
    np.testing.assert_array_equal(one.frames, other.frames)
    assert other.notes[0] == "Selected by the profile vendor-neutral: as by the paper."


def test_cut_bounds_are_said(tmp_path: Path) -> None:
    pictures = echo_pictures()
    regions = DicomSequence([region((0, 0, pictures.shape[2], pictures.shape[1] - 1))])
    loop = seen(tmp_path, pictures, SequenceOfUltrasoundRegions=regions)
    assert loop.notes[2] == "The region's bounds lay 1 px beyond the image and were cut off."


def test_a_loop_that_stands_still_is_excluded(tmp_path: Path) -> None:
    still = np.repeat(echo_pictures(1), 8, axis=0)
    with pytest.raises(InstanceExcludedError, match="0% of the picture moves") as caught:
        seen(tmp_path, still)
    assert caught.value.verdict.rule == "moving"
    assert caught.value.reason.value == "FROZEN"


def test_tissue_that_is_colour_is_excluded(tmp_path: Path) -> None:
    pictures = echo_pictures(8)
    pictures[::2, 20:40, 30:50] = (220, 30, 10)
    with pytest.raises(InstanceExcludedError, match="is colour") as caught:
        seen(tmp_path, pictures)
    assert caught.value.reason.value == "COLOUR_FLOW"
