"""Small cines as video streams, made by real encoders."""

import io
from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from tests.unit.ultrasound_files import cine, echo_pictures

CLIP_FRAMES = 50


def clip(frames: int = CLIP_FRAMES) -> NDArray[np.uint8]:
    """RGB (frames, 64, 80, 3) whose right upper corner is a little brighter in each frame."""
    pictures = echo_pictures(frames)
    for number, picture in enumerate(pictures):
        picture[4:24, 60:76] = 5 * number
    return pictures


def numbers_in(pictures: NDArray[np.uint8]) -> list[int]:
    """Which frame of `clip` each picture is, by its corner; grey or colour."""
    corners = pictures[:, 8:20, 64:72].reshape(len(pictures), -1)
    return [round(float(corner.mean()) / 5) for corner in corners]


def encoded(
    pictures: NDArray[np.uint8], codec: str, form: str, pixels: str = "yuv420p", **options: Any
) -> bytes:
    """A stream of 25 frames a second in a file format of FFmpeg's."""
    target = io.BytesIO()
    quality = {"mpeg2video": {"qscale": "2"}, "libx264": {"crf": "12"}}.get(codec, {})
    with av.open(target, "w", format=form) as container:
        stream = container.add_stream(codec, rate=25, options=quality | options)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = 12
        stream.codec_context.max_b_frames = 2
        if codec == "mpeg2video":
            stream.bit_rate = 4_000_000
        if codec == "libx265":
            stream.options = {"x265-params": "log-level=none:crf=12"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return target.getvalue()


def video_cine(
    stream: bytes, syntax: str, fragments: int = 1, frames: int = CLIP_FRAMES
) -> Dataset:
    """A cine of `clip` whose frames are all in one stream, in some fragments, without a table."""
    header = cine(clip(1), PhotometricInterpretation="YBR_PARTIAL_420", NumberOfFrames=frames)
    header.file_meta.TransferSyntaxUID = syntax
    size = -(-len(stream) // fragments)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    header.PixelData = items(pieces)
    header["PixelData"].is_undefined_length = True
    header["PixelData"].VR = "OB"
    return header


def items(pieces: Sequence[bytes]) -> bytes:
    """An empty offset table and fragments of even length."""
    return b"".join(
        b"\xfe\xff\x00\xe0"
        + (len(piece) + len(piece) % 2).to_bytes(4, "little")
        + piece
        + b"\0" * (len(piece) % 2)
        for piece in (b"", *pieces)
    )
