"""The phantom's loops under both profiles: where its rhythm is known, so is the true heartbeat."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from inference.dicom.elements import numbers
from inference.dicom.header import read_header
from inference.errors import InstanceExcludedError
from inference.phantom import haemodynamics, make_study
from inference.phantom.decoys import DecoyKind
from inference.types import Rejected, Selected
from inference.ultrasound.inspection import inspect
from inference.ultrasound.loop import look
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select

LOOPS = 10

#: What the profile `vendor-neutral` says of each decoy; None: it takes it.
REASONS = {
    DecoyKind.COLOUR: "COLOUR_FLOW",
    DecoyKind.COLOUR_ONLY: "COLOUR_FLOW",
    DecoyKind.M_MODE: "NOT_2D",
    DecoyKind.PW: "NOT_2D",
    DecoyKind.STILL: "STILL",
    DecoyKind.ONE_R_WAVE: None,
    DecoyKind.NO_FRAME_TIME: None,
    DecoyKind.OTHER_VENDOR: None,
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("study")
    return make_study(folder, haemodynamics.expected(38), seed=11, size="small", loops=LOOPS)


@dataclass(frozen=True)
class Beat:
    """Start and length of the heartbeat that a loop was sampled by, in frames, and the truth."""

    start: float
    length: float
    true_start: float
    true_length: float

    @property
    def is_true(self) -> bool:
        """Whether the first of the ten frames and the length are those of the truth to a frame."""
        return abs(self.start - self.true_start) <= 1 and abs(self.length - self.true_length) <= 1


def without_r_wave_tag(path: Path, folder: Path) -> Path:
    """The same loop as another cart writes it: no R waves in the header, an ECG region instead."""
    header = dcmread(path)
    del header.RWaveTimeVector
    tissue = header.SequenceOfUltrasoundRegions[0]
    strip = Dataset()
    strip.RegionSpatialFormat, strip.RegionDataType = 4, 10
    strip.RegionLocationMinX0, strip.RegionLocationMaxX1 = 0, header.Columns - 1
    strip.RegionLocationMinY0 = tissue.RegionLocationMaxY1 + 3
    strip.RegionLocationMaxY1 = header.Rows - max(header.Rows // 44, 8) - 5
    header.SequenceOfUltrasoundRegions = [strip, tissue]
    made = folder / path.name
    header.save_as(made, enforce_file_format=True)
    return made


def beat_read_from_the_strip(path: Path, folder: Path) -> Beat | None:
    """The beat by the drawn ECG beside the one of the tag; None where the strip was not read."""
    truth = dcmread(path, stop_before_pixels=True)
    frame_ms = float(truth.FrameTime)
    true_start, true_end = numbers(truth, "RWaveTimeVector")[:2]
    changed = without_r_wave_tag(path, folder)
    selection = select(read_header(changed), Profile.VENDOR_NEUTRAL)
    assert isinstance(selection, Selected), selection.detail
    found = inspect(changed, selection.plan)
    if "drawn ECG" not in found.notes[1]:
        return None
    length_ms = float(found.notes[1].split(" ms by")[0].split()[-1])
    start = found.frames[0]
    return Beat(
        start, length_ms / frame_ms, true_start / frame_ms, (true_end - true_start) / frame_ms
    )


def test_a_loop_by_the_paper_gives_the_same_frames_in_both_profiles(study: list[Path]) -> None:
    for path in study[:LOOPS]:
        header = read_header(path)
        paper, neutral = select(header), select(header, Profile.VENDOR_NEUTRAL)
        assert isinstance(paper, Selected)
        assert isinstance(neutral, Selected)
        assert neutral.plan["departures"] == []
        one, other = look(path, paper.plan, size=64), look(path, neutral.plan, size=64)
        assert one.frame_numbers == other.frame_numbers
        np.testing.assert_array_equal(one.frames, other.frames)


def test_the_plan_of_an_ordinary_loop_is_its_region_and_the_tenths_of_its_first_beat(
    study: list[Path],
) -> None:
    for path in study[:LOOPS]:
        header = read_header(path)
        selection = select(header)
        assert isinstance(selection, Selected)
        region = header.SequenceOfUltrasoundRegions[0]
        start, end = numbers(header, "RWaveTimeVector")[:2]
        tenths = (start + k * (end - start) / 10 for k in range(10))
        assert dict(selection.plan) == {
            "bounds": [
                region.RegionLocationMinX0,
                region.RegionLocationMinY0,
                region.RegionLocationMaxX1,
                region.RegionLocationMaxY1,
            ],
            "frames": [round(tenth / float(header.FrameTime)) for tenth in tenths],
            "fallback": False,
        }


def test_without_r_wave_tag_nine_of_ten_strips_give_the_true_heartbeat(
    study: list[Path], tmp_path: Path
) -> None:
    beats = [beat_read_from_the_strip(path, tmp_path) for path in study[:LOOPS]]
    true = sum(beat is not None and beat.is_true for beat in beats)
    assert true >= 0.9 * LOOPS, beats


def test_each_decoy_gets_the_verdict_of_what_it_shows(study: list[Path]) -> None:
    for kind, path in zip(DecoyKind, study[LOOPS:], strict=True):
        selection = select(read_header(path), Profile.VENDOR_NEUTRAL)
        reason = selection.reason.value if isinstance(selection, Rejected) else None
        assert reason == REASONS[kind], kind


def test_colour_that_no_tag_admits_is_found_by_the_pixels(
    study: list[Path], tmp_path: Path
) -> None:
    header = dcmread(study[LOOPS + list(DecoyKind).index(DecoyKind.COLOUR_ONLY)])
    header.SequenceOfUltrasoundRegions[0].RegionDataType = 1
    header.UltrasoundColorDataPresent = 0
    path = tmp_path / "colour.dcm"
    header.save_as(path, enforce_file_format=True)
    selection = select(read_header(path), Profile.VENDOR_NEUTRAL)
    assert isinstance(selection, Selected)
    with pytest.raises(InstanceExcludedError) as caught:
        look(path, selection.plan, size=64)
    assert caught.value.reason.value == "COLOUR_FLOW"
