"""JPEG and JPEG-LS frames to samples."""

from collections.abc import Callable, Iterator, Sequence

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from inference.errors import LoopUnreadableError
from inference.ultrasound.isolated_stills import decode_isolated
from inference.ultrasound.jpeg import (
    JPEG_LS_PROCESS,
    LOSSLESS_PROCESS,
    JpegStream,
    read_jpeg,
)
from inference.ultrasound.photometric import ClipColours
from inference.ultrasound.pixel_format import PixelFormat, check_size
from inference.ultrasound.samples import Colours, Decoded, Samples

_MOST_SCANS = 100  # each costs a pass over the picture, however few bytes it has
_END_OF_IMAGE = b"\xff\xd9"


class JpegDecoder:
    """JPEG and JPEG-LS frames of one clip.

    Which process made a frame and which colours it holds is decided by the frame itself, and where
    it does not say, by the picture.
    With `luma_only` the luma alone is decoded where that is all a grey picture needs.
    """

    def __init__(self, written: PixelFormat, luma_only: bool) -> None:
        self._written = written
        self._luma_only = luma_only
        self._clip = ClipColours(written)

    def decode(self, codestreams: Sequence[bytes]) -> Iterator[Decoded]:
        """Decode the frames in their order.

        Raises:
            LoopUnreadableError: a frame is damaged, or of another size than the header says.
        """
        streams = [self._read(codestream) for codestream in codestreams]
        if any(stream.precision != 8 and stream.process != JPEG_LS_PROCESS for stream in streams):
            yield from self._deep(codestreams, streams)
            return
        for codestream, stream in zip(codestreams, streams, strict=True):
            yield self._one(codestream, stream)

    def _read(self, codestream: bytes) -> JpegStream:
        stream = read_jpeg(codestream)
        check_size(self._written, stream.rows, stream.columns, len(stream.component_ids))
        if codestream.count(b"\xff\xda") > _MOST_SCANS:
            raise LoopUnreadableError("a JPEG has more scans than any picture needs")
        return stream

    def _deep(
        self, codestreams: Sequence[bytes], streams: Sequence[JpegStream]
    ) -> Iterator[Decoded]:
        """Frames of 12 to 16 bits, whose decoder fills in what is missing without a word."""
        if not all(each.rstrip(b"\0").endswith(_END_OF_IMAGE) for each in codestreams):
            raise LoopUnreadableError("a JPEG ends before its picture does")
        decoded = decode_isolated("jpeg", codestreams, self._written)
        for samples, stream in zip(decoded, streams, strict=True):
            yield self._as_stored(samples, stream)

    def _as_stored(self, samples: Samples, stream: JpegStream) -> Decoded:
        return Decoded(samples, stream.precision, self._colours(stream, lambda: samples))

    def _one(self, codestream: bytes, stream: JpegStream) -> Decoded:
        if stream.process == JPEG_LS_PROCESS:
            return Decoded(imagecodecs.jpegls_decode(codestream), stream.precision)
        colours = self._colours(stream, lambda: self._stored(codestream, stream))
        if colours is not Colours.YBR or stream.process == LOSSLESS_PROCESS:
            return Decoded(self._stored(codestream, stream), 8, colours)
        marked = stream.labelled(codestream, colours)
        if self._luma_only:
            return Decoded(_by_libjpeg(marked, "GRAY")[..., 0], 8)
        return Decoded(_by_libjpeg(marked, "RGB"), 8, Colours.RGB)

    def _colours(self, stream: JpegStream, stored: Callable[[], Samples]) -> Colours | None:
        if self._written.samples == 1:
            return None
        if len(stream.evidence) == 1:
            return next(iter(stream.evidence))
        return self._clip.seen(lambda: Decoded(stored(), stream.precision))

    def _stored(self, codestream: bytes, stream: JpegStream) -> NDArray[np.uint8]:
        """The components as they are stored, without any colour transform."""
        if self._written.samples == 1:
            return _by_libjpeg(codestream, "GRAY")[..., 0]
        return _by_libjpeg(stream.labelled(codestream, Colours.RGB), "RGB")


def _by_libjpeg(codestream: bytes, colourspace: str) -> NDArray[np.uint8]:
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(codestream, colorspace=colourspace)
    except ValueError as error:
        # Padding between the scan and the end marker hurts nobody; a scan that ends early does.
        if "extraneous" not in str(error):
            raise
        pixels = simplejpeg.decode_jpeg(codestream, colorspace=colourspace, strict=False)
    return pixels
