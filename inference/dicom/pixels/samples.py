"""What every decoder returns: one frame's samples, and how to read them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint8] | NDArray[np.uint16]


class Colours(StrEnum):
    """What the samples of a colour picture are; YBR is the full range of PS3.3 C.7.6.3.1.2.

    YBR_TWICE is YCbCr that was taken for RGB and transformed once more.
    """

    RGB = "RGB"
    YBR = "YCbCr"
    YBR_TWICE = "YCbCr, transformed twice"


class Clip(Protocol):
    """What the decoders ask and tell of the frames of one instance, all together."""

    def note(self, sentence: str) -> None:
        """Say something of the clip, once."""

    def settle(
        self, said: Colours | None, pictures: Callable[[int], Sequence[NDArray[np.uint8]]]
    ) -> Colours:
        """The colours of samples of which the codestream says `said`, of None nothing.

        `pictures(n)` gives up to n frames of 8-bit samples (h, w, 3); one is mostly enough.

        Raises:
            InstanceExcludedError: neither picture nor statements decide.
            InstanceUnreadableError: nothing says anything of three samples.
        """


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame's samples and how to read them.

    They are (rows, columns, 3), or (rows, columns) where there is one sample or only the luma was
    decoded. `bits` count per sample, as the codestream or Bits Allocated says. `colours` is what
    the codestream says; None where only the label does. `judged` tells that the picture itself
    was asked for them already. `labelled_order` tells that only Planar Configuration says how the
    samples of a pixel lie.
    """

    samples: Samples
    bits: int
    colours: Colours | None = None
    judged: bool = False
    labelled_order: bool = False


def to_8_bit(samples: Samples, bits: int) -> NDArray[np.uint8]:
    """Scale unsigned samples of a bit depth to 0..255; bits above the depth do not count."""
    if bits == 8:
        return samples.astype(np.uint8, copy=False)
    most = (1 << bits) - 1
    scaled = np.rint((samples & samples.dtype.type(most)) * np.float32(255 / most))
    grey: NDArray[np.uint8] = scaled.astype(np.uint8)
    return grey
