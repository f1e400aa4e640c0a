"""Codestreams of single frames to samples, by codecs with permissive licences."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEG2000, UID, JPEGExtended12Bit, JPEGLossless, JPEGLSLossless, RLELossless

from inference.errors import LoopUnreadableError
from inference.ultrasound.grey import Decoded, Samples, colours_by_picture, labelled_colours
from inference.ultrasound.jpeg import (
    JPEG_LS_PROCESS,
    LOSSLESS_PROCESS,
    Colours,
    JpegStream,
    read_jpeg,
    read_jpeg2000,
)
from inference.ultrasound.pixel_format import PixelFormat

_GDCM_PROGRAM = Path(__file__).with_name("gdcm_jpeg.py")
_GDCM_TIMEOUT_S = 60


class JpegDecoder:
    """JPEG and JPEG-LS frames of one clip.

    Which process made a frame and which colours it holds is decided by the frame itself. Where
    it does not say, the picture is asked once, so that a clip never changes its colours midway.
    """

    def __init__(self, written: PixelFormat) -> None:
        self._written = written
        self._by_picture: Colours | None = None

    def __call__(self, codestream: bytes) -> Decoded:
        """Decode one frame; the luma alone where that is all a grey picture needs."""
        stream = read_jpeg(codestream)
        _check_size(self._written, stream.rows, stream.columns, len(stream.component_ids))
        if stream.process == JPEG_LS_PROCESS:
            samples = _by_pydicom(codestream, self._written, JPEGLSLossless, "pyjpegls")
            return Decoded(samples, stream.precision)
        if self._written.samples == 1:
            return Decoded(_components(codestream, stream, self._written), stream.precision)
        colours = self._colours(codestream, stream)
        lossless = stream.process == LOSSLESS_PROCESS
        if colours is Colours.YBR and stream.precision == 8 and not lossless:
            luma = _by_libjpeg(stream.labelled(codestream, colours), "GRAY")
            return Decoded(luma[..., 0], stream.precision)
        samples = _components(codestream, stream, self._written)
        return Decoded(samples, stream.precision, colours)

    def _colours(self, codestream: bytes, stream: JpegStream) -> Colours:
        if len(stream.evidence) == 1:
            return next(iter(stream.evidence))
        if self._by_picture is None:
            planes = Decoded(_components(codestream, stream, self._written), stream.precision)
            self._by_picture = colours_by_picture(planes, labelled_colours(self._written))
        return self._by_picture


def decode_jpeg2000(codestream: bytes, written: PixelFormat) -> Decoded:
    """Decode one JPEG 2000 frame; its colour transform, where it has one, is undone."""
    stream = read_jpeg2000(codestream)
    _check_size(written, stream.rows, stream.columns, stream.components)
    samples = _by_pydicom(codestream, written, JPEG2000, "pillow")
    return Decoded(samples, stream.precision, Colours.RGB if stream.colour_transform else None)


def decode_rle(codestream: bytes, written: PixelFormat) -> Decoded:
    """Decode one RLE frame (PS3.5 Annex G)."""
    samples = _by_pydicom(codestream, written, RLELossless, "pydicom")
    return Decoded(samples, written.bits_stored)


def _check_size(written: PixelFormat, rows: int, columns: int, components: int) -> None:
    # A codestream may claim any size; none is allocated beyond what the header was checked for.
    if (rows, columns, components) != (written.rows, written.columns, written.samples):
        raise LoopUnreadableError(
            f"a frame of {rows} x {columns} x {components} stands in an image of "
            f"{written.rows} x {written.columns} x {written.samples}"
        )


def _components(codestream: bytes, stream: JpegStream, written: PixelFormat) -> Samples:
    """The components as they are stored, without any colour transform."""
    if written.samples == 3:
        codestream = stream.labelled(codestream, Colours.RGB)
    if stream.precision != 8:
        return _by_gdcm(codestream, stream, written)
    if written.samples == 1:
        return _by_libjpeg(codestream, "GRAY")[..., 0]
    return _by_libjpeg(codestream, "RGB")


def _by_libjpeg(codestream: bytes, colourspace: str) -> NDArray[np.uint8]:
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(codestream, colorspace=colourspace)
    except ValueError as error:
        # Padding between the scan and the end marker hurts nobody; a scan that ends early does.
        if "extraneous" not in str(error):
            raise
        pixels = simplejpeg.decode_jpeg(codestream, colorspace=colourspace, strict=False)
    return pixels


def _by_gdcm(codestream: bytes, stream: JpegStream, written: PixelFormat) -> Samples:
    """12 and 16 bits, which libjpeg-turbo as packaged does not give; in a process of its own."""
    syntax = JPEGLossless if stream.process == LOSSLESS_PROCESS else JPEGExtended12Bit
    numbers = map(str, (stream.rows, stream.columns, written.samples, stream.precision))
    decoding = subprocess.run(  # noqa: S603 - our own program, its arguments are numbers
        [sys.executable, "-I", str(_GDCM_PROGRAM), syntax, *numbers],
        input=codestream,
        capture_output=True,
        timeout=_GDCM_TIMEOUT_S,
        check=True,
    )
    shape = (stream.rows, stream.columns, 3)[: 2 if written.samples == 1 else 3]
    return np.frombuffer(decoding.stdout, np.uint16).reshape(shape)


def _by_pydicom(codestream: bytes, written: PixelFormat, syntax: UID, plugin: str) -> Samples:
    # The plugin is named because GDCM, pydicom's first choice, may abort on damaged JPEG 2000.
    options: dict[str, Any] = {
        "rows": written.rows,
        "columns": written.columns,
        "number_of_frames": 1,
        "samples_per_pixel": written.samples,
        "bits_allocated": written.bits_allocated,
        "bits_stored": written.bits_stored,
        "pixel_representation": int(written.signed),
        "planar_configuration": int(written.planar),
        "photometric_interpretation": "MONOCHROME2" if written.samples == 1 else "RGB",
        "pixel_keyword": "PixelData",
    }
    source = encapsulate([codestream], has_bot=False)
    array, _ = get_decoder(syntax).as_array(
        source, index=0, raw=True, decoding_plugin=plugin, **options
    )
    samples: Samples = array.view(f"u{array.dtype.itemsize}")
    return samples
