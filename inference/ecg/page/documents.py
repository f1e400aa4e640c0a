"""The pages of a PDF as pictures."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference.dicom.pixels.isolation import run_isolated
from inference.ecg.page.grid import Pixels
from inference.errors import InstanceUnreadableError

#: 8 pixels of a mm; an ECG is one of the first pages.
PER_INCH, MOST_PAGES, LONGEST_PX = 203, 3, 3500
MOST_BYTES = 32 * 2**20
_PROGRAM = Path(__file__).with_name("pdf_program.py")


def pages_of(document: bytes) -> tuple[Pixels, ...]:
    """The first pages of a PDF, each RGB (height, width, 3).

    Raises:
        InstanceUnreadableError: it is no PDF, is damaged, locked, too large, or takes too long.
    """
    if len(document) > MOST_BYTES:
        raise InstanceUnreadableError(f"a document of more than {MOST_BYTES // 2**20} MiB")
    output = run_isolated(_PROGRAM, (PER_INCH, MOST_PAGES, LONGEST_PX), document)
    return tuple(_pages(output))


def _pages(output: bytes) -> Iterator[Pixels]:
    at = 0
    while at < len(output):
        width, height = (int(side) for side in np.frombuffer(output, np.uint32, 2, at))
        yield np.frombuffer(output, np.uint8, width * height * 3, at + 8).reshape(height, width, 3)
        at += 8 + width * height * 3
