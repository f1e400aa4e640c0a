"""Look-up tables and windows of films: pydicom's own functions are the oracle."""

from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi, apply_windowing

from inference.radiograph.greyscale import modality_values, shown, windowed

FUNCTIONS = st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"])


def header(bits: int, signed: bool, **attributes: Any) -> Dataset:
    made = Dataset()
    made.set_original_encoding(False, True)
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.PixelRepresentation = 16, bits, int(signed)
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


@st.composite
def pictures(draw: st.DrawFn) -> tuple[int, bool, NDArray[np.int32]]:
    """Bits, sign and some stored values."""
    bits, signed = draw(st.integers(10, 16)), draw(st.booleans())
    low = -(2 ** (bits - 1)) if signed else 0
    values = st.integers(low, low + 2**bits - 1)
    return bits, signed, draw(arrays(np.int32, (3, 5), elements=values))


def table(entries: NDArray[np.uint16], first: int, bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first % 2**16 if first < 0 else first, bits]
    item["LUTDescriptor"].VR = "US"
    item.add_new(0x00283006, "OW", entries.tobytes())
    return item


@given(pictures(), st.floats(-70_000, 70_000), st.floats(2, 70_000), FUNCTIONS)
def test_a_window_is_the_one_of_the_standard(
    picture: tuple[int, bool, NDArray[np.int32]], centre: float, width: float, function: str
) -> None:
    bits, signed, stored = picture
    made = header(bits, signed, WindowCenter=centre, WindowWidth=width, VOILUTFunction=function)
    centre, width = float(made.WindowCenter), float(made.WindowWidth)
    low = -(2 ** (bits - 1)) if signed else 0
    expected = (apply_windowing(stored, made) - low) / (2**bits - 1)
    seen = windowed(stored.astype(float), centre, width, function)
    assert seen is not None
    np.testing.assert_allclose(seen, expected, atol=1e-6)


@given(pictures(), st.floats(0.01, 50), st.floats(-5000, 5000))
def test_a_rescale_is_the_one_of_the_standard(
    picture: tuple[int, bool, NDArray[np.int32]], slope: float, intercept: float
) -> None:
    bits, signed, stored = picture
    made = header(bits, signed, RescaleSlope=slope, RescaleIntercept=intercept)
    np.testing.assert_allclose(
        modality_values(stored, made), apply_modality_lut(stored, made), atol=1e-6
    )


@given(pictures(), st.data())
def test_a_voi_table_is_the_one_of_the_standard(
    picture: tuple[int, bool, NDArray[np.int32]], data: st.DataObject
) -> None:
    bits, signed, stored = picture
    depth = data.draw(st.integers(10, 16))
    count = data.draw(st.integers(2, 300))
    entries = data.draw(arrays(np.uint16, count, elements=st.integers(0, 2**depth - 1)))
    entries[-1] = 2**depth - 1  # as a table that reaches white
    assume(not (signed and stored.min() >= 0))
    first = data.draw(st.integers(-100 if signed else 0, 500))
    made = header(bits, signed, VOILUTSequence=[table(entries, first, depth)])
    if signed:
        made.VOILUTSequence[0].LUTDescriptor[1] = first  # what pydicom expects of a signed one
    expected = apply_voi(stored, made) / (2**depth - 1)
    if signed:
        made.VOILUTSequence[0].LUTDescriptor[1] = first % 2**16
    seen = shown(stored.astype(float), made)
    assert seen is not None
    np.testing.assert_allclose(seen, expected, atol=1e-6)


@given(pictures(), st.data())
def test_a_modality_table_is_the_one_of_the_standard(
    picture: tuple[int, bool, NDArray[np.int32]], data: st.DataObject
) -> None:
    bits, _, stored = picture
    stored = np.abs(stored)
    entries = data.draw(arrays(np.uint16, data.draw(st.integers(2, 300))))
    made = header(bits, False, ModalityLUTSequence=[table(entries, 7, 16)])
    np.testing.assert_array_equal(modality_values(stored, made), apply_modality_lut(stored, made))


@given(pictures(), st.floats(-70_000, 70_000), st.floats(2, 70_000), FUNCTIONS)
def test_greys_never_leave_their_range_and_never_fall(
    picture: tuple[int, bool, NDArray[np.int32]], centre: float, width: float, function: str
) -> None:
    values = np.sort(picture[2].ravel()).astype(float)
    seen = windowed(values, centre, width, function)
    assert seen is not None
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert (np.diff(seen) >= 0).all()
