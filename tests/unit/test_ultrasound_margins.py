"""Bounds that cut through the picture, as those that were written for a smaller one do."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from inference.dicom.header import read_header
from inference.errors import InstanceExcludedError
from inference.types import Selected
from inference.ultrasound.loop import Loop, look
from inference.ultrasound.margins import find_cut
from inference.ultrasound.profile import Profile
from inference.ultrasound.regions import Bounds
from inference.ultrasound.selection import select
from tests.peers import shared
from tests.unit.ultrasound_files import save

SIDE_PX = 200
#: Where the picture lies in it.
X0, Y0, X1, Y1 = 50, 40, 149, 139


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    """A square that lives, in the middle of an image that is black and of letters that stand."""
    frames = np.zeros((10, SIDE_PX, SIDE_PX), np.uint8)
    frames[:, 150:170] = 200
    y, x = np.mgrid[Y0 : Y1 + 1, X0 : X1 + 1]
    for number in range(len(frames)):
        waves = 100 + 60 * np.sin(x / 15 + y / 20 + number)
        frames[number, Y0 : Y1 + 1, X0 : X1 + 1] = waves
    return frames


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(X0, Y0, X1, Y1),
        Bounds(X0 - 5, Y0 - 5, X1 + 5, Y1 + 5),
        Bounds(X0, Y0, X1, 160),
        Bounds(0, 0, SIDE_PX - 1, SIDE_PX - 1),
    ],
)
def test_bounds_around_the_picture_cut_nothing(pictures: NDArray[np.uint8], bounds: Bounds) -> None:
    cut = find_cut(pictures, bounds)
    assert (cut.share, cut.notes, cut.verdict.passed) == (0, (), True)


@pytest.mark.parametrize(
    ("bounds", "side"),
    [
        (Bounds(X0 + 20, Y0, X1, Y1), "left"),
        (Bounds(X0, Y0, X1 - 20, Y1), "right"),
        (Bounds(X0, Y0 + 20, X1, Y1), "upper"),
        (Bounds(X0, Y0, X1, Y1 - 20), "lower"),
    ],
)
def test_a_side_that_cuts_is_named(pictures: NDArray[np.uint8], bounds: Bounds, side: str) -> None:
    cut = find_cut(pictures, bounds)
    assert (cut.side, cut.verdict.passed) == (side, False)


def test_a_corner_that_is_cut_off_is_noted(pictures: NDArray[np.uint8]) -> None:
    lower = pictures.copy()
    lower[:, :126] = 0
    cut = find_cut(lower, Bounds(X0, Y0, X1 - 20, Y1))
    assert cut.verdict.passed
    assert cut.notes == ("The picture goes on beyond 16% of the region's right side.",)


def seen(profile: Profile, path: Path) -> Loop:
    selection = select(read_header(path), profile)
    assert isinstance(selection, Selected), selection.detail
    return look(path, selection.plan, size=32)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("name", ["base-jpeg", "base-native"])
def test_bounds_of_a_smaller_picture_are_excluded(
    profile: Profile, name: str, tmp_path: Path
) -> None:
    header = dcmread(shared("cases", f"{name}.dcm"))
    (region,) = header.SequenceOfUltrasoundRegions
    for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1"):
        keyword = f"RegionLocation{corner}"
        setattr(region, keyword, getattr(region, keyword) // 2)
    with pytest.raises(InstanceExcludedError) as caught:
        seen(profile, save(header, tmp_path / "halved.dcm"))
    assert caught.value.reason.value == "BOUNDS_CUT"


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("name", ["base-jpeg", "base-native"])
def test_true_bounds_are_taken_without_a_note(profile: Profile, name: str) -> None:
    loop = seen(profile, shared("cases", f"{name}.dcm"))
    assert not any("goes on beyond" in note for note in loop.notes)
