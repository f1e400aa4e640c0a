"""From decoded samples to 8 bits, grey or RGB; 0 is black, 255 white."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.ultrasound.photometric import labelled_colours
from inference.ultrasound.pixel_format import PixelFormat
from inference.ultrasound.samples import Colours, Decoded, Samples, to_8_bit

Palette = NDArray[np.uint8]


def to_grey(
    decoded: Decoded, written: PixelFormat, palette: Palette | None = None
) -> NDArray[np.uint8]:
    """Grey (rows, columns): luma as it is, RGB weighted by BT.601, MONOCHROME1 turned round.

    `palette` is the RGB colour of every stored value, for PALETTE COLOR.

    Raises:
        LoopUnreadableError: the label is none of an image with so many samples.
    """
    if decoded.samples.ndim == 2:
        if palette is None:
            return _one_sample(decoded, written)
        return np.take(_luma(palette[np.newaxis])[0], _index(decoded.samples, palette))
    picture, colours = _three_samples(decoded, written)
    return picture[..., 0] if colours is Colours.YBR else _luma(picture)


def to_rgb(
    decoded: Decoded, written: PixelFormat, palette: Palette | None = None
) -> NDArray[np.uint8]:
    """RGB (rows, columns, 3); one sample without a palette is grey, MONOCHROME1 turned round.

    Raises:
        LoopUnreadableError: the label is none of an image with so many samples.
    """
    if decoded.samples.ndim == 2:
        if palette is None:
            return np.repeat(_one_sample(decoded, written)[..., np.newaxis], 3, axis=-1)
        return np.take(palette, _index(decoded.samples, palette), axis=0)
    picture, colours = _three_samples(decoded, written)
    if colours is Colours.RGB:
        return picture
    rows, columns, _ = picture.shape
    ybr = Image.frombytes("YCbCr", (columns, rows), picture.tobytes())
    return np.asarray(ybr.convert("RGB"))


def _one_sample(decoded: Decoded, written: PixelFormat) -> NDArray[np.uint8]:
    samples, bits = decoded.samples, min(decoded.bits, written.bits_stored)
    if written.signed:
        samples = samples ^ samples.dtype.type(1 << (bits - 1))
    grey = to_8_bit(samples, bits)
    return 255 - grey if written.photometric == "MONOCHROME1" else grey


def _three_samples(decoded: Decoded, written: PixelFormat) -> tuple[NDArray[np.uint8], Colours]:
    picture = to_8_bit(decoded.samples, min(decoded.bits, written.bits_stored))
    return picture, decoded.colours or labelled_colours(written)


def _index(samples: Samples, palette: Palette) -> Samples:
    # A palette has as many colours as the stored bits can say: others above them do not count.
    return samples & samples.dtype.type(len(palette) - 1)


def _luma(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))
