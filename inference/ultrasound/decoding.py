"""Single frames of a stored instance, decoded to grey or colour; the others stay untouched."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.part10 import Part10, PixelElement, open_part10
from inference.errors import LoopUnreadableError
from inference.ultrasound.codestreams import Coding, coding_by_start, stated_coding
from inference.ultrasound.compressed import decode_stills
from inference.ultrasound.frame_bytes import ITEM_TAG, EncapsulatedFrames
from inference.ultrasound.native import NativeFrames
from inference.ultrasound.palette import read_palette
from inference.ultrasound.pixel_format import PixelFormat, read_pixel_format
from inference.ultrasound.rendering import Palette, to_grey, to_rgb
from inference.ultrasound.samples import Decoded
from inference.ultrasound.video import decode_video

_START_BYTES = 8

_Render = Callable[[Decoded, PixelFormat, Palette | None], NDArray[np.uint8]]


def decode_frames(path: Path, frame_indices: Sequence[int]) -> NDArray[np.uint8]:
    """Decode some frames of an image, given by zero-based index, to grey (n, rows, columns).

    Only these frames are read and decoded, of a video those that they are made from as well.

    Raises:
        LoopUnreadableError: the pixels are missing, damaged, cut short or in an unknown syntax.
        OSError: the file cannot be read.
    """
    return _rendered(path, frame_indices, to_grey, luma_only=True)


def colour_frames(instance: Path, frames: Sequence[int]) -> NDArray[np.uint8]:
    """Decode some frames of an image, given by zero-based index, to RGB (n, rows, columns, 3).

    An image without colour has three equal samples.

    Raises:
        LoopUnreadableError: the pixels are missing, damaged, cut short or in an unknown syntax.
        OSError: the file cannot be read.
    """
    return _rendered(instance, frames, to_rgb, luma_only=False)


def _rendered(
    path: Path, indices: Sequence[int], render: _Render, *, luma_only: bool
) -> NDArray[np.uint8]:
    with open_part10(path) as part10:
        written = read_pixel_format(part10.header)
        if part10.pixels is None:
            raise LoopUnreadableError("there are no pixel data")
        if not indices or not all(0 <= index < written.frames for index in indices):
            raise LoopUnreadableError(f"there are only {written.frames} frames")
        palette = None
        if written.photometric == "PALETTE COLOR" and written.samples == 1:
            palette = read_palette(part10.header, written)
        wanted = sorted(set(indices))
        try:
            decoded = _decoded(part10, part10.pixels, written, wanted, luma_only)
            rendered = [render(frame, written, palette) for frame in decoded]
        except (LoopUnreadableError, MemoryError):
            raise  # a machine short of memory says nothing about the pixels
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's own; Pillow uses the type for broken pictures too
            message = f"the pixels cannot be decoded ({type(error).__name__})"
            raise LoopUnreadableError(message) from error
    pictures = dict(zip(wanted, rendered, strict=True))
    return np.stack([pictures[index] for index in indices])


def _decoded(
    part10: Part10,
    pixels: PixelElement,
    written: PixelFormat,
    wanted: Sequence[int],
    luma_only: bool,
) -> Iterator[Decoded]:
    stated = stated_coding(written.transfer_syntax)
    limit_bytes = 2 * written.frame_bytes + 2**20
    start = _read(part10, pixels, _START_BYTES)
    if start.startswith(ITEM_TAG) and (stated or pixels.length_bytes is None):
        offsets = _extended_offsets(part10.header)
        frames = EncapsulatedFrames(part10.file, pixels.offset, written.frames, offsets)
        if stated is Coding.VIDEO:
            yield from decode_video(part10.file, frames.all_fragments(), written, wanted)
        else:
            codestreams = [frames.read(index, limit_bytes) for index in wanted]
            yield from decode_stills(codestreams, written, luma_only)
    elif stated and coding_by_start(start) and written.frames == 1:
        # A codestream without any items, as some write it.
        yield from decode_stills([_read(part10, pixels, limit_bytes)], written, luma_only)
    elif pixels.length_bytes is not None:
        native = NativeFrames(part10.file, pixels, written)
        yield from (native.read(index) for index in wanted)
    else:
        raise LoopUnreadableError("the pixel data are not in items as their syntax demands")


def _read(part10: Part10, pixels: PixelElement, most_bytes: int) -> bytes:
    """The beginning of the pixel data's value."""
    part10.file.seek(pixels.offset)
    length_bytes = most_bytes if pixels.length_bytes is None else pixels.length_bytes
    return part10.file.read(min(length_bytes, most_bytes))


def _extended_offsets(header: Dataset) -> bytes:
    """The Extended Offset Table (7FE0,0001), where there is one."""
    try:
        offsets = header.get("ExtendedOffsetTable")
    except Exception:  # noqa: BLE001 - a malformed table is as good as none
        return b""
    return offsets if isinstance(offsets, bytes) else b""
