"""Whether three samples are RGB or YCbCr, by what is said of them or by what they show."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.errors import LoopUnreadableError
from inference.ultrasound.pixel_format import PixelFormat
from inference.ultrasound.samples import Colours, Decoded, to_8_bit

_GREY_TOLERANCE = 10
_CLEAR_MARGIN = 0.02


def labelled_colours(written: PixelFormat) -> Colours:
    """What Photometric Interpretation says of three samples (PS3.3 C.7.6.3.1.2).

    YBR_ICT, YBR_RCT and XYB name a transform that the decoder undoes.

    Raises:
        LoopUnreadableError: it says something that three samples cannot be, or nothing.
    """
    if written.photometric in {"YBR_FULL", "YBR_FULL_422"}:
        return Colours.YBR
    if written.photometric in {"RGB", "YBR_ICT", "YBR_RCT", "XYB"}:
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


class ClipColours:
    """Which colours a clip holds whose label and codestreams do not tell.

    The picture is asked once, so that a clip never changes its colours midway; where it does not
    tell either, they are `otherwise`, or what the label says.
    """

    def __init__(self, written: PixelFormat, otherwise: Colours | None = None) -> None:
        self._written = written
        self._otherwise = otherwise
        self._seen: Colours | None = None

    def seen(self, picture: Callable[[], Decoded]) -> Colours:
        """What the first picture showed that was asked for.

        Raises:
            LoopUnreadableError: the label is none of three samples.
        """
        if self._seen is None:
            otherwise = self._otherwise or labelled_colours(self._written)
            self._seen = colours_by_picture(picture(), otherwise)
        return self._seen

    def given_to(self, decoded: Decoded) -> Decoded:
        """The same frame with its colours told, if it has three samples and they are not yet."""
        if decoded.samples.ndim == 2 or decoded.colours:
            return decoded
        return replace(decoded, colours=self.seen(lambda: decoded))
