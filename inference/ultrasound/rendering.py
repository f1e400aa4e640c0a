"""From samples of 8 bits to grey or RGB; 0 is black, 255 white."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.dicom.pixels.samples import Colours, Decoded, Samples

Palette = NDArray[np.uint8]


def to_grey(decoded: Decoded, palette: Palette | None = None) -> NDArray[np.uint8]:
    """Grey (rows, columns): one sample or luma as it is, RGB weighted by BT.601.

    `palette` is the RGB colour of every stored value, for PALETTE COLOR.
    """
    if palette is not None:
        return np.take(_luma(palette[np.newaxis])[0], _index(decoded.samples, palette))
    picture = _picture(decoded)
    if picture.ndim == 2:
        return picture
    if decoded.colours is Colours.YBR_TWICE:
        return _from_ybr(picture)[..., 0]
    return picture[..., 0] if decoded.colours is Colours.YBR else _luma(picture)


def to_rgb(decoded: Decoded, palette: Palette | None = None) -> NDArray[np.uint8]:
    """RGB (rows, columns, 3); one sample without a palette is grey."""
    if palette is not None:
        return np.take(palette, _index(decoded.samples, palette), axis=0)
    picture = _picture(decoded)
    if picture.ndim == 2:
        return np.repeat(picture[..., np.newaxis], 3, axis=-1)
    if decoded.colours is Colours.YBR_TWICE:
        picture = _from_ybr(picture)
    return picture if decoded.colours is Colours.RGB else _from_ybr(picture)


def _picture(decoded: Decoded) -> NDArray[np.uint8]:
    return decoded.samples.astype(np.uint8, copy=False)


def _from_ybr(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns, _ = picture.shape
    ybr = Image.frombytes("YCbCr", (columns, rows), picture.tobytes())
    return np.asarray(ybr.convert("RGB"))


def _index(samples: Samples, palette: Palette) -> Samples:
    # A palette has as many colours as the stored bits can say: others above them do not count.
    return samples & samples.dtype.type(len(palette) - 1)


def _luma(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))
