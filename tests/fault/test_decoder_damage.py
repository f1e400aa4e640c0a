"""Damaged codestreams and videos end as pixels or as `InstanceUnreadableError`, never the worker.

Every example starts a process, so the ordinary run tries few.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from inference.errors import InstanceUnreadableError
from inference.ultrasound.decoding import colour_frames
from tests.unit.ultrasound_files import compressed_cine, echo_pictures, save
from tests.unit.video_files import clip, encoded, video_cine

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

BASE = "1.2.840.10008.1.2.4."


def jpeg_xl() -> Dataset:
    pictures = echo_pictures(3)
    codestreams = [bytes(imagecodecs.jpegxl_encode(picture, level=90)) for picture in pictures]
    return compressed_cine(codestreams, f"{BASE}112", pictures)


def twelve_bit_jpeg() -> Dataset:
    pictures = (echo_pictures(3)[..., 0].astype(np.uint16) * 16).astype(np.uint16)
    encode = partial(imagecodecs.jpeg8_encode, bitspersample=12)
    codestreams = [bytes(encode(picture)) for picture in pictures]
    return compressed_cine(codestreams, f"{BASE}51", pictures, BitsStored=12, HighBit=11)


def video(codec: str, form: str, syntax: str) -> Dataset:
    return video_cine(encoded(clip(), codec, form), f"{BASE}{syntax}")


SAMPLES: dict[str, Callable[[], Dataset]] = {
    "JPEG XL": jpeg_xl,
    "JPEG of 12 bits": twelve_bit_jpeg,
    "MPEG-2": partial(video, "mpeg2video", "mpeg2video", "100"),
    "MPEG-2 program stream": partial(video, "mpeg2video", "vob", "101"),
    "H.264 in MP4": partial(video, "libx264", "mp4", "102"),
    "H.264 transport stream": partial(video, "libx264", "mpegts", "102"),
    "H.265 in MP4": partial(video, "libx265", "mp4", "107"),
}


@cache
def sample(name: str) -> bytes:
    with TemporaryDirectory() as folder:
        return save(SAMPLES[name](), Path(folder) / "file").read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "file"


edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=12,
)


def ends_well(path: Path, name: str, changes: list[tuple[float, bytes]], kept: float) -> None:
    damaged = bytearray(sample(name))
    start = damaged.rindex(b"\xe0\x7f\x10\x00") + 20  # the header has its own tests
    for place, value in changes:
        at = start + int(place * (len(damaged) - start))
        damaged[at : at + len(value)] = value
    path.write_bytes(damaged[: start + int(kept * (len(damaged) - start))])
    try:
        frames = colour_frames(path, [0, 2])
    except InstanceUnreadableError:
        return
    assert frames.shape == (2, 64, 80, 3)


@settings(max_examples=14, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), edits, st.floats(0.3, 1))
def test_a_damaged_stream_harms_nothing(
    path: Path, name: str, changes: list[tuple[float, bytes]], kept: float
) -> None:
    ends_well(path, name, changes, kept)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SAMPLES)
def test_hundreds_of_damaged_streams_harm_nothing(path: Path, name: str) -> None:
    @settings(max_examples=300, deadline=None)
    @given(edits, st.floats(0.3, 1))
    def hundreds(changes: list[tuple[float, bytes]], kept: float) -> None:
        ends_well(path, name, changes, kept)

    hundreds()
