"""Looking at a selected loop."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.sequence import Sequence as DicomSequence

from inference.dicom.header import read_header
from inference.errors import LoopExcludedError, LoopUnreadableError
from inference.types import Selected
from inference.ultrasound.loop import FALLBACK_NOTE, look
from inference.ultrasound.selection import select
from tests.unit.ultrasound_files import cine, echo_pictures, grey_of, region, save


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
    with pytest.raises(LoopExcludedError, match="no complete heartbeat between") as caught:
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
    with pytest.raises(LoopUnreadableError, match="no picture"):
        look(path, plan_of(path))
