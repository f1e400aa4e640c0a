"""Frames of an open file to samples, whichever way Pixel Data holds them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from inference.dicom.codestreams import START_BYTES, Coding, coding_by_start, stated_coding
from inference.dicom.frame_bytes import ITEM_TAG, EncapsulatedFrames
from inference.dicom.frame_count import extended_offsets
from inference.dicom.part10 import Part10, PixelElement
from inference.dicom.pixels.compressed import decode_stills
from inference.dicom.pixels.native import NativeFrames
from inference.dicom.pixels.pixel_format import PixelFormat
from inference.dicom.pixels.samples import Clip, Decoded
from inference.dicom.pixels.video import decode_video
from inference.errors import InstanceExcludedError, InstanceUnreadableError


@contextmanager
def faults_as_unreadable() -> Iterator[None]:
    """What decoders raise on pixels that are not as they should be is an InstanceUnreadableError.

    What says nothing about the pixels stays: a machine short of memory, an error of the disk.
    """
    try:
        yield
    except (InstanceUnreadableError, InstanceExcludedError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own; Pillow uses the type for broken pictures too
        message = f"the pixels cannot be decoded ({type(error).__name__})"
        raise InstanceUnreadableError(message) from error


def decoded_frames(
    part10: Part10,
    pixels: PixelElement,
    written: PixelFormat,
    wanted: Sequence[int],
    luma_only: bool,
    clip: Clip,
) -> Iterator[Decoded]:
    """The wanted frames, by ascending zero-based index, as their decoder returns them.

    With `luma_only` the luma alone is decoded where that is all a grey picture needs.

    Raises:
        InstanceExcludedError: they are JPEG, and their colours cannot be told.
        InstanceUnreadableError: they are missing, damaged, cut short or in an unknown syntax.
    """
    stated = stated_coding(written.transfer_syntax)
    limit_bytes = 2 * written.frame_bytes + 2**20
    start = _start(part10, pixels, START_BYTES)
    if start.startswith(ITEM_TAG) and (stated or pixels.length_bytes is None):
        offsets = extended_offsets(part10.header)
        frames = EncapsulatedFrames(part10.file, pixels.offset, written.frames, offsets)
        if stated is Coding.VIDEO:
            yield from decode_video(part10.file, frames.all_fragments(), written, wanted)
        else:
            codestreams = [frames.read(index, limit_bytes) for index in wanted]
            yield from decode_stills(codestreams, written, luma_only, clip)
    elif stated and coding_by_start(start) and written.frames == 1:
        # A codestream without any items, as some write it.
        yield from decode_stills([_start(part10, pixels, limit_bytes)], written, luma_only, clip)
    elif pixels.length_bytes is not None:
        native = NativeFrames(part10.file, pixels, written)
        yield from (native.read(index) for index in wanted)
    else:
        raise InstanceUnreadableError("the pixel data are not in items as their syntax demands")


def _start(part10: Part10, pixels: PixelElement, most_bytes: int) -> bytes:
    """The beginning of the pixel data's value."""
    part10.file.seek(pixels.offset)
    length_bytes = most_bytes if pixels.length_bytes is None else pixels.length_bytes
    return part10.file.read(min(length_bytes, most_bytes))
