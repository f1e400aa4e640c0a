"""What frames are compressed with is seen in their first bytes, else their syntax says it."""

import imagecodecs
import pytest
from pydicom import Dataset
from pydicom.uid import MPEG2MPML, UID, ExplicitVRLittleEndian, RLELossless

from inference.dicom.codestreams import Coding, coding_by_start, coding_of
from inference.dicom.pixels.jpeg_xl import read_jpeg_xl_size
from inference.errors import InstanceUnreadableError
from tests.unit.ultrasound_files import cine, echo_pictures, jpeg

PICTURE = echo_pictures(1)[0]
DEFLATED_FRAMES = UID("1.2.840.10008.1.2.8.1")


def rle() -> bytes:
    header: Dataset = cine(PICTURE[None])
    header.compress(RLELossless, generate_instance_uid=False)
    return bytes(header.PixelData)[20:]


BY_START = {
    Coding.JPEG: [jpeg(PICTURE), imagecodecs.jpegls_encode(PICTURE)],
    Coding.JPEG_2000: [
        imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k"),
        imagecodecs.jpeg2k_encode(PICTURE, codecformat="jp2"),
        imagecodecs.htj2k_encode(PICTURE),
    ],
    Coding.JPEG_XL: [
        imagecodecs.jpegxl_encode(PICTURE, usecontainer=False),
        imagecodecs.jpegxl_encode(PICTURE, usecontainer=True),
    ],
    Coding.RLE: [rle()],
    None: [b"", b"\0" * 8, PICTURE.tobytes(), b"\x01\0\0\0\x80\0\0\0"],
}


@pytest.mark.parametrize("coding", BY_START)
def test_a_codestream_shows_what_it_is(coding: Coding | None) -> None:
    for codestream in BY_START[coding]:
        assert coding_by_start(bytes(codestream[:8])) is coding


def test_the_transfer_syntax_decides_where_the_bytes_show_nothing() -> None:
    assert coding_of(b"\0" * 8, RLELossless) is Coding.RLE
    assert coding_of(b"\0" * 8, MPEG2MPML) is Coding.VIDEO
    assert coding_of(b"\0" * 8, ExplicitVRLittleEndian) is None


def test_the_bytes_decide_against_the_transfer_syntax() -> None:
    assert coding_of(jpeg(PICTURE), RLELossless) is Coding.JPEG
    assert coding_of(jpeg(PICTURE), ExplicitVRLittleEndian) is Coding.JPEG


def test_bytes_that_may_be_anything_are_not_asked() -> None:
    assert coding_of(jpeg(PICTURE), DEFLATED_FRAMES) is Coding.DEFLATED


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize(
    ("rows", "columns"),
    [(64, 80), (64, 64), (8, 8), (48, 64), (480, 640), (430, 600), (709, 1016), (1, 2000)],
)
def test_the_size_of_a_jpeg_xl_is_read_before_it_is_decoded(
    rows: int, columns: int, container: bool
) -> None:
    picture = echo_pictures(1, rows, columns)[0]
    codestream = imagecodecs.jpegxl_encode(picture, effort=1, usecontainer=container, numthreads=1)
    assert read_jpeg_xl_size(bytes(codestream)) == (rows, columns)


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\xff\x0b\0\0", b"\x00\x00\x00\x0cJXL \r\n\x87\n", b"\x00\x00\x00\x0cJXL " + bytes(99)],
)
def test_what_is_no_jpeg_xl_has_no_size(damaged: bytes) -> None:
    with pytest.raises(InstanceUnreadableError, match="not a JPEG XL"):
        read_jpeg_xl_size(damaged)
