"""The stored values of a grey picture: what the look-up tables of its header are written for."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from inference.dicom.part10 import Part10
from inference.dicom.pixels.frames import decoded_frames, faults_as_unreadable
from inference.dicom.pixels.pixel_format import PixelFormat, read_pixel_format
from inference.dicom.pixels.samples import Colours, Decoded
from inference.errors import InstanceUnreadableError


class _Greys:
    """Pictures of one sample, of whose colours no decoder has to ask."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def settle(
        self, _said: Colours | None, _pictures: Callable[[int], Sequence[NDArray[np.uint8]]]
    ) -> Colours:
        raise InstanceUnreadableError("the picture has colours")


def stored_values(part10: Part10) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """The first frame (rows, columns) as Pixel Representation says, and notes of the decoder.

    Bits outside of Bits Stored do not count (PS3.5 8.1.1).

    Raises:
        InstanceUnreadableError: the pixels are missing, damaged, cut short, coloured or in an
            unknown syntax.
        OSError: the file cannot be read.
    """
    written, clip = read_pixel_format(part10.header), _Greys()
    if part10.pixels is None:
        raise InstanceUnreadableError("there are no pixel data")
    if written.samples != 1:
        raise InstanceUnreadableError("the picture has colours")
    with faults_as_unreadable():
        frames = decoded_frames(part10, part10.pixels, written, [0], luma_only=False, clip=clip)
        return values_of(next(iter(frames)), written), tuple(clip.notes)


def values_of(decoded: Decoded, written: PixelFormat) -> NDArray[np.int32]:
    """The values of samples as a decoder returns them."""
    samples = decoded.samples.astype(np.int32)
    if decoded.bits > written.high_bit:  # whole words; a codestream holds the stored bits only
        samples >>= max(0, written.high_bit + 1 - written.bits_stored)
    values: NDArray[np.int32] = samples & ((1 << written.bits_stored) - 1)
    if written.signed:
        sign = 1 << (written.bits_stored - 1)
        values = (values ^ sign) - sign
    return values
