"""How many frames the pixel data hold, against what Number of Frames says.

A header that is wrong by one frame, over pixel data that are whole, is a miscount; anything else is
not: frames of another size than the header says, or an upload that was cut short.
"""

import os
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID

from inference.dicom.codestreams import Coding, stated_coding
from inference.dicom.elements import integer, text
from inference.dicom.frame_bytes import ITEM_TAG, EncapsulatedFrames
from inference.dicom.part10 import Part10, PixelElement
from inference.errors import InstanceUnreadableError

#: Some pad native pixel data to a block of a disk.
_MOST_PADDING_BYTES = 2048


@dataclass(frozen=True, slots=True)
class FrameCount:
    """Frames by the header, and those that lie whole in the file.

    `held` is None where that cannot be told. `complete` tells that the element of the pixel data
    lies whole in the file; `surplus_bytes` follow the last frame of native pixel data.
    """

    stated: int
    held: int | None = None
    complete: bool = True
    surplus_bytes: int = 0

    @property
    def miscounted(self) -> bool:
        """Whether the header is wrong by one frame, and nothing is missing."""
        if self.held is None or not self.complete or min(self.held, self.stated) < 2:
            return False
        return abs(self.held - self.stated) == 1 and self.surplus_bytes <= 1

    @property
    def true(self) -> int:
        """How many frames there are to be read, if none is missing."""
        return self.held if self.held is not None and self.miscounted else self.stated

    @property
    def fault(self) -> str:
        """Why the pixel data are not those that the header describes; empty where they are."""
        if self.held is None or self.miscounted:
            return ""
        if self.held != self.stated:
            kept = f"{self.held} whole frames where Number of Frames says {self.stated}"
            return f"the pixel data hold {kept}"
        if self.surplus_bytes > _MOST_PADDING_BYTES:
            return f"{self.surplus_bytes} bytes follow the last frame: its size cannot be right"
        return ""


def count_frames(part10: Part10) -> FrameCount:
    """Compare Number of Frames with what the pixel data hold; frames are not read.

    Of video and of stills only the header is asked. Never raises on what the file holds.
    """
    header, pixels = part10.header, part10.pixels
    stated = integer(header, "NumberOfFrames") or 1
    if pixels is None or stated < 2:
        return FrameCount(stated)
    syntax = text(getattr(header, "file_meta", Dataset()), "TransferSyntaxUID")
    coding = stated_coding(UID(syntax))
    part10.file.seek(pixels.offset)
    in_items = part10.file.read(len(ITEM_TAG)) == ITEM_TAG
    if in_items and (coding or pixels.length_bytes is None):
        return FrameCount(stated) if coding is Coding.VIDEO else _in_items(part10, pixels, stated)
    if pixels.length_bytes is None:
        return FrameCount(stated)
    return _native(part10, pixels.offset, pixels.length_bytes, stated)


def extended_offsets(header: Dataset) -> bytes:
    """The Extended Offset Table (7FE0,0001), where there is one."""
    try:
        offsets = header.get("ExtendedOffsetTable")
    except Exception:  # noqa: BLE001 - a malformed table is as good as none
        return b""
    return offsets if isinstance(offsets, bytes) else b""


def _in_items(part10: Part10, pixels: PixelElement, stated: int) -> FrameCount:
    offsets = extended_offsets(part10.header)
    try:
        held, ends = EncapsulatedFrames(part10.file, pixels.offset, stated, offsets).count()
    except InstanceUnreadableError:
        return FrameCount(stated)
    if pixels.length_bytes is None:
        return FrameCount(stated, held, ends)
    file_end = part10.file.seek(0, os.SEEK_END)
    return FrameCount(stated, held, pixels.offset + pixels.length_bytes <= file_end)


def shares_chroma(label: str, pixels: int, frames: int, length_bytes: int) -> bool:
    """Whether native colour of 8 bits has its chroma once for two pixels (PS3.3 C.7.6.3.1.2).

    Some write the label YBR_FULL_422 over whole samples; the length of all frames tells, also where
    there is one more or less than stated.
    """
    if label != "YBR_FULL_422":
        return False
    off_by_shared = abs(length_bytes - frames * pixels * 2)
    return off_by_shared < abs(length_bytes - frames * pixels * 3)


def _native(part10: Part10, offset: int, length_bytes: int, stated: int) -> FrameCount:
    header = part10.header
    pixels = (integer(header, "Rows") or 0) * (integer(header, "Columns") or 0)
    samples = integer(header, "SamplesPerPixel") or 1
    frame_bytes = pixels * samples * ((integer(header, "BitsAllocated") or 8) // 8)
    label = text(header, "PhotometricInterpretation").upper()
    if samples == 3 and shares_chroma(label, pixels, stated, length_bytes):
        frame_bytes = pixels * 2
    if not frame_bytes:
        return FrameCount(stated)
    there_bytes = part10.file.seek(0, os.SEEK_END) - offset
    held, surplus_bytes = divmod(min(there_bytes, length_bytes), frame_bytes)
    return FrameCount(stated, held, there_bytes >= length_bytes, surplus_bytes)
