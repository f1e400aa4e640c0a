"""JPEG and JPEG-LS frames to samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from inference.dicom.codestreams import fill_bytes
from inference.dicom.pixels.isolated_stills import decode_isolated
from inference.dicom.pixels.jpeg import (
    JPEG_LS_PROCESS,
    LOSSLESS_PROCESS,
    JpegStream,
    ends,
    read_jpeg,
    with_end,
)
from inference.dicom.pixels.pixel_format import PixelFormat, check_size
from inference.dicom.pixels.samples import Clip, Colours, Decoded
from inference.errors import InstanceUnreadableError

_MOST_SCANS = 100  # each costs a pass over the picture, however few bytes it has
_JUDGED_SIDE_PX = 48

END_NOTE = "JPEG frames lack the end marker; all pixels are present."
FILL_NOTE = "JPEG frames begin with fill bytes, which were skipped."


@dataclass(frozen=True, slots=True)
class _Frame:
    codestream: bytes
    stream: JpegStream


class JpegDecoder:
    """JPEG and JPEG-LS frames of one clip.

    Which process made a frame is decided by the frame itself; which colours a lossy one holds, by
    what it says and by a coarse picture of it. With `luma_only` the luma alone is decoded where
    that is all a grey picture needs.
    """

    def __init__(self, written: PixelFormat, luma_only: bool, clip: Clip) -> None:
        self._written = written
        self._luma_only = luma_only
        self._clip = clip
        self._cut = False

    def decode(self, codestreams: Sequence[bytes]) -> Iterator[Decoded]:
        """Decode the frames in their order.

        Raises:
            InstanceUnreadableError: a frame is damaged, or of another size than the header says.
            InstanceExcludedError: its colours cannot be told.
        """
        frames = [self._read(codestream) for codestream in codestreams]
        if any(f.stream.precision != 8 and f.stream.process != JPEG_LS_PROCESS for f in frames):
            yield from self._deep(frames)
            return
        for number, frame in enumerate(frames):
            yield self._one(frame, frames[number:])

    def _read(self, codestream: bytes) -> _Frame:
        fill = fill_bytes(codestream)
        if fill:
            codestream = codestream[fill:]
            self._clip.note(FILL_NOTE)
        stream = read_jpeg(codestream)
        check_size(self._written, stream.rows, stream.columns, len(stream.component_ids))
        if codestream.count(b"\xff\xda") > _MOST_SCANS:
            raise InstanceUnreadableError("a JPEG has more scans than any picture needs")
        if not ends(codestream):
            codestream = with_end(codestream, stream)
            self._cut = True
            self._clip.note(END_NOTE)
        return _Frame(codestream, stream)

    def _deep(self, frames: Sequence[_Frame]) -> Iterator[Decoded]:
        """Frames of 12 to 16 bits, whose decoder fills in what is missing without a word."""
        if self._cut:
            raise InstanceUnreadableError("a JPEG ends before its picture does")
        codestreams = [frame.codestream for frame in frames]
        decoded = decode_isolated("jpeg", codestreams, self._written)
        for samples, frame in zip(decoded, frames, strict=True):
            yield Decoded(samples, frame.stream.precision, self._said(frame.stream))

    def _one(self, frame: _Frame, following: Sequence[_Frame]) -> Decoded:
        stream = frame.stream
        if stream.process == JPEG_LS_PROCESS:
            return Decoded(imagecodecs.jpegls_decode(frame.codestream), stream.precision)
        if stream.process == LOSSLESS_PROCESS or self._written.samples == 1:
            return Decoded(self._stored(frame), 8, self._said(stream))
        colours = self._clip.settle(
            self._said(stream), lambda count: [_small(each) for each in following[:count]]
        )
        if colours is Colours.RGB:
            return Decoded(self._stored(frame), 8, colours, judged=True)
        marked = stream.labelled(frame.codestream, Colours.YBR)
        if colours is Colours.YBR_TWICE:
            return Decoded(_by_libjpeg(marked, "RGB"), 8, Colours.YBR, judged=True)
        if self._luma_only:
            return Decoded(_by_libjpeg(marked, "GRAY")[..., 0], 8, judged=True)
        return Decoded(_by_libjpeg(marked, "RGB"), 8, Colours.RGB, judged=True)

    def _said(self, stream: JpegStream) -> Colours | None:
        """What a stream says of its three components, if it does not contradict itself."""
        single = self._written.samples == 3 and len(stream.evidence) == 1
        return next(iter(stream.evidence)) if single else None

    def _stored(self, frame: _Frame) -> NDArray[np.uint8]:
        """The components as they are stored, without any colour transform."""
        if self._written.samples == 1:
            return _by_libjpeg(frame.codestream, "GRAY")[..., 0]
        return _by_libjpeg(frame.stream.labelled(frame.codestream, Colours.RGB), "RGB")


def _small(frame: _Frame) -> NDArray[np.uint8]:
    """The components as they are stored, as small as is enough to judge them."""
    marked = frame.stream.labelled(frame.codestream, Colours.RGB)
    side_px = _JUDGED_SIDE_PX
    small: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        marked, colorspace="RGB", min_height=side_px, min_width=side_px, strict=False
    )
    return small


def _by_libjpeg(codestream: bytes, colourspace: str) -> NDArray[np.uint8]:
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(codestream, colorspace=colourspace)
    except ValueError as error:
        # Padding between the scan and the end marker hurts nobody; a scan that ends early does.
        if "extraneous" not in str(error):
            raise
        pixels = simplejpeg.decode_jpeg(codestream, colorspace=colourspace, strict=False)
    return pixels
