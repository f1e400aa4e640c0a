"""Looking at a selected loop."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.sequence import Sequence as DicomSequence

from inference.dicom.header import read_header
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.types import Selected
from inference.ultrasound import loop as loop_module
from inference.ultrasound.loop import FALLBACK_NOTE, look, open_loop
from inference.ultrasound.selection import select
from tests.unit.ultrasound_files import (
    cine,
    compressed_cine,
    echo_pictures,
    grey_of,
    jpeg,
    region,
    save,
)


def plan_of(path: Path) -> dict[str, object]:
    selection = select(read_header(path))
    assert isinstance(selection, Selected)
    return dict(selection.plan)


def test_a_loop_is_seen_as_ten_grey_squares_of_its_first_heartbeat(tmp_path: Path) -> None:
    pictures = echo_pictures(30)
    path = save(cine(pictures, RWaveTimeVector=[200.0, 1200.0]), tmp_path / "cine")
    loop = look(path, plan_of(path), size=32)
    assert loop.frames.shape == (10, 32, 32)
    assert loop.frames.dtype == np.float32
    assert loop.frame_numbers == tuple(range(3, 13))
    assert loop.notes == ()
    np.testing.assert_allclose(loop.preview, grey_of(pictures[2]), atol=1)


def test_only_the_region_is_seen(tmp_path: Path) -> None:
    whole = echo_pictures()
    pictures = np.zeros_like(whole)
    pictures[:, 10:42, 20:60] = whole[:, 10:42, 20:60]
    regions = DicomSequence([region((20, 10, 59, 41))])
    path = save(cine(pictures, SequenceOfUltrasoundRegions=regions), tmp_path / "cine")
    preview = look(path, plan_of(path), size=16).preview
    np.testing.assert_allclose(preview, grey_of(pictures[0])[10:42, 20:60], atol=1)


def test_without_a_heartbeat_the_loop_is_excluded_or_spread_over_the_clip_and_that_is_said(
    tmp_path: Path,
) -> None:
    path = save(cine(echo_pictures(19), RWaveTimeVector=[5.0, 10.0]), tmp_path / "cine")
    with pytest.raises(InstanceExcludedError, match="no complete heartbeat between") as caught:
        look(path, plan_of(path), size=16)
    assert caught.value.reason.value == "NO_HEARTBEAT"
    loop = look(path, plan_of(path), size=16, without_heartbeat=True)
    assert loop.frame_numbers == (1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
    assert loop.notes == (FALLBACK_NOTE,)


def test_a_tall_region_is_previewed_at_480_pixels(tmp_path: Path) -> None:
    pictures = echo_pictures(6, rows=96, columns=32).repeat(10, axis=1).repeat(10, axis=2)
    regions = DicomSequence([region((0, 0, 319, 959))])
    header = cine(pictures, SequenceOfUltrasoundRegions=regions)
    path = save(header, tmp_path / "cine")
    assert look(path, plan_of(path), size=16).preview.shape == (480, 160)


def test_a_region_without_any_picture_is_refused(tmp_path: Path) -> None:
    path = save(cine(np.zeros_like(echo_pictures())), tmp_path / "cine")
    with pytest.raises(InstanceUnreadableError, match="no picture"):
        look(path, plan_of(path))


def whole(
    path: Path, size: int = 32, most_frames: int = 1000, plan: dict[str, object] | None = None
) -> tuple[NDArray[np.float32], int]:
    """All frames of a loop, and in how many batches they came."""
    with open_loop(path, plan or plan_of(path), size) as opened:
        batches = list(opened.whole(most_frames))
    return np.concatenate(batches), len(batches)


def test_the_whole_loop_goes_through_the_same_preprocessing_as_its_heartbeat(
    tmp_path: Path,
) -> None:
    regions = DicomSequence([region((10, 5, 69, 54))])
    changes = {"SequenceOfUltrasoundRegions": regions, "RWaveTimeVector": [200.0, 1200.0]}
    path = save(cine(echo_pictures(30), **changes), tmp_path / "cine")
    frames, _ = whole(path)
    beat = look(path, plan_of(path), size=32)
    assert frames.shape == (30, 32, 32)
    np.testing.assert_array_equal(frames[[n - 1 for n in beat.frame_numbers]], beat.frames)


def test_a_long_loop_is_decoded_piece_by_piece_to_the_same_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = echo_pictures(31)
    path = save(compressed_cine(map(jpeg, pictures), pictures=pictures), tmp_path / "cine")
    at_once, batches = whole(path)
    assert batches == 1
    monkeypatch.setattr(loop_module, "_BATCH_BYTES", 4 * pictures[0].nbytes)
    in_pieces, batches = whole(path)
    assert batches == 8
    np.testing.assert_array_equal(in_pieces, at_once)


def test_of_more_frames_than_wanted_evenly_spread_ones_are_read(tmp_path: Path) -> None:
    path = save(cine(echo_pictures(31)), tmp_path / "cine")
    some, _ = whole(path, most_frames=7)
    np.testing.assert_array_equal(some, whole(path)[0][[0, 5, 10, 15, 20, 25, 30]])


def test_damaged_frames_outside_of_the_heartbeat_are_left_out_of_the_whole_loop(
    tmp_path: Path,
) -> None:
    pictures = echo_pictures(20)
    streams = [jpeg(picture) for picture in pictures]
    sound = save(compressed_cine(streams, pictures=pictures), tmp_path / "sound")
    for number in (12, 19):
        streams[number] = streams[number][: len(streams[number]) // 2] + bytes(8)
    path = save(compressed_cine(streams, pictures=pictures), tmp_path / "damaged")
    kept = [number for number in range(20) if number not in {12, 19}]
    np.testing.assert_array_equal(whole(path)[0], whole(sound)[0][kept])


def test_what_the_heartbeat_says_of_the_bits_holds_for_the_whole_loop(tmp_path: Path) -> None:
    """By itself, the dark end of this clip would pass for pixels of fewer bits."""
    pictures = (grey_of(echo_pictures(20)) * 16).astype(np.uint16)
    pictures[10:] //= 20
    path = save(cine(pictures, BitsStored=16, HighBit=15), tmp_path / "cine")
    plan = {"bounds": [0, 0, 79, 63], "fallback": False, "frames": list(range(10))}
    frames, _ = whole(path, 64, plan=plan)
    bright = frames[2].max()
    assert bright > 0.5
    np.testing.assert_allclose(frames[12].max(), bright / 20, rtol=0.3)
