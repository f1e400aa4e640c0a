"""The codecs of single frames that run in a process of their own; one process decodes a clip."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from inference.dicom.pixels.isolation import run_isolated
from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Samples
from inference.errors import InstanceUnreadableError

_PROGRAM = Path(__file__).with_name("still_program.py")


def decode_isolated(
    coding: Literal["jpeg", "jpeg-xl"], codestreams: Sequence[bytes], written: PixelFormat
) -> Iterator[Samples]:
    """The samples of each frame as 16-bit words, without any colour transform of a JPEG.

    Raises:
        InstanceUnreadableError: one of the frames cannot be decoded, or not within the limits.
    """
    shape = (written.rows, written.columns, 3)[: 2 if written.samples == 1 else 3]
    numbers = (written.rows, written.columns, written.samples)
    arguments = [coding, *numbers, *map(len, codestreams)]
    output = run_isolated(_PROGRAM, arguments, b"".join(codestreams))
    words = np.frombuffer(output, np.uint16)
    if words.size != len(codestreams) * int(np.prod(shape)):
        raise InstanceUnreadableError("the pixels cannot be decoded whole")
    yield from words.reshape(len(codestreams), *shape)
