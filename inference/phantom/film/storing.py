"""The ways in which X-ray rooms store one and the same film."""

import struct
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from inference.phantom.film.canvas import Plane

Codes = NDArray[np.uint8] | NDArray[np.uint16]


class FilmClass(StrEnum):
    """The SOP classes of single films, by UID."""

    CR = "1.2.840.10008.5.1.4.1.1.1"
    DX = "1.2.840.10008.5.1.4.1.1.1.1"
    DX_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
    SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


class Scale(StrEnum):
    """What the header says of stored values and greys."""

    WINDOW = "window"
    EXACT_WINDOW = "window, LINEAR_EXACT"
    RESCALED_WINDOW = "rescale and window"
    VOI_TABLE = "VOI LUT"
    MODALITY_TABLE = "Modality LUT and window"
    NONE = "nothing"


@dataclass(frozen=True, slots=True)
class Storing:
    """How one film is stored.

    All but its greys that are no multiple of 1/1023 survive without loss, whatever is chosen from
    10 bits on.
    """

    film_class: FilmClass = FilmClass.CR
    bits: int = 12
    scale: Scale = Scale.WINDOW
    white_is_zero: bool = False
    """MONOCHROME1."""
    syntax: UID = ExplicitVRLittleEndian


#: In turn, so that a cohort holds them all.
VARIANTS = (
    Storing(),
    Storing(FilmClass.DX, 14, Scale.EXACT_WINDOW),
    Storing(FilmClass.CR, 15, Scale.WINDOW, white_is_zero=True, syntax=JPEG2000Lossless),
    Storing(FilmClass.DX, 12, Scale.VOI_TABLE, syntax=JPEGLosslessSV1),
    Storing(FilmClass.CR, 10, Scale.NONE, white_is_zero=True),
    Storing(FilmClass.DX, 16, Scale.WINDOW, white_is_zero=True, syntax=JPEGLSLossless),
    Storing(FilmClass.SECONDARY_CAPTURE, 8, Scale.NONE, syntax=ImplicitVRLittleEndian),
    Storing(FilmClass.CR, 13, Scale.MODALITY_TABLE, syntax=RLELossless),
    Storing(FilmClass.CR, 11, Scale.RESCALED_WINDOW, white_is_zero=True),
)
_RESCALE_SLOPE, _RESCALE_INTERCEPT = 0.5, -100.0
_TABLE_POWER = 0.8


def add_pixels(dataset: Dataset, greys: Plane, storing: Storing) -> None:
    """Put greys (rows, columns) in 0..1, bones white, into a header as it is to be stored."""
    dataset.Rows, dataset.Columns = greys.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if storing.white_is_zero else "MONOCHROME2"
    dataset.BitsAllocated = 8 if storing.bits == 8 else 16
    dataset.BitsStored, dataset.HighBit = storing.bits, storing.bits - 1
    dataset.PixelRepresentation = 0
    codes = _codes(dataset, 1 - greys if storing.white_is_zero else greys, storing)
    if storing.syntax.is_encapsulated:
        dataset.PixelData = encapsulate([_ENCODERS[storing.syntax](codes, storing.bits)])
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
    else:
        dataset.PixelData = codes.tobytes() + b"\0" * (codes.nbytes % 2)
        dataset["PixelData"].VR = "OB" if storing.bits == 8 else "OW"


def _codes(dataset: Dataset, greys: Plane, storing: Storing) -> Codes:
    """What is stored of greys in 0..1, black zero; the header is told how to read it."""
    white = 255 if storing.bits == 8 else 1023 << (storing.bits - 10)
    if storing.scale in {Scale.VOI_TABLE, Scale.MODALITY_TABLE}:
        return _through_table(dataset, greys, storing)
    if storing.scale is Scale.RESCALED_WINDOW:
        dataset.RescaleSlope, dataset.RescaleIntercept = _RESCALE_SLOPE, _RESCALE_INTERCEPT
        dataset.RescaleType = "US"
        centre = white / 2 * _RESCALE_SLOPE + _RESCALE_INTERCEPT
        _add_window(dataset, centre + 0.5, white * _RESCALE_SLOPE + 1)
    elif storing.scale is Scale.EXACT_WINDOW:
        _add_window(dataset, white / 2, white)
        dataset.VOILUTFunction = "LINEAR_EXACT"
    elif storing.scale is Scale.WINDOW:
        _add_window(dataset, white / 2 + 0.5, white + 1)
    codes = np.rint(greys * white).astype(np.uint16)
    return codes.astype(np.uint8) if storing.bits == 8 else codes


def _add_window(dataset: Dataset, centre: float, width: float) -> None:
    # Some rooms send several; the first is the one to show.
    dataset.WindowCenter = [f"{centre:.1f}", f"{2 * centre:.1f}"]
    dataset.WindowWidth = [f"{width:.1f}", f"{width / 2:.1f}"]


def _through_table(dataset: Dataset, greys: Plane, storing: Storing) -> Codes:
    """Stored values that a table of 10 bits turns into greys."""
    most = 2**storing.bits - 1
    levels = np.arange(1024)
    bent = levels if storing.bits == 10 else most * (levels / 1023) ** _TABLE_POWER
    stored = np.rint(bent).astype(np.uint16)
    entries = np.interp(np.arange(most + 1), stored, levels).round().astype(np.uint16)
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, 0, 10]
    item["LUTDescriptor"].VR = "US"
    if storing.scale is Scale.VOI_TABLE:
        dataset.VOILUTSequence = [item]
    else:  # whose entries have 8 or 16 bits (PS3.3 C.11.1.1.1)
        entries <<= 6
        item.LUTDescriptor[2], item.ModalityLUTType = 16, "US"
        dataset.ModalityLUTSequence = [item]
        _add_window(dataset, (1023 << 6) / 2 + 0.5, (1023 << 6) + 1)
    item.add_new(0x00283006, "OW", entries.tobytes())
    found: Codes = stored[np.rint(greys * 1023).astype(np.int64)]
    return found


def _jpeg_lossless(codes: Codes, bits: int) -> bytes:
    grey = "GRAYSCALE"
    return bytes(
        imagecodecs.jpeg8_encode(
            codes,
            lossless=True,
            predictor=1,
            colorspace=grey,
            outcolorspace=grey,
            bitspersample=bits,
        )
    )


def _jpeg_ls(codes: Codes, _bits: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(codes))


def _jpeg_2000(codes: Codes, bits: int) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            codes, codecformat="J2K", level=0, reversible=True, bitspersample=bits
        )
    )


def _rle(codes: Codes, _bits: int) -> bytes:
    planes = codes.view(np.uint8).reshape(*codes.shape, codes.itemsize)[..., ::-1]
    rows = [
        b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in planes[..., place])
        for place in range(codes.itemsize)
    ]
    segments = [row + b"\0" * (len(row) % 2) for row in rows]
    starts = list(accumulate(map(len, segments), initial=64))[:-1]
    header = struct.pack("<16I", len(segments), *starts, *[0] * (15 - len(segments)))
    return header + b"".join(segments)


_ENCODERS = {
    JPEGLosslessSV1: _jpeg_lossless,
    JPEGLSLossless: _jpeg_ls,
    JPEG2000Lossless: _jpeg_2000,
    RLELossless: _rle,
}
