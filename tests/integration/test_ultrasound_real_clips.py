"""Real clips: each gets the verdicts that its header earns, and its pixels come out right."""

import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import iter_pixels

from inference.dicom.header import instance_ref, read_header
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.types import Rejected, Selected
from inference.ultrasound.decoding import colour_frames, decode_frames
from inference.ultrasound.loop import look, open_loop
from inference.ultrasound.paper import TABLE_4
from inference.ultrasound.selection import select
from tests.peers import SHARED, require, shared
from tests.unit.ultrasound_files import cine, save

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FOLDERS = ("us", "nasty", "cxr", "ecg", "sr")


def files(*folders: str) -> list[Path]:
    found = [path for name in folders for path in sorted((SHARED / "data" / name).glob("*.dcm"))]
    return found or [SHARED / "data" / "absent"]


def name(path: Path) -> str:
    return path.stem


def verdicts_in_index() -> dict[str, str]:
    """File name -> the six strict rules as 0 and 1."""
    rows = shared("data", "INDEX.md").read_text().splitlines()
    cells = [[cell.strip() for cell in row.split("|")] for row in rows if row.startswith("|")]
    return {row[1]: row[8] for row in cells if re.fullmatch("[01]{6}", row[8])}


def reference_colours(path: Path, indices: list[int]) -> NDArray[np.float64]:
    """The same frames by pydicom, 0..255; without colour (n, rows, columns)."""
    dataset = dcmread(path, force=True)
    pixels = np.stack(list(iter_pixels(dataset, indices=indices)))
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        pixels = pixels / (257 if pixels.max() > 255 else 1)
    colours: NDArray[np.float64] = pixels.astype(np.float64)
    return colours


def reference_grey(path: Path, indices: list[int]) -> NDArray[np.float64]:
    """The same frames by pydicom, as BT.601 grey 0..255."""
    colours = reference_colours(path, indices)
    return colours if colours.ndim == 3 else colours @ np.array([0.299, 0.587, 0.114])


def test_the_verdicts_on_every_real_clip_are_those_of_the_index() -> None:
    expected = verdicts_in_index()
    assert len(expected) == 32
    found = {
        path.stem: "".join(str(int(asked[rule.__name__])) for rule in TABLE_4)
        for path in files("us")
        for asked in [{v.rule: v.passed for v in select(read_header(path)).verdicts}]
    }
    assert found == expected


def test_exactly_the_two_clips_with_r_waves_are_selected() -> None:
    shared("data", "us")
    selected = [
        path.stem for path in files("us") if isinstance(select(read_header(path)), Selected)
    ]
    assert selected == ["derived_godicom_toshiba_31_rwave", "derived_sonosite_turbo_pla_120f_rwave"]


@pytest.mark.parametrize("path", files("us"), ids=name)
def test_frames_of_real_clips_match_those_of_pydicom(path: Path) -> None:
    if not path.exists():
        pytest.skip("shared test data not here: data/us")
    frames = instance_ref(read_header(path)).number_of_frames
    indices = sorted({0, frames // 2, frames - 1})
    difference = np.abs(decode_frames(path, indices) - reference_grey(path, indices))
    # Luma leaves out that RGB is clipped: single bright colours differ, on average nothing does.
    assert difference.mean() < 0.3
    assert np.mean(difference > 4) < 0.01


@pytest.mark.parametrize("path", files("us"), ids=name)
def test_colours_of_real_clips_match_those_of_pydicom(path: Path) -> None:
    if not path.exists():
        pytest.skip("shared test data not here: data/us")
    colours = reference_colours(path, [0])
    if colours.ndim == 3:
        colours = np.repeat(colours[..., np.newaxis], 3, axis=-1)
    difference = np.abs(colour_frames(path, [0]) - colours)
    assert difference.mean() < 0.3
    assert np.mean(difference > 4) < 0.01


#: What the first frame of each awkward file is: rows and columns, or why it cannot be seen.
NASTY: dict[str, tuple[int, int] | str] = {
    "dcmjs-org__fragment-multiframe-test": (256, 256),
    "dcmjs-org__no-meta-length-test": "0 x 0 pixels",
    "mercure-imaging__mandel": (512, 512),
    # Nothing but a colour box: no grey and no black shows whether this is RGB.
    "pydicom__ExplVR_BigEnd": "neither RGB nor YCbCr",
    "pydicom__ExplVR_BigEndNoMeta": "0 x 0 pixels",
    "pydicom__ExplVR_LitEndNoMeta": "0 x 0 pixels",
    "pydicom__MR_small_padded": (64, 64),
    "pydicom__MR_truncated": "end before or within frame 1",
    "pydicom__OT-PAL-8-face": (480, 640),
    "pydicom__SC_rgb_jpeg": (256, 256),
    "pydicom__UN_sequence": "0 x 0 pixels",
    "pydicom__ambiguous_vr": "end before or within frame 1",
    "pydicom__badVR": "32 bits",
    "pydicom__empty_charset_LEI": "0 x 0 pixels",
    # A dark MR: a ninth of its 12 bits.
    "pydicom__emri_small_jpeg_2k_lossless_too_short": "do not fit the 12 bits",
    "pydicom__explicit_VR-UN": (512, 512),
    "pydicom__image_dfl": (512, 512),
    "pydicom__meta_missing_tsyntax": "0 x 0 pixels",
    "pydicom__nested_priv_SQ": "0 x 0 pixels",
    "pydicom__no_meta": "0 x 0 pixels",
    "pydicom__no_meta_group_length": "0 x 0 pixels",
    "pydicom__priv_SQ": "0 x 0 pixels",
    "pydicom__reportsi_with_empty_number_tags": "0 x 0 pixels",
    "pydicom__rtplan_truncated": "0 x 0 pixels",
    "pydicom__rtstruct": "0 x 0 pixels",
    "radiopaedia__02_ras_uids": (8, 8),
    "thalesmms__jpeg_baseline_synthetic": (4, 4),
    "wearemothership__20-wrong-transfer-syntax": (512, 512),
}


def test_every_awkward_file_has_its_line_in_the_table() -> None:
    assert {path.stem for path in shared("data", "nasty").glob("*.dcm")} == set(NASTY)


@pytest.mark.parametrize("stem", NASTY)
def test_an_awkward_file_is_seen_or_says_why_not(stem: str) -> None:
    path = shared("data", "nasty", f"{stem}.dcm")
    expected = NASTY[stem]
    if isinstance(expected, str):
        with pytest.raises((InstanceUnreadableError, InstanceExcludedError), match=expected):
            colour_frames(path, [0])
        return
    shown = colour_frames(path, [0])
    assert shown.shape == (1, *expected, 3)


#: Of those: what pydicom can decode, with 8 bits.
def test_an_awkward_file_looks_as_pydicom_shows_it() -> None:
    path = shared("data", "nasty", "pydicom__SC_rgb_jpeg.dcm")
    assert np.abs(colour_frames(path, [0]) - reference_colours(path, [0])).mean() < 0.5


@pytest.mark.parametrize(
    "stem",
    ["pydicom__explicit_VR-UN", "pydicom__image_dfl"],
)
def test_an_awkward_file_without_colour_has_the_greys_of_pydicom(stem: str) -> None:
    path = shared("data", "nasty", f"{stem}.dcm")
    dataset = dcmread(path, force=True)
    stored = reference_colours(path, [0])
    most = 2**dataset.BitsStored - 1
    levels = stored + (2 ** (dataset.BitsStored - 1) if dataset.PixelRepresentation else 0)
    np.testing.assert_allclose(decode_frames(path, [0]), levels * (255 / most), atol=1)


def test_signed_pixels_whose_ground_is_zero_are_black_there_and_not_grey() -> None:
    path = shared("data", "nasty", "pydicom__MR_small_padded.dcm")
    stored = reference_colours(path, [0])
    assert stored.min() >= 0
    np.testing.assert_allclose(decode_frames(path, [0]), stored * (255 / 4095), atol=1)


@pytest.mark.parametrize("path", files("us"), ids=name)
def test_a_selected_clip_is_seen_whole(path: Path) -> None:
    if not path.exists():
        pytest.skip("shared test data not here: data/us")
    selection = select(read_header(path))
    if isinstance(selection, Rejected):
        return
    loop = look(path, selection.plan)
    assert loop.frames.shape == (10, 256, 256)
    assert loop.notes == ()
    assert loop.frame_numbers == (2, 6, 9, 12, 15, 19, 22, 25, 28, 32)
    assert 0.02 < loop.frames.mean() < 0.5
    assert loop.preview.shape[0] <= 480
    with open_loop(path, selection.plan) as opened:
        whole = np.concatenate(list(opened.whole(1000)))
    assert len(whole) == dcmread(path, stop_before_pixels=True).NumberOfFrames
    np.testing.assert_array_equal(whole[[n - 1 for n in loop.frame_numbers]], loop.frames)


@pytest.mark.parametrize("path", files(*FOLDERS), ids=name)
def test_one_frame_forced_through_twice_is_frozen_or_unreadable(path: Path) -> None:
    if not path.exists():
        pytest.skip("shared test data not here: data")
    header = read_header(path)
    assert isinstance(select(header), Selected | Rejected)
    forced = {"bounds": [0, 0, 9999, 9999], "frames": [0, 0], "fallback": False}
    with pytest.raises((InstanceUnreadableError, InstanceExcludedError)) as caught:
        look(path, forced, size=32)
    assert "Traceback" not in str(caught.value)
    if isinstance(caught.value, InstanceExcludedError):
        known = {"FROZEN", "COLOUR_UNCERTAIN", "LAYOUT_UNCERTAIN", "BITS_UNCERTAIN"}
        assert caught.value.reason.value in known


def test_frames_spread_over_fragments_are_put_together() -> None:
    path = shared("data", "nasty", "dcmjs-org__fragment-multiframe-test.dcm")
    stored = dcmread(path).pixel_array
    assert (stored.min(), stored.max()) == (0, 134)  # of 16 bits, signed, by the label
    np.testing.assert_array_equal(decode_frames(path, [0, 1]), stored)


@pytest.mark.parametrize(
    "options",
    [["dcmcjpeg", "+el"], ["dcmcjpeg", "+e1"], ["dcmcjpls"], ["dcmcrle"]],
    ids=" ".join,
)
def test_lossless_transcoding_by_dcmtk_changes_nothing(options: list[str], tmp_path: Path) -> None:
    source = shared("data", "us", "godicom_toshiba_34.dcm")
    target = tmp_path / "transcoded.dcm"
    command = [require(options[0]), *options[1:], str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    np.testing.assert_array_equal(decode_frames(target, [0]), decode_frames(source, [0]))


def twelve_bit_jpeg(option: str, folder: Path) -> tuple[Path, Path]:
    """A 12-bit image uncompressed and as DCMTK's JPEG: `+el` lossless, `+ee` extended."""
    frames = (np.add.outer(np.arange(48) * 40, np.arange(64) * 30) % 4096).astype(np.uint16)[None]
    source = save(cine(frames, BitsStored=12, HighBit=11), folder / "source.dcm")
    target = folder / "jpeg.dcm"
    command = [require("dcmcjpeg"), option, str(source), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return source, target


@pytest.mark.parametrize("option", ["+el", "+ee"])
def test_twelve_bit_jpeg_by_dcmtk_is_decoded(option: str, tmp_path: Path) -> None:
    source, target = twelve_bit_jpeg(option, tmp_path)
    np.testing.assert_allclose(decode_frames(target, [0]), decode_frames(source, [0]), atol=1)


def test_a_twelve_bit_jpeg_that_breaks_its_decoder_breaks_nothing_else(tmp_path: Path) -> None:
    _, target = twelve_bit_jpeg("+el", tmp_path)
    content = target.read_bytes()
    tables = content.index(b"\xff\xc4")
    target.write_bytes(content[: tables + 5] + b"\xff" * 16 + content[tables + 21 :])
    with pytest.raises(InstanceUnreadableError):
        decode_frames(target, [0])


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_clip_cut_short_gives_its_frames_or_says_that_they_are_missing(
    cut: float, tmp_path: Path
) -> None:
    source = shared("data", "us", "godicom_hp_01.dcm")
    whole = decode_frames(source, [0, 33])
    content = source.read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(content[: int(len(content) * cut)])
    np.testing.assert_array_equal(decode_frames(path, [0]), whole[:1])
    with pytest.raises(InstanceUnreadableError):
        decode_frames(path, [33])


def test_selecting_and_looking_load_no_torch() -> None:
    modules = "inference.ultrasound.selection, inference.ultrasound.loop"
    check = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


#: SHA-256 (its first 16 digits) of frames 1, 3 and 5 in grey and in colour, as models were trained
#: on them: what is labelled as it should be is decoded to the same bits for ever.
GOLDEN: dict[str, tuple[str, str]] = {
    "data/us/derived_godicom_toshiba_31_rwave": ("1b2cb220cd9b1b93", "88234502aa054d55"),
    "data/us/derived_sonosite_turbo_pla_120f_rwave": ("b697aef7ac17bb61", "26a076b80515a923"),
    "data/us/godicom_hp_01": ("6291fedf29d82b53", "f106aa9e5f2701f0"),
    "data/us/godicom_acuson_07": ("78deaf17b166ca58", "c28abfb514877a5e"),
    "data/us/agilent_echo_10f": ("aeed3cfa18092e1b", "9e3e9d056fd647c0"),
    "data/us/acme_execho_8f_j2k": ("e556061d49f8ca62", "54f0634e9fa671b0"),
    "data/us/acme_pal_echo_10f_jpegls": ("ff23665fc6697503", "4856fbaa1a731911"),
    "data/us/acme_pal_echo_10f_rle": ("ff23665fc6697503", "4856fbaa1a731911"),
    "data/us/derived_philips_affiniti70_echo_5f": ("40daa12ababa46f7", "e5854ab31c8ca64b"),
    "data/us/ge_vivid7_cfm_19f": ("6e767b0db9e4bd0a", "bfa8ed66ae282248"),
    "cases/base-jpeg": ("40bdf941cc017a37", "6726fc4b8019d7d6"),
    "cases/base-native": ("22c46f69fedfe1dd", "4f7fedb226862ba2"),
}


@pytest.mark.parametrize("clip", GOLDEN)
def test_a_clip_that_is_labelled_right_is_decoded_to_the_bits_of_its_training(clip: str) -> None:
    path = shared(*f"{clip}.dcm".split("/"))
    made = (decode_frames(path, [0, 2, 4]), colour_frames(path, [0, 2, 4]))
    assert tuple(sha256(frames.tobytes()).hexdigest()[:16] for frames in made) == GOLDEN[clip]
