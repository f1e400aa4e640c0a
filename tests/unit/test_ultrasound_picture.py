"""What moves like a heart and looks like a heart's sector, and what only seems to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.dicom.header import read_header
from inference.errors import InstanceExcludedError
from inference.types import Selected
from inference.ultrasound.loop import Loop, look
from inference.ultrasound.picture import enough_frames, heart_shaped, moving, top_share
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from inference.ultrasound.subject import FULL_TOP, NARROW_TOP
from tests.unit.ultrasound_files import cine, save

FRAMES, ROWS, COLUMNS = 10, 240, 320
Frames = NDArray[np.uint8]


def tissue(seed: int = 1, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.float64]:
    """Speckle of many sizes, 8-bit grey levels."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((rows, columns))
    for size in (4, 8, 16, 40):
        coarse = rng.exponential(1.0, (-(-rows // size), -(-columns // size)))
        picture += np.kron(coarse, np.ones((size, size)))[:rows, :columns]
    return np.clip(picture * 22, 0, 255)


def sector(opening: float) -> NDArray[np.bool_]:
    """A sector as wide at the top as the share `opening` of its width at the bottom."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    half = COLUMNS * (opening + (1 - opening) * y / ROWS) / 2
    shown: NDArray[np.bool_] = np.abs(x - COLUMNS / 2) <= half
    return shown


def beating(opening: float = 0.05) -> Frames:
    """A dark chamber that grows and shrinks in bright tissue, which follows it."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    still = tissue()
    frames = []
    for number in range(FRAMES):
        stretch = 1 + 0.25 * np.sin(2 * np.pi * number / FRAMES + 0.4)
        rows = np.clip(ROWS / 2 + (y - ROWS / 2) / stretch, 0, ROWS - 1).astype(int)
        columns = np.clip(COLUMNS / 2 + (x - COLUMNS / 2) / stretch, 0, COLUMNS - 1).astype(int)
        chamber = np.hypot(y - ROWS / 2, x - COLUMNS / 2) < 45 * stretch
        frames.append(np.where(chamber, 5, still[rows, columns]) * sector(opening))
    return np.stack(frames).astype(np.uint8)


def copies(
    picture: NDArray[Any], *, jitter_px: int = 0, noise: float = 0, gain: float = 0
) -> Frames:
    """One picture ten times, as a hand, an amplifier and a decoder change it."""
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(FRAMES):
        down, right = rng.integers(-jitter_px, jitter_px + 1, 2)
        moved = np.roll(picture, (down, right), (0, 1)) * (1 + rng.uniform(-gain, gain))
        frames.append(moved + rng.normal(0, noise, picture.shape) * (noise > 0))
    return np.clip(frames, 0, 255).astype(np.uint8)


def test_a_beating_chamber_moves() -> None:
    assert moving(beating()).passed


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"noise": 8},
        {"noise": 20},
        {"jitter_px": 1},
        {"jitter_px": 4},
        {"gain": 0.3},
        {"jitter_px": 3, "noise": 10, "gain": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("opening", [0.05, 0.6, 1.0], ids=["sector", "convex", "linear"])
def test_copies_of_one_frame_stand_still(change: dict[str, Any], opening: float) -> None:
    verdict = moving(copies(tissue() * sector(opening), **change))
    assert not verdict.passed, verdict.detail


def test_a_probe_that_glides_over_standing_tissue_shows_no_heart() -> None:
    wide = tissue(columns=COLUMNS + 40)
    frames = np.stack([wide[:, at : at + COLUMNS] for at in range(0, 20, 2)])
    assert not moving(frames.astype(np.uint8)).passed


def test_an_ecg_that_runs_through_a_standing_picture_does_not_move_it() -> None:
    frames = copies(tissue() * sector(0.05))
    for number, frame in enumerate(frames):
        frame[-50:-10, : 32 * (number + 1)] = 0
        frame[-32:-28, : 32 * (number + 1)] = 220
        frame[-50:-10, 32 * number : 32 * number + 6] = 255
    assert not moving(frames).passed


def test_a_blinking_mark_does_not_move_a_standing_picture() -> None:
    frames = copies(tissue())
    frames[::2, 5:25, 5:25] = 255
    assert not moving(frames).passed


@pytest.mark.parametrize(
    ("opening", "narrow", "full"),
    [(0.05, True, True), (0.25, True, True), (0.6, False, True), (1.0, False, False)],
)
def test_the_top_of_the_picture_tells_phased_convex_and_linear_probes_apart(
    opening: float, narrow: bool, full: bool
) -> None:
    frames = beating(opening)
    assert top_share(frames) == pytest.approx(opening, abs=0.08)
    assert heart_shaped(frames, NARROW_TOP).passed == narrow
    assert heart_shaped(frames, FULL_TOP).passed == full


def test_letters_above_a_sector_do_not_widen_it() -> None:
    frames = beating()
    frames[:, 0:12, 10:310:3] = 230
    assert heart_shaped(frames, NARROW_TOP).passed


@pytest.mark.parametrize(("different", "enough"), [(1, False), (4, False), (5, True), (10, True)])
def test_at_least_five_different_frames_show_a_heartbeat(different: int, enough: bool) -> None:
    frames = beating()[np.arange(FRAMES) % different]
    assert enough_frames(frames).passed == enough


def seen(folder: Path, profile: Profile, frames: Frames, **attributes: Any) -> Loop:
    """Look at a clip of ten frames, one heartbeat long."""
    header = cine(np.repeat(frames[..., None], 3, axis=-1), **attributes)
    header.RWaveTimeVector = [0.0, 1000.0]
    bounds = header.SequenceOfUltrasoundRegions[0]
    bounds.RegionLocationMaxX1, bounds.RegionLocationMaxY1 = COLUMNS - 1, ROWS - 1
    path = save(header, folder / "cine")
    selection = select(read_header(path), profile)
    assert isinstance(selection, Selected)
    return look(path, selection.plan, size=32)


@pytest.mark.parametrize("profile", Profile)
def test_both_profiles_leave_out_what_is_frozen(profile: Profile, tmp_path: Path) -> None:
    with pytest.raises(InstanceExcludedError, match="of the picture moves") as caught:
        seen(tmp_path, profile, copies(tissue() * sector(0.05), jitter_px=2, noise=6))
    assert caught.value.reason.value == "FROZEN"


@pytest.mark.parametrize("profile", Profile)
def test_both_profiles_note_repeated_frames_and_leave_out_what_has_too_few(
    profile: Profile, tmp_path: Path
) -> None:
    loop = seen(tmp_path, profile, beating()[np.arange(FRAMES) % 7])
    assert loop.notes[-1] == (
        "Only 7 different frames show the heartbeat; some are used more than once."
    )
    with pytest.raises(InstanceExcludedError, match="4 different frames") as caught:
        seen(tmp_path, profile, beating()[np.arange(FRAMES) % 4])
    assert caught.value.reason.value == "FEW_FRAMES"


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    ("opening", "description", "taken"),
    [
        (0.05, "US", True),
        (0.6, "US", False),
        (0.6, "Echo", True),
        (1.0, "Echo", False),
        (1.0, "TTE", True),
    ],
)
def test_the_wider_a_picture_begins_the_plainer_it_must_be_called_a_heart(
    profile: Profile, opening: float, description: str, taken: bool, tmp_path: Path
) -> None:
    if taken:
        assert seen(tmp_path, profile, beating(opening), StudyDescription=description).frames.any()
        return
    with pytest.raises(InstanceExcludedError, match="linear or convex probe") as caught:
        seen(tmp_path, profile, beating(opening), StudyDescription=description)
    assert caught.value.reason.value == "NOT_CARDIAC"
