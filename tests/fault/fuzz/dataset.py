"""Fuzz target: a dataset as it lies in the spool, from the listener's look at it to its frames.

`identify` is what the listener does with it; header, selection and the place of each frame are what
the worker does before any decoder is asked.
"""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from pydicom.uid import UID

from dicom_node.intake.file_meta import file_meta
from dicom_node.intake.identification import identify
from dicom_node.intake.statuses import RefusedError
from dicom_node.scp.upper_layer.private_names import tolerate_real_devices
from inference.dicom.frame_bytes import EncapsulatedFrames
from inference.dicom.frame_count import extended_offsets
from inference.dicom.part10 import Part10, open_part10
from inference.dicom.pixels.native import NativeFrames
from inference.dicom.pixels.pixel_format import read_pixel_format
from inference.errors import InstanceUnreadableError
from inference.types import Rejected, Selected
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from tests.fault.fuzz.pdu import memory_disk

#: Little and big endian, implicit and explicit, deflated, encapsulated.
SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.5",
)
_FRAMES_TRIED = 3
_LARGEST_FRAME_BYTES = 1 << 20


def run(data: bytes) -> None:
    """Feed one input: an index into the transfer syntaxes, then a dataset."""
    if not data:
        return
    syntax = SYNTAXES[data[0] % len(SYNTAXES)]
    head = file_meta("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4", syntax)
    path = _file()
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT)
    try:
        os.write(descriptor, head + data[1:])
    finally:
        os.close(descriptor)
    with suppress(RefusedError):
        identify(path, len(head), syntax)
    with (
        suppress(InstanceUnreadableError),
        open_part10(path, inflated_limit_bytes=64 << 20) as part10,
    ):
        for profile in Profile:
            assert isinstance(select(part10.header, profile), Selected | Rejected)
        _locate(part10)


def _locate(part10: Part10) -> None:
    """Read the bytes of the first frames, and decode the native ones."""
    written = read_pixel_format(part10.header)
    if part10.pixels is None:
        return
    if part10.pixels.length_bytes is None:
        offsets = extended_offsets(part10.header)
        frames = EncapsulatedFrames(part10.file, part10.pixels.offset, written.frames, offsets)
        for index in range(min(written.frames, _FRAMES_TRIED)):
            frames.read(index, _LARGEST_FRAME_BYTES)
    elif not UID(written.transfer_syntax).is_encapsulated:
        native = NativeFrames(part10.file, part10.pixels, written)
        for index in range(min(written.frames, _FRAMES_TRIED)):
            native.read(index)


@cache
def _file() -> Path:
    tolerate_real_devices()
    return Path(mkdtemp(prefix="echonode-fuzz-", dir=memory_disk())) / "file"
