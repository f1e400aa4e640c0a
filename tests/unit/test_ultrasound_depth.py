"""Samples whose bits are labelled wrongly have the right brightness, or are left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRBigEndian, JPEGLSLossless, RLELossless

from inference.errors import InstanceExcludedError
from inference.ultrasound.decoding import grey_pictures
from tests.unit.ultrasound_files import cine, echo_pictures, grey_of, save

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

WANTED = (4, 0, 2)
GREY = grey_of(echo_pictures())


def levels(bits: int) -> NDArray[np.uint16]:
    """The grey cine in so many bits."""
    return np.rint(GREY * ((2**bits - 1) / 255 * 1.5)).clip(0, 2**bits - 1).astype(np.uint16)


def shown(bits: int) -> NDArray[np.float64]:
    return levels(bits)[list(WANTED)] * (255 / (2**bits - 1))


def grey_cine(stored: NDArray[Any], bits_stored: int, high_bit: int, **attributes: Any) -> Any:
    return cine(stored, BitsStored=bits_stored, HighBit=high_bit, **attributes)


#: Samples, Bits Stored and High Bit as labelled, and the bits that are meant.
WRONG: dict[str, tuple[NDArray[Any], int, int, int]] = {
    "8 bits labelled 16": (levels(8), 16, 15, 8),
    "8 bits labelled 12": (levels(8), 12, 11, 8),
    "12 bits labelled 16": (levels(12), 16, 15, 12),
    "12 bits, High Bit 15, but at the lower end": (levels(12), 12, 15, 12),
    "12 bits at the upper end, High Bit 11": (levels(12) << 4, 12, 11, 12),
    "8 bits at the upper end, High Bit 7": (levels(8) << 8, 8, 7, 8),
    "16 bits labelled 12": (levels(16), 12, 11, 16),
    "8 bits labelled 7": (levels(8).astype(np.uint8), 7, 6, 8),
    "10 bits labelled 8": (levels(10), 8, 7, 10),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("way", ["native", "RLE"])
def test_bits_that_the_label_does_not_fit(way: str, what: str, tmp_path: Path) -> None:
    stored, bits_stored, high_bit, meant = WRONG[what]
    header = grey_cine(stored, bits_stored, high_bit)
    if way == "RLE":
        header.BitsStored, header.HighBit = 8 * stored.itemsize, 8 * stored.itemsize - 1
        header.compress(RLELossless, generate_instance_uid=False)
        header.BitsStored, header.HighBit = bits_stored, high_bit
    seen = grey_pictures(save(header, tmp_path / "instance"), WANTED)
    np.testing.assert_allclose(seen.frames, shown(meant), atol=1)
    [note] = seen.notes
    assert note.startswith("Pixels are unsigned in bits ")
    assert f"labelled unsigned, {bits_stored} bits up to bit {high_bit}; corrected." in note


RIGHT: dict[str, tuple[NDArray[Any], int, int, int]] = {
    "8 of 8": (levels(8).astype(np.uint8), 8, 7, 8),
    "8 of 16": (levels(8), 8, 7, 8),
    "12 of 16": (levels(12), 12, 11, 12),
    "12 of 16 at the upper end": (levels(12) << 4, 12, 15, 12),
    "16 of 16": (levels(16), 16, 15, 16),
    "a little dim": (levels(12) // 4, 12, 11, 12),
}


@pytest.mark.parametrize("what", RIGHT)
def test_a_label_that_fits_is_believed_without_a_note(what: str, tmp_path: Path) -> None:
    stored, bits_stored, high_bit, meant = RIGHT[what]
    seen = grey_pictures(save(grey_cine(stored, bits_stored, high_bit), tmp_path / "one"), WANTED)
    dimmed = 1 / 4 if "dim" in what else 1
    np.testing.assert_allclose(seen.frames, shown(meant) * dimmed, atol=1)
    assert seen.notes == ()


def test_a_few_marks_in_the_bits_above_the_value_do_not_count(tmp_path: Path) -> None:
    marked = levels(12)
    marked[:, 5, 8:12] |= 0x8000
    seen = grey_pictures(save(grey_cine(marked, 12, 11), tmp_path / "instance"), WANTED)
    np.testing.assert_allclose(seen.frames, shown(12), atol=1)
    assert seen.notes == ()


@pytest.mark.parametrize(
    ("stored", "bits"),
    [
        (levels(12) // 16, 16),  # 8 bits, or a dark picture of 12
        (levels(16) // 12, 16),
        (levels(12) | np.random.default_rng(2).integers(0, 16, GREY.shape, np.uint16) << 12, 12),
    ],
    ids=["as dark as 8 bits", "a twelfth of the range", "noise above the value"],
)
def test_what_may_be_one_as_well_as_the_other_is_left_out_or_read_by_its_bits(
    stored: NDArray[np.uint16], bits: int, tmp_path: Path
) -> None:
    path = save(grey_cine(stored, bits, bits - 1), tmp_path / "instance")
    try:
        seen = grey_pictures(path, WANTED)
    except InstanceExcludedError as error:
        assert error.reason.value == "BITS_UNCERTAIN"
        return
    assert seen.notes or bits == 12
    assert seen.frames.max() >= 128


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_unsigned_greys_that_are_labelled_signed(bits: int, tmp_path: Path) -> None:
    stored = levels(bits).astype(np.uint8 if bits == 8 else np.uint16)
    header = grey_cine(stored, bits, bits - 1, PixelRepresentation=1)
    seen = grey_pictures(save(header, tmp_path / "instance"), WANTED)
    np.testing.assert_allclose(seen.frames, shown(bits), atol=1)
    assert "unsigned in bits 0" in seen.notes[0]


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("label", [0, 1])
def test_signed_greys_whatever_their_label(label: int, bits: int, tmp_path: Path) -> None:
    signed = (levels(bits).astype(np.int32) - 2 ** (bits - 1)).astype(
        np.int8 if bits == 8 else np.int16
    )
    header = grey_cine(signed, bits, bits - 1, PixelRepresentation=label)
    seen = grey_pictures(save(header, tmp_path / "instance"), WANTED)
    np.testing.assert_allclose(seen.frames, shown(bits), atol=1)
    assert len(seen.notes) == 1 - label


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", ExplicitVRBigEndian])
@pytest.mark.parametrize("bits", [12, 16])
def test_bytes_in_the_other_order_than_their_syntax_says(
    bits: int, syntax: str, tmp_path: Path
) -> None:
    stored = levels(bits)
    header = grey_cine(stored, bits, bits - 1)
    header.file_meta.TransferSyntaxUID = syntax
    wrong = "<u2" if syntax == ExplicitVRBigEndian else ">u2"
    header.PixelData = stored.astype(wrong).tobytes()
    header["PixelData"].VR = "OW"
    seen = grey_pictures(save(header, tmp_path / "instance"), WANTED)
    np.testing.assert_allclose(seen.frames, shown(bits), atol=1)
    assert seen.notes == (
        "The bytes of each pixel stand in the other order than the transfer syntax says.",
    )


def test_colour_of_8_bits_in_16(tmp_path: Path) -> None:
    header = cine(echo_pictures().astype(np.uint16), BitsStored=16, HighBit=15)
    seen = grey_pictures(save(header, tmp_path / "instance"), WANTED)
    np.testing.assert_allclose(seen.frames, GREY[list(WANTED)], atol=1)
    assert "in bits 0 to 7" in seen.notes[0]


def test_a_codestream_knows_its_bits_better_than_the_label(tmp_path: Path) -> None:
    header = grey_cine(levels(12), 12, 11)
    header.compress(JPEGLSLossless, generate_instance_uid=False)
    header.BitsStored, header.HighBit = 16, 15
    seen = grey_pictures(save(header, tmp_path / "instance"), WANTED)
    np.testing.assert_allclose(seen.frames, shown(12), atol=1)


def test_a_black_clip_is_black(tmp_path: Path) -> None:
    path = save(grey_cine(np.zeros((6, 64, 80), np.uint16), 12, 11), tmp_path / "instance")
    assert not grey_pictures(path, WANTED).frames.any()
