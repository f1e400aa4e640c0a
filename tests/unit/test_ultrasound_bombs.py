"""Small files that claim much end soon, as unreadable, within bounded memory."""

import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import RLELossless

from inference.errors import InstanceUnreadableError
from inference.ultrasound.decoding import colour_frames
from tests.unit.ultrasound_files import compressed_cine, echo_pictures, jpeg, save
from tests.unit.video_files import clip, encoded, video_cine

LARGE = np.zeros((8000, 9000), np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "instance"


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    began = time.perf_counter()
    yield
    assert time.perf_counter() - began < 5


def refused(header: Dataset, path: Path, match: str) -> None:
    with pytest.raises(InstanceUnreadableError, match=match):
        colour_frames(save(header, path), [0])


def test_a_jpeg_xl_of_72_million_pixels_in_a_few_bytes(path: Path) -> None:
    codestream = bytes(imagecodecs.jpegxl_encode(LARGE, effort=1, lossless=True))
    assert len(codestream) < 50_000
    header = compressed_cine([codestream] * 6, "1.2.840.10008.1.2.4.110")
    refused(header, path, "8000 x 9000 stands in an image of 64 x 80")


def test_a_jpeg_2000_of_72_million_pixels(path: Path) -> None:
    codestream = bytearray(imagecodecs.jpeg2k_encode(LARGE[:64, :80], codecformat="j2k"))
    struct.pack_into(">II", codestream, 8, 9000, 8000)
    refused(compressed_cine([bytes(codestream)] * 6, "1.2.840.10008.1.2.4.90"), path, "8000 x 9000")


def test_a_jpeg_2000_whose_file_claims_another_size_than_its_codestream(path: Path) -> None:
    small = imagecodecs.jpeg2k_encode(echo_pictures(1)[0], codecformat="jp2")
    file_header = small.index(b"ihdr")
    content = bytearray(small)
    struct.pack_into(">II", content, file_header + 4, 60000, 60000)
    header = compressed_cine([bytes(content)] * 6, "1.2.840.10008.1.2.4.90")
    assert colour_frames(save(header, path), [0]).shape == (1, 64, 80, 3)


def test_a_jpeg_with_thousands_of_scans(path: Path) -> None:
    codestream = jpeg(echo_pictures(1)[0], progressive=True)
    scan = codestream.rindex(b"\xff\xda")
    scans = codestream[scan:-2] * 3000
    limit = 2**20
    header = compressed_cine([(codestream[:scan] + scans)[:limit] + b"\xff\xd9"] * 6)
    refused(header, path, "more scans")


def test_rle_that_unpacks_to_far_more_than_its_picture(path: Path) -> None:
    run = b"\x81\xff" * 50_000  # six million bytes
    starts = [64 + number * len(run) for number in range(3)]
    frame = struct.pack("<16I", 3, *starts, *[0] * 12) + run * 3
    refused(compressed_cine([frame] * 6, RLELossless), path, "cannot be decoded")


def test_a_deflated_frame_that_unpacks_to_more_than_its_picture(path: Path) -> None:
    squeezer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    frame = squeezer.compress(bytes(50_000_000)) + squeezer.flush()
    header = compressed_cine([frame] * 6, "1.2.840.10008.1.2.8.1")
    assert not colour_frames(save(header, path), [0]).any()


def test_a_video_of_16383_by_16383_pixels(path: Path) -> None:
    stream = bytearray(encoded(clip(4), "mpeg2video", "mpeg2video"))
    at = stream.index(b"\0\0\1\xb3")
    stream[at + 4 : at + 7] = b"\xff\xff\xff"
    refused(video_cine(bytes(stream), "1.2.840.10008.1.2.4.100", frames=4), path, ".")


def test_a_video_file_that_claims_a_billion_frames(path: Path) -> None:
    stream = bytearray(encoded(clip(4), "libx264", "mp4"))
    at = stream.index(b"stsz")
    struct.pack_into(">II", stream, at + 8, 1, 2**30)
    refused(video_cine(bytes(stream), "1.2.840.10008.1.2.4.102", frames=4), path, ".")


def test_a_video_that_names_another_file_opens_none(path: Path) -> None:
    playlist = f"#EXTM3U\n#EXTINF:10,\nfile://{path}\n#EXT-X-ENDLIST\n".encode()
    refused(video_cine(playlist, "1.2.840.10008.1.2.4.102", frames=4), path, "cannot be decoded")
