"""Single frames of a stored instance, decoded to grey or colour; the others stay untouched."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from inference.dicom.codestreams import START_BYTES, Coding, coding_by_start, stated_coding
from inference.dicom.elements import decimal_commas
from inference.dicom.frame_bytes import ITEM_TAG, EncapsulatedFrames
from inference.dicom.frame_count import FrameCount, count_frames, extended_offsets
from inference.dicom.part10 import Part10, PixelElement, open_part10
from inference.errors import LoopExcludedError, LoopUnreadableError
from inference.ultrasound.compressed import decode_stills
from inference.ultrasound.native import NativeFrames
from inference.ultrasound.palette import StoredPalette, read_palette
from inference.ultrasound.photometric import ClipColours
from inference.ultrasound.pixel_format import PixelFormat, read_pixel_format
from inference.ultrasound.reading import read_samples
from inference.ultrasound.rendering import Palette, to_grey, to_rgb
from inference.ultrasound.samples import Decoded
from inference.ultrasound.video import decode_video

_CLOCKS = ("FrameTime", "FrameTimeVector", "RWaveTimeVector")

_Render = Callable[[Decoded, Palette | None], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Some decoded frames of an image, and short notes on what of its labels was put right."""

    frames: NDArray[np.uint8]
    notes: tuple[str, ...]


def decode_frames(path: Path, frame_indices: Sequence[int]) -> NDArray[np.uint8]:
    """Decode some frames of an image, given by zero-based index, to grey (n, rows, columns).

    Only these frames are read and decoded, of a video those that they are made from as well.

    Raises:
        LoopExcludedError: labels and pixels disagree, and nothing tells what the pixels are.
        LoopUnreadableError: the pixels are missing, damaged, cut short or in an unknown syntax.
        OSError: the file cannot be read.
    """
    return _rendered(path, frame_indices, to_grey, luma_only=True).frames


def colour_frames(instance: Path, frames: Sequence[int]) -> NDArray[np.uint8]:
    """Decode some frames of an image, given by zero-based index, to RGB (n, rows, columns, 3).

    An image without colour has three equal samples.

    Raises:
        LoopExcludedError: labels and pixels disagree, and nothing tells what the pixels are.
        LoopUnreadableError: the pixels are missing, damaged, cut short or in an unknown syntax.
        OSError: the file cannot be read.
    """
    return _rendered(instance, frames, to_rgb, luma_only=False).frames


def grey_pictures(path: Path, frame_indices: Sequence[int]) -> Pictures:
    """What `decode_frames` gives of an image that is whole, with notes.

    Raises:
        LoopExcludedError: labels and pixels disagree, and nothing tells what the pixels are.
        LoopUnreadableError: as `decode_frames`, or frames are missing that the header counts.
        OSError: the file cannot be read.
    """
    return _rendered(path, frame_indices, to_grey, luma_only=True, whole=True)


def _rendered(
    path: Path, indices: Sequence[int], render: _Render, *, luma_only: bool, whole: bool = False
) -> Pictures:
    with open_part10(path) as part10:
        count = count_frames(part10)
        written = replace(read_pixel_format(part10.header), frames=count.true)
        if part10.pixels is None:
            raise LoopUnreadableError("there are no pixel data")
        if not indices or not all(0 <= index < written.frames for index in indices):
            raise LoopUnreadableError(f"there are only {written.frames} frames")
        if whole and count.fault:
            raise LoopUnreadableError(count.fault)
        palette = None
        if written.photometric == "PALETTE COLOR" and written.samples == 1:
            palette = read_palette(part10.header, written)
        wanted = sorted(set(indices))
        try:
            frames, notes = _read(part10, part10.pixels, written, wanted, luma_only, palette)
            colours = palette.colours if palette else None
            rendered = [render(frame, colours) for frame in frames]
        except (LoopUnreadableError, LoopExcludedError, MemoryError):
            raise  # a machine short of memory says nothing about the pixels
        except Exception as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's own; Pillow uses the type for broken pictures too
            message = f"the pixels cannot be decoded ({type(error).__name__})"
            raise LoopUnreadableError(message) from error
        notes = [*_header_notes(part10.header, count), *notes]
    pictures = dict(zip(wanted, rendered, strict=True))
    return Pictures(np.stack([pictures[index] for index in indices]), tuple(notes))


def _header_notes(header: Dataset, count: FrameCount) -> list[str]:
    notes = []
    if count.miscounted:
        notes.append(f"Number of Frames is {count.stated}, the pixel data hold {count.held}.")
    commas = decimal_commas(header, _CLOCKS)
    if commas:
        notes.append(f"{' and '.join(commas)}: a decimal comma was read as a point.")
    return notes


def _read(
    part10: Part10,
    pixels: PixelElement,
    written: PixelFormat,
    wanted: Sequence[int],
    luma_only: bool,
    palette: StoredPalette | None,
) -> tuple[list[Decoded], list[str]]:
    """The wanted frames with samples of 8 bits, or of a palette's values, and notes."""
    clip = ClipColours(written)
    decoded = list(_decoded(part10, pixels, written, wanted, luma_only, clip))
    frames, notes = read_samples(decoded, written, clip, indexed=palette is not None)
    if palette:
        notes = [*notes, *palette.notes]
        palette.check([frame.samples for frame in frames])
    return frames, [*clip.notes, *notes]


def _decoded(
    part10: Part10,
    pixels: PixelElement,
    written: PixelFormat,
    wanted: Sequence[int],
    luma_only: bool,
    clip: ClipColours,
) -> Iterator[Decoded]:
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
        raise LoopUnreadableError("the pixel data are not in items as their syntax demands")


def _start(part10: Part10, pixels: PixelElement, most_bytes: int) -> bytes:
    """The beginning of the pixel data's value."""
    part10.file.seek(pixels.offset)
    length_bytes = most_bytes if pixels.length_bytes is None else pixels.length_bytes
    return part10.file.read(min(length_bytes, most_bytes))
