"""From decoded samples to 8-bit grey, 0 black to 255 white."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut

from inference.errors import LoopUnreadableError
from inference.ultrasound.jpeg import Colours
from inference.ultrasound.pixel_format import PixelFormat

Samples = NDArray[np.uint8] | NDArray[np.uint16]

_GREY_TOLERANCE = 10
_CLEAR_MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame's samples and how to read them.

    They are (rows, columns, 3), or (rows, columns) where there is one sample or only the luma was
    decoded. `colours` is None where the label decides; `bits` count per sample.
    """

    samples: Samples
    bits: int
    colours: Colours | None = None


def to_grey(
    decoded: Decoded, written: PixelFormat, palette: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Grey (rows, columns): luma as it is, RGB weighted by BT.601, MONOCHROME1 turned round.

    `palette` is the grey of every stored value, for PALETTE COLOR.

    Raises:
        LoopUnreadableError: the label is none of an image with so many samples.
    """
    samples, bits = decoded.samples, min(decoded.bits, written.bits_stored)
    if samples.ndim == 3:
        if (decoded.colours or labelled_colours(written)) is Colours.YBR:
            return to_8_bit(samples[..., 0], bits)
        rgb = np.ascontiguousarray(to_8_bit(samples, bits))
        return np.asarray(Image.fromarray(rgb).convert("L"))
    if palette is not None:
        return palette[np.minimum(samples, palette.size - 1)]
    if written.signed:
        samples = samples ^ samples.dtype.type(1 << (bits - 1))
    grey = to_8_bit(samples, bits)
    return 255 - grey if written.photometric == "MONOCHROME1" else grey


def labelled_colours(written: PixelFormat) -> Colours:
    """What Photometric Interpretation says of three samples (PS3.3 C.7.6.3.1.2).

    YBR_ICT and YBR_RCT name a transform that the decoder of JPEG 2000 undoes.

    Raises:
        LoopUnreadableError: it says something that three samples cannot be, or nothing.
    """
    if written.photometric in {"YBR_FULL", "YBR_FULL_422"}:
        return Colours.YBR
    if written.photometric in {"RGB", "YBR_ICT", "YBR_RCT"}:
        return Colours.RGB
    raise LoopUnreadableError("the photometric interpretation is none of three samples")


def colours_by_picture(decoded: Decoded, label: Colours) -> Colours:
    """Decide between RGB and YCbCr by the picture itself.

    Most of an ultrasound picture is black or grey. Its chroma is then near 128 in YCbCr, and its
    three samples are nearly the same in RGB. Where neither is clearly more frequent, the label.
    """
    coarse = to_8_bit(decoded.samples[::2, ::2], decoded.bits).astype(np.int16)
    first, second, third = np.moveaxis(coarse, -1, 0)

    def near(difference: NDArray[np.int16]) -> NDArray[np.bool_]:
        return np.abs(difference) <= _GREY_TOLERANCE

    grey_if_ybr = float(np.mean(near(second - 128) & near(third - 128)))
    grey_if_rgb = float(np.mean(near(second - first) & near(third - first)))
    if abs(grey_if_ybr - grey_if_rgb) < _CLEAR_MARGIN:
        return label
    return Colours.YBR if grey_if_ybr > grey_if_rgb else Colours.RGB


def grey_palette(header: Dataset, written: PixelFormat) -> NDArray[np.uint8]:
    """The grey of every stored value of a PALETTE COLOR image (PS3.3 C.7.6.3.1.5).

    Raises:
        LoopUnreadableError: the palette is missing or malformed.
    """
    values = np.arange(1 << written.bits_stored, dtype=np.uint16)
    try:
        entries = apply_color_lut(values[np.newaxis], header)
    except Exception as error:  # noqa: BLE001 - pydicom raises whatever the palette provokes
        message = f"the colour palette cannot be read ({type(error).__name__})"
        raise LoopUnreadableError(message) from None
    # Some write 8-bit entries into a palette that says 16 bits.
    bits = 16 if entries.max() > 255 else 8
    rgb = np.ascontiguousarray(to_8_bit(entries, bits))
    grey: NDArray[np.uint8] = np.asarray(Image.fromarray(rgb).convert("L"))[0]
    return grey


def to_8_bit(samples: Samples, bits: int) -> NDArray[np.uint8]:
    """Scale unsigned samples of a bit depth to 0..255; bits above the depth do not count."""
    if bits == 8:
        return samples.astype(np.uint8, copy=False)
    most = (1 << bits) - 1
    scaled = np.rint((samples & samples.dtype.type(most)) * np.float32(255 / most))
    grey: NDArray[np.uint8] = scaled.astype(np.uint8)
    return grey
