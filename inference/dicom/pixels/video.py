"""MPEG-2, H.264 and H.265 video: one stream for all frames (PS3.5 A.4.5 to A.4.7)."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from inference.dicom.frame_bytes import Fragment
from inference.dicom.pixels.isolation import run_isolated
from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Colours, Decoded
from inference.errors import InstanceUnreadableError

_PROGRAM = Path(__file__).with_name("video_program.py")


def decode_video(
    file: IO[bytes], fragments: Sequence[Fragment], written: PixelFormat, wanted: Sequence[int]
) -> Iterator[Decoded]:
    """Decode some frames, by ascending zero-based index, to RGB of 8 bits.

    Raises:
        InstanceUnreadableError: the stream is damaged, of another size or another number of frames
            than the header says, or takes more memory or time than any cine does.
    """
    job = {
        "descriptor": file.fileno(),
        "fragments": [(fragment.offset, fragment.length) for fragment in fragments],
        "rows": written.rows,
        "columns": written.columns,
        "frames": written.frames,
        "wanted": list(wanted),
    }
    output = run_isolated(_PROGRAM, [], json.dumps(job).encode(), [file.fileno()])
    shape = (len(wanted), written.rows, written.columns, 3)
    if len(output) != np.prod(shape):
        raise InstanceUnreadableError("the video cannot be decoded whole")
    for picture in np.frombuffer(output, np.uint8).reshape(shape):
        yield Decoded(picture, 8, Colours.RGB)
