"""Whatever bytes arrive: a verdict, and pixels or `InstanceUnreadableError`."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import JPEG2000, HTJ2KLossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from inference.dicom.header import read_header
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.types import Rejected, Selected
from inference.ultrasound.decoding import decode_frames
from inference.ultrasound.loop import look
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from tests.unit.ultrasound_files import cine, compressed_cine, echo_pictures, jpeg, save


def sample_files() -> list[bytes]:
    """One small cine in each of several syntaxes."""
    pictures = echo_pictures(3, 24, 32)
    encoders = {
        JPEGBaseline8Bit: jpeg,
        JPEGLSLossless: imagecodecs.jpegls_encode,
        JPEG2000: partial(imagecodecs.jpeg2k_encode, level=40, codecformat="j2k"),
        HTJ2KLossless: imagecodecs.htj2k_encode,
    }
    headers = [cine(pictures), cine(pictures)]
    headers[1].compress(RLELossless, generate_instance_uid=False)
    for syntax, encode in encoders.items():
        codestreams = [bytes(encode(picture)) for picture in pictures]
        headers.append(compressed_cine(codestreams, syntax, pictures))
    with TemporaryDirectory() as folder:
        return [save(header, Path(folder) / "file").read_bytes() for header in headers]


FILES = sample_files()

edits = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=6
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "file"


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.sampled_from(Profile), st.sampled_from(FILES), edits, st.floats(0.3, 1))
def test_a_damaged_file_never_raises_anything_unexpected(
    path: Path,
    profile: Profile,
    original: bytes,
    changes: list[tuple[float, bytes]],
    kept: float,
) -> None:
    damaged = bytearray(original)
    for place, value in changes:
        at = int(place * len(damaged))
        damaged[at : at + len(value)] = value
    path.write_bytes(damaged[: int(kept * len(damaged))])
    try:
        selection = select(read_header(path), profile)
        assert isinstance(selection, Selected | Rejected)
        frames = decode_frames(path, [0, 2])
        assert frames.dtype == np.uint8
        if isinstance(selection, Selected):
            assert look(path, selection.plan, size=16).frames.shape == (10, 16, 16)
    except (InstanceUnreadableError, InstanceExcludedError):
        pass


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.sampled_from(Profile), st.binary(max_size=400))
def test_any_bytes_are_a_rejection_or_unreadable(
    path: Path, profile: Profile, content: bytes
) -> None:
    path.write_bytes(content)
    with suppress(InstanceUnreadableError):
        assert isinstance(select(read_header(path), profile), Rejected)
