"""Palettes: whole and segmented, 8 and 16 bits, with values before and after what is mapped."""

import time
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.multival import MultiValue

from inference.dicom.pixels.pixel_format import read_pixel_format
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.ultrasound.palette import expand, read_palette
from tests.unit.ultrasound_files import cine

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

COLOURS = ("Red", "Green", "Blue")


def header_with(descriptor: list[int], keyword: str, data: Any, **attributes: Any) -> Dataset:
    header = cine(np.zeros((1, 8, 8), np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for name, value in attributes.items():
        setattr(header, name, value)
    for colour in COLOURS:
        setattr(header, f"{colour}PaletteColorLookupTableDescriptor", descriptor)
        setattr(header, keyword.format(colour), data)
    header.set_original_encoding(False, True)
    return header


def reds(header: Dataset) -> list[int]:
    palette = read_palette(header, read_pixel_format(header)).colours
    assert palette.shape == (256, 3)
    assert (palette == palette[:, :1]).all()
    return palette[:, 0].tolist()


WHOLE = "{}PaletteColorLookupTableData"
SEGMENTED = "Segmented{}PaletteColorLookupTableData"


def words(*values: int) -> bytes:
    return np.array(values, "<u2").tobytes()


def test_values_outside_of_what_is_mapped_have_the_first_and_the_last_colour() -> None:
    found = reds(header_with([3, 100, 8], WHOLE, bytes([10, 20, 30, 0])))
    assert found[:100] == [10] * 100
    assert found[100:103] == [10, 20, 30]
    assert found[103:] == [30] * 153


def test_signed_values_are_mapped_from_a_negative_first_one() -> None:
    table = bytes(range(256))
    header = header_with([256, -128, 8], WHOLE, table, PixelRepresentation=1)
    found = reds(header)
    assert found[128] == 0  # stored 0x80 is -128
    assert found[0] == 128
    assert found[127] == 255


def test_entries_of_16_bits_keep_their_high_byte() -> None:
    table = words(*(value * 257 for value in range(256)))
    assert reds(header_with([256, 0, 16], WHOLE, table)) == list(range(256))


def test_entries_written_as_numbers_are_read_too() -> None:
    table = MultiValue(int, [value * 257 for value in range(256)])
    assert reds(header_with([256, 0, 16], WHOLE, table)) == list(range(256))


def test_a_segmented_palette_of_16_bits() -> None:
    ramp = words(0, 1, 0, 1, 255, 65535)
    assert reds(header_with([256, 0, 16], SEGMENTED, ramp)) == list(range(256))


def test_a_segmented_palette_of_8_bits() -> None:
    ramp = bytes([0, 1, 0, 1, 255, 255])
    assert reds(header_with([256, 0, 8], SEGMENTED, ramp)) == list(range(256))


def test_segments_discrete_linear_and_by_reference() -> None:
    segments = [0, 2, 5, 9, 1, 3, 3, 2, 2, 0, 0]  # the last: two segments from byte 0 on
    assert expand(segments, 2, 10) == [5, 9, 7, 5, 3, 5, 9, 7, 5, 3]


def test_a_reference_counts_in_bytes() -> None:
    assert expand([0, 1, 7, 0, 2, 8, 9, 2, 1, 6, 0], 2, 5) == [7, 8, 9, 8, 9]
    assert expand([0, 1, 7, 0, 2, 8, 9, 2, 1, 3, 0, 0, 0], 1, 5) == [7, 8, 9, 8, 9]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        words(1, 256, 9),  # a ramp from nowhere
        words(0, 2, 1, 2),  # too few
        words(0, 0) * 50,  # empty segments
        words(0, 1, 1, 2, 1, 6, 0),  # a reference to a reference
        words(9, 1, 1),
    ],
)
def test_a_malformed_segmented_palette_is_refused(data: bytes) -> None:
    with pytest.raises(InstanceUnreadableError, match="palette"):
        reds(header_with([256, 0, 16], SEGMENTED, data))


def test_segments_that_would_fill_the_memory_stop_at_the_last_entry() -> None:
    segments = words(0, 1, 0, *([1, 65535, 9] * 20_000), *([2, 65535, 6, 0] * 20_000))
    began = time.perf_counter()
    assert len(reds(header_with([256, 0, 16], SEGMENTED, segments))) == 256
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("descriptor", [[256, 0], [300, 0, 16], []])
def test_a_palette_that_does_not_fit_its_descriptor_is_refused(descriptor: list[int]) -> None:
    with pytest.raises(InstanceUnreadableError, match="palette"):
        reds(header_with(descriptor, WHOLE, bytes(256)))


def grey_entries(width: type, scale: int = 1) -> bytes:
    return (np.arange(256) * scale).astype(width).tobytes()


@pytest.mark.parametrize(
    ("descriptor", "table"),
    [
        ([128, 0, 16], grey_entries(np.uint16, 257)),
        ([4096, 0, 16], grey_entries(np.uint16, 257)),
        ([0, 0, 16], grey_entries(np.uint16)),  # 65536 by the standard
        ([255, 0, 8], grey_entries(np.uint16)),
        ([16, 0, 8], grey_entries(np.uint8)),
    ],
)
def test_a_descriptor_with_a_wrong_number_of_entries_yields_to_a_table_for_every_value(
    descriptor: list[int], table: bytes
) -> None:
    header = header_with(descriptor, WHOLE, table)
    palette = read_palette(header, read_pixel_format(header))
    assert palette.colours[:, 1].tolist() == list(range(256))
    assert palette.mapped.all()
    stated = descriptor[0] or 2**16
    assert palette.notes == (f"The palette holds 256 colours although it says {stated}.",)


def test_a_right_descriptor_is_not_noted() -> None:
    header = header_with([256, 0, 16], WHOLE, grey_entries(np.uint16, 257))
    assert read_palette(header, read_pixel_format(header)).notes == ()


@pytest.mark.parametrize("descriptor", [[64, 0, 8], [256, 128, 8], [16, 100, 8]])
def test_a_palette_without_a_colour_for_what_is_shown_is_refused(descriptor: list[int]) -> None:
    header = header_with(descriptor, WHOLE, bytes(range(descriptor[0])))
    palette = read_palette(header, read_pixel_format(header))
    shown = np.arange(200, dtype=np.uint8).reshape(1, 10, 20)
    with pytest.raises(InstanceExcludedError, match="have no colour in the palette") as caught:
        palette.check(list(shown))
    assert caught.value.reason.value == "PALETTE_MISFIT"


def test_a_mark_that_has_no_colour_of_its_own_does_not_matter() -> None:
    header = header_with([250, 0, 8], WHOLE, bytes(range(250)))
    shown = np.arange(200, dtype=np.uint8).repeat(10).reshape(40, 50)
    shown[0, 0] = 255
    read_palette(header, read_pixel_format(header)).check([shown])
