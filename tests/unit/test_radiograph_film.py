"""Films to numbers: one film is the same picture, however an X-ray room stores it."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from inference.errors import InstanceUnreadableError
from inference.phantom.film.border import Border
from inference.phantom.film.storing import FilmClass, Scale, Storing
from inference.radiograph import film, patches
from inference.radiograph.film import NO_WINDOW_NOTE, fitted, look
from tests.peers import require
from tests.unit.films import COLUMNS, ROWS, greys, write_film
from tests.unit.ultrasound_files import relabel

SIDE = 64
TABLES = {Scale.VOI_TABLE, Scale.MODALITY_TABLE}
STATED = [scale for scale in Scale if scale is not Scale.NONE]


def assert_same(path: Path, expected: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(look(path, SIDE).pixels, expected, atol=1e-4)


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("bits", range(10, 17))
@pytest.mark.parametrize("scale", STATED)
def test_bits_scale_and_direction_do_not_change_a_film(
    scale: Scale, bits: int, white_is_zero: bool, tmp_path: Path
) -> None:
    path = write_film(tmp_path / "a.dcm", Storing(FilmClass.CR, bits, scale, white_is_zero))
    assert_same(path, fitted(greys(), SIDE))


@pytest.mark.parametrize("bits", range(10, 17))
def test_a_film_without_a_window_is_the_same_in_both_directions(bits: int, tmp_path: Path) -> None:
    storing = Storing(FilmClass.CR, bits, Scale.NONE)
    plain = look(write_film(tmp_path / "a.dcm", storing), SIDE)
    turned = write_film(tmp_path / "b.dcm", replace(storing, white_is_zero=True))
    assert_same(turned, plain.pixels)
    assert plain.notes == (NO_WINDOW_NOTE,)


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless],
    ids=lambda syntax: syntax.name,
)
def test_compression_does_not_change_a_film(syntax: UID, bits: int, tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.dcm", Storing(bits=bits, white_is_zero=True, syntax=syntax))
    assert_same(path, fitted(greys(), SIDE))


@pytest.mark.parametrize("scale", STATED)
def test_neither_does_deflation(scale: Scale, tmp_path: Path) -> None:
    dataset = dcmread(write_film(tmp_path / "a.dcm", Storing(scale=scale)))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    assert_same(tmp_path / "b.dcm", fitted(greys(), SIDE))


@pytest.mark.parametrize("scale", STATED)
def test_neither_does_the_byte_order(scale: Scale, tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.dcm", Storing(scale=scale))
    command = [require("dcmconv"), "+tb", path, tmp_path / "b.dcm"]
    subprocess.run(command, check=True, capture_output=True)
    assert_same(tmp_path / "b.dcm", fitted(greys(), SIDE))


def _encoded(codes: np.ndarray[Any, Any], syntax: str) -> bytes:
    if syntax == "1.2.840.10008.1.2.4.201":
        return bytes(imagecodecs.htj2k_encode(codes))
    if syntax == "1.2.840.10008.1.2.4.110":
        return bytes(imagecodecs.jpegxl_encode(codes, lossless=True, numthreads=1))
    return bytes(
        imagecodecs.jpeg8_encode(codes, level=100, bitspersample=12)
        if syntax == "1.2.840.10008.1.2.4.51"
        else imagecodecs.jpeg8_encode(codes, lossless=True, predictor=4, bitspersample=12)
    )


@pytest.mark.parametrize(
    ("syntax", "tolerance"),
    [
        ("1.2.840.10008.1.2.4.57", 1e-4),
        ("1.2.840.10008.1.2.4.110", 1e-4),
        ("1.2.840.10008.1.2.4.201", 1e-4),
        ("1.2.840.10008.1.2.4.51", 2e-3),
    ],
)
def test_rarer_codings_of_twelve_bits(syntax: str, tolerance: float, tmp_path: Path) -> None:
    dataset = dcmread(write_film(tmp_path / "a.dcm", Storing(bits=12)))
    codes = np.frombuffer(dataset.PixelData, np.uint16).reshape(ROWS, COLUMNS)
    dataset.PixelData = encapsulate([_encoded(codes, syntax)])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.save_as(tmp_path / "b.dcm", implicit_vr=False, little_endian=True)
    relabel(tmp_path / "b.dcm", syntax)
    seen = look(tmp_path / "b.dcm", SIDE).pixels
    np.testing.assert_allclose(seen, fitted(greys(), SIDE), atol=tolerance)


def test_inverse_and_monochrome1_turn_a_film_once(tmp_path: Path) -> None:
    storing = Storing(FilmClass.DX, white_is_zero=True)
    both = write_film(tmp_path / "both.dcm", storing, PresentationLUTShape="INVERSE")
    shape = write_film(
        tmp_path / "shape.dcm",
        storing,
        PresentationLUTShape="INVERSE",
        PhotometricInterpretation="MONOCHROME2",
    )
    tag = write_film(tmp_path / "tag.dcm", Storing(white_is_zero=True))
    for path in (both, shape, tag):
        assert_same(path, fitted(greys(), SIDE))


def test_a_film_that_lies_about_its_direction_is_another_picture(tmp_path: Path) -> None:
    lying = write_film(tmp_path / "a.dcm", PhotometricInterpretation="MONOCHROME1")
    assert np.abs(look(lying, SIDE).pixels - fitted(greys(), SIDE)).mean() > 0.1


def test_bits_above_the_stored_ones_do_not_count(tmp_path: Path) -> None:
    dataset = dcmread(write_film(tmp_path / "a.dcm", Storing(bits=12)))
    codes = np.frombuffer(dataset.PixelData, np.uint16).copy()
    codes[::7] |= 0xF000  # an overlay, as older devices write it
    dataset.PixelData = codes.tobytes()
    dataset.save_as(tmp_path / "b.dcm")
    assert_same(tmp_path / "b.dcm", fitted(greys(), SIDE))


def test_signed_values_are_read_as_such(tmp_path: Path) -> None:
    dataset = dcmread(write_film(tmp_path / "a.dcm", Storing(bits=12)))
    codes = np.frombuffer(dataset.PixelData, np.uint16).astype(np.int16) - 2048
    dataset.PixelData, dataset.PixelRepresentation = codes.tobytes(), 1
    dataset.WindowCenter = float(dataset.WindowCenter[0]) - 2048
    dataset.WindowWidth = float(dataset.WindowWidth[0])
    dataset.save_as(tmp_path / "b.dcm")
    assert_same(tmp_path / "b.dcm", fitted(greys(), SIDE))


@pytest.mark.parametrize(
    "broken",
    [
        {"WindowWidth": "0"},
        {"WindowWidth": "-5"},
        {"WindowCenter": None},
        {"VOILUTSequence": []},
    ],
    ids=str,
)
def test_a_window_that_is_none_is_replaced_and_noted(
    broken: dict[str, Any], tmp_path: Path
) -> None:
    dataset = dcmread(write_film(tmp_path / "a.dcm"))
    if "VOILUTSequence" in broken:
        del dataset.WindowCenter, dataset.WindowWidth
    dataset.update({} if None in broken.values() else broken)
    if None in broken.values():
        del dataset.WindowCenter
    dataset.save_as(tmp_path / "b.dcm")
    seen = look(tmp_path / "b.dcm", SIDE)
    assert seen.notes == (NO_WINDOW_NOTE,)
    assert np.corrcoef(seen.pixels.ravel(), fitted(greys(), SIDE).ravel())[0, 1] > 0.98


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("scale", [Scale.WINDOW, Scale.NONE, Scale.VOI_TABLE])
@pytest.mark.parametrize("border", [Border.UNEXPOSED, Border.MASKED])
def test_the_collimators_border_is_cut_off(
    border: Border, scale: Scale, white_is_zero: bool, tmp_path: Path
) -> None:
    storing = Storing(scale=scale, white_is_zero=white_is_zero)
    within = look(write_film(tmp_path / "a.dcm", storing, border=border), SIDE).pixels
    without = look(write_film(tmp_path / "b.dcm", storing), SIDE).pixels
    # A line of air above the shoulders is black, too, and may go with a black border.
    assert np.abs(within - without).mean() < 0.02


def test_a_film_is_padded_not_stretched(tmp_path: Path) -> None:
    pixels = look(write_film(tmp_path / "a.dcm"), 160).pixels
    before = (ROWS - COLUMNS) // 2
    assert pixels.shape == (160, 160)
    assert not pixels[:, :before].any()
    assert not pixels[:, before + COLUMNS :].any()
    np.testing.assert_allclose(pixels[:, before : before + COLUMNS], greys(), atol=1e-6)


def test_bones_are_white_and_lungs_black(tmp_path: Path) -> None:
    pixels = look(write_film(tmp_path / "a.dcm"), 100).pixels
    spine, lung = pixels[30:60, 48:52].mean(), pixels[35:55, 25:35].mean()
    assert spine > 0.6
    assert lung < 0.4


def test_a_film_of_one_grey_is_unreadable(tmp_path: Path) -> None:
    dataset = dcmread(write_film(tmp_path / "a.dcm"))
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(tmp_path / "b.dcm")
    with pytest.raises(InstanceUnreadableError, match="no picture"):
        look(tmp_path / "b.dcm")


def test_a_film_of_one_row_is_unreadable(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.dcm", Rows=1, Columns=ROWS * COLUMNS)
    with pytest.raises(InstanceUnreadableError, match="no film is 1 x"):
        look(path)


@pytest.mark.parametrize("kept", [0, 0.5])
def test_a_film_that_is_cut_short_is_unreadable(kept: float, tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.dcm")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - int((1 - kept) * 2 * ROWS * COLUMNS)])
    with pytest.raises(InstanceUnreadableError):
        look(path)


def test_the_grid_covers_the_film() -> None:
    picture = np.arange(512 * 512, dtype=np.float32).reshape(512, 512)
    nine = patches.grid(picture)
    assert nine.shape == (9, 224, 224)
    assert [patch[0, 0] for patch in nine[:3]] == [0, 144, 288]
    assert nine[8][-1, -1] == picture[-1, -1]
    assert patches.starts_px(film.SIDE_PX) == (0, 144, 288)
    assert 288 + patches.PATCH_PX == film.SIDE_PX


def test_smaller_films_are_cut_in_the_same_proportions() -> None:
    picture = np.zeros((512, 512), np.float32)
    assert patches.patches(picture, "grid", 128).shape == (9, 56, 56)
    assert patches.starts_px(128) == (0, 36, 72)
    with pytest.raises(ValueError, match="multiple of 32"):
        patches.patch_px(100)


def test_a_patch_lies_within_the_film() -> None:
    with pytest.raises(ValueError, match="leaves the film"):
        patches.patch(np.zeros((512, 512), np.float32), 0, 289)


def test_the_whole_film_keeps_its_mean() -> None:
    picture = np.random.default_rng(1).random((448, 448), np.float32)
    seen = patches.whole(picture)
    assert seen.shape == (1, 224, 224)
    assert seen.mean() == pytest.approx(picture.mean(), abs=1e-5)
