"""Frames that are all there are read although their packing is not what it should be."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import RLELossless

from inference.dicom.elements import decimal_commas, numbers
from inference.dicom.header import instance_ref, read_header
from inference.errors import InstanceUnreadableError
from inference.types import Selected
from inference.ultrasound.decoding import colour_frames, grey_pictures
from inference.ultrasound.loop import Loop, look
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from tests.unit.ultrasound_files import cine, compressed_cine, echo_pictures, jpeg, save, ybr_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FRAMES = 12
PICTURES = echo_pictures(FRAMES)
JPEGS = [jpeg(picture) for picture in PICTURES]
WANTED = (FRAMES - 1, 0, 5)
END = b"\xff\xd9"
END_NOTE = "JPEG frames lack the end marker; all pixels are present."
FILL_NOTE = "JPEG frames begin with fill bytes, which were skipped."


def jpeg_cine(codestreams: Sequence[bytes], path: Path) -> Path:
    return save(
        compressed_cine(codestreams, pictures=PICTURES, PhotometricInterpretation="YBR_FULL_422"),
        path,
    )


def looks(path: Path) -> list[Loop]:
    """The loop under both profiles."""
    found = []
    for profile in Profile:
        selection = select(read_header(path), profile)
        assert isinstance(selection, Selected), selection
        found.append(look(path, selection.plan, size=32, without_heartbeat=True))
    return found


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda each: each.removesuffix(END), END_NOTE),
        (lambda each: each.removesuffix(END) + b"\0", END_NOTE),
        (lambda each: bytes(6) + each, FILL_NOTE),
        (lambda each: b"\xff" * 5 + each, FILL_NOTE),
        (lambda each: b"\0\xff\xff" + each, FILL_NOTE),
        (lambda each: bytes(60) + each, FILL_NOTE),
    ],
    ids=["no end", "padding for the end", "zeros", "fill", "both", "many zeros"],
)
def test_jpeg_frames_with_all_their_pixels_are_read(
    change: Callable[[bytes], bytes], note: str, tmp_path: Path
) -> None:
    whole = jpeg_cine(JPEGS, tmp_path / "whole")
    changed = jpeg_cine(list(map(change, JPEGS)), tmp_path / "changed")
    np.testing.assert_array_equal(colour_frames(changed, WANTED), colour_frames(whole, WANTED))
    for expected, loop in zip(looks(whole), looks(changed), strict=True):
        np.testing.assert_array_equal(loop.frames, expected.frames)
        assert sorted(loop.notes) == sorted((*expected.notes, note))


@pytest.mark.parametrize("missing", [4, 6, 10, 40, 400])
@pytest.mark.parametrize("padding", [b"", bytes(500)])
def test_a_jpeg_that_lacks_more_than_its_end_is_refused(
    missing: int, padding: bytes, tmp_path: Path
) -> None:
    path = jpeg_cine([each[:-missing] + padding for each in JPEGS], tmp_path / "instance")
    with pytest.raises(InstanceUnreadableError):
        grey_pictures(path, WANTED)


#: Transfer syntax and encoder of codestreams that end with a marker too.
OTHERS: dict[str, tuple[str, Callable[[NDArray[np.uint8]], bytes]]] = {
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", lambda each: bytes(imagecodecs.jpegls_encode(each))),
    "JPEG 2000": (
        "1.2.840.10008.1.2.4.90",
        lambda each: bytes(imagecodecs.jpeg2k_encode(each, reversible=True, codecformat="j2k")),
    ),
    "HTJ2K": (
        "1.2.840.10008.1.2.4.201",
        lambda each: bytes(imagecodecs.htj2k_encode(each, reversible=True)),
    ),
}


@pytest.mark.parametrize("way", OTHERS)
def test_other_codestreams_without_their_end_or_after_fill(way: str, tmp_path: Path) -> None:
    syntax, encode = OTHERS[way]
    for name, change in {
        "end": lambda each: each.removesuffix(END),
        "fill": lambda each: bytes(8) + each,
    }.items():
        codestreams = [change(encode(each)) for each in PICTURES]
        path = save(compressed_cine(codestreams, syntax, PICTURES), tmp_path / name)
        np.testing.assert_array_equal(colour_frames(path, WANTED), PICTURES[list(WANTED)])
    assert len(grey_pictures(tmp_path / "end", WANTED).notes) == 1


@pytest.mark.parametrize("way", OTHERS)
@pytest.mark.parametrize("missing", [3, 6, 30, 300])
def test_other_codestreams_that_lack_more_than_their_end_are_refused(
    missing: int, way: str, tmp_path: Path
) -> None:
    syntax, encode = OTHERS[way]
    codestreams = [encode(each)[:-missing] for each in PICTURES]
    path = save(compressed_cine(codestreams, syntax, PICTURES), tmp_path / "instance")
    with pytest.raises(InstanceUnreadableError):
        grey_pictures(path, WANTED)


def test_a_progressive_jpeg_without_its_end_may_lack_scans_and_is_refused(tmp_path: Path) -> None:
    codestreams = [jpeg(each, progressive=True).removesuffix(END) for each in PICTURES]
    with pytest.raises(InstanceUnreadableError, match="ends before its picture"):
        grey_pictures(jpeg_cine(codestreams, tmp_path / "instance"), WANTED)


def items(codestreams: Sequence[bytes], has_table: bool) -> bytes:
    """Items of odd length, each followed by a pad byte that it does not count."""
    odd = [each if len(each) % 2 else each + b"\0" for each in codestreams]
    values = [b"\xfe\xff\x00\xe0" + struct.pack("<I", len(each)) + each + b"\0" for each in odd]
    starts = np.cumsum([0, *map(len, values)])[:-1]
    table = struct.pack(f"<{len(values)}I", *starts) if has_table else b""
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(table)) + table + b"".join(values)


@pytest.mark.parametrize("has_table", [False, True])
@pytest.mark.parametrize("way", ["JPEG", "RLE"])
def test_a_pad_byte_outside_of_its_item(way: str, has_table: bool, tmp_path: Path) -> None:
    header = compressed_cine(JPEGS, pictures=PICTURES, PhotometricInterpretation="YBR_FULL_422")
    codestreams = JPEGS
    if way == "RLE":
        header = cine(PICTURES)
        header.compress(RLELossless, generate_instance_uid=False)
        codestreams = [bytes(header.PixelData)[i : i + n] for i, n in _items_in(header.PixelData)]
    path = save(header, tmp_path / "instance")
    expected = colour_frames(path, WANTED)
    content = path.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00") + 12
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    path.write_bytes(content[:start] + items(codestreams, has_table) + end)
    np.testing.assert_array_equal(colour_frames(path, WANTED), expected)
    assert len({loop.frame_numbers for loop in looks(path)}) == 1


def _items_in(value: bytes) -> list[tuple[int, int]]:
    """Place and length of every item but the first."""
    found, at = [], 0
    while at < len(value):
        length = int.from_bytes(value[at + 4 : at + 8], "little")
        found.append((at + 8, length))
        at += 8 + length
    return found[1:]


def native(frames: int, **attributes: object) -> Dataset:
    return cine(echo_pictures(frames), **attributes)


def by_items(frames: int, **attributes: object) -> Dataset:
    return compressed_cine(
        [jpeg(each) for each in echo_pictures(frames)],
        pictures=echo_pictures(frames),
        PhotometricInterpretation="YBR_FULL_422",
        **attributes,
    )


def rle(frames: int, **attributes: object) -> Dataset:
    header = cine(echo_pictures(frames))
    header.compress(RLELossless, generate_instance_uid=False)
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return header


def whole_under_422(frames: int, **attributes: object) -> Dataset:
    return cine(
        ybr_of(echo_pictures(frames)), PhotometricInterpretation="YBR_FULL_422", **attributes
    )


@pytest.mark.parametrize("made", [native, by_items, rle, whole_under_422])
@pytest.mark.parametrize("waves", [[100.0, 900.0], [1.0, 2.0]], ids=["beat", "whole clip"])
@pytest.mark.parametrize("off", [-1, 1])
def test_one_frame_more_or_less_than_stated_is_a_miscount(
    off: int, waves: list[float], made: Callable[..., Dataset], tmp_path: Path
) -> None:
    right = save(made(FRAMES, RWaveTimeVector=waves), tmp_path / "right")
    wrong = save(made(FRAMES, RWaveTimeVector=waves, NumberOfFrames=FRAMES + off), tmp_path / "off")
    assert instance_ref(read_header(wrong)).number_of_frames == FRAMES
    note = f"Number of Frames is {FRAMES + off}, the pixel data hold {FRAMES}."
    for expected, loop in zip(looks(right), looks(wrong), strict=True):
        assert loop.frame_numbers == expected.frame_numbers
        np.testing.assert_array_equal(loop.frames, expected.frames)
        assert sorted(loop.notes) == sorted((*expected.notes, note))


def test_a_frame_time_vector_as_long_as_a_count_that_is_one_too_many(tmp_path: Path) -> None:
    times = {"FrameTimeVector": [0, *[100] * FRAMES], "FrameIncrementPointer": 0x00181065}
    path = save(native(FRAMES, NumberOfFrames=FRAMES + 1, **times), tmp_path / "instance")
    assert len(numbers(read_header(path), "FrameTimeVector")) == FRAMES
    neutral = looks(path)[list(Profile).index(Profile.VENDOR_NEUTRAL)]
    assert "frame times by Frame Time Vector" in neutral.notes[1]


@pytest.mark.parametrize("made", [native, by_items, rle])
@pytest.mark.parametrize("stated", [FRAMES - 2, FRAMES + 2, 2 * FRAMES])
def test_a_count_that_is_off_by_more_is_no_miscount(
    stated: int, made: Callable[..., Dataset], tmp_path: Path
) -> None:
    path = save(made(FRAMES, NumberOfFrames=stated), tmp_path / "instance")
    assert instance_ref(read_header(path)).number_of_frames == stated
    with pytest.raises(InstanceUnreadableError, match=f"hold {FRAMES} whole frames"):
        grey_pictures(path, [0])


@pytest.mark.parametrize("made", [native, by_items, rle])
@pytest.mark.parametrize("cut_bytes", [1, 20, 100, 20_000])
def test_an_upload_that_was_cut_short_does_not_pass_for_whole(
    cut_bytes: int, made: Callable[..., Dataset], tmp_path: Path
) -> None:
    path = save(made(FRAMES), tmp_path / "instance")
    content = path.read_bytes()
    delimiter_bytes = 0 if made is native else 8
    path.write_bytes(content[: -cut_bytes - delimiter_bytes])
    with pytest.raises(InstanceUnreadableError):
        grey_pictures(path, [0])


def test_a_cut_at_the_end_of_a_frame_is_no_miscount(tmp_path: Path) -> None:
    path = save(native(FRAMES), tmp_path / "instance")
    content = path.read_bytes()
    path.write_bytes(content[: -PICTURES[0].size])
    assert instance_ref(read_header(path)).number_of_frames == FRAMES
    with pytest.raises(InstanceUnreadableError, match=f"hold {FRAMES - 1} whole frames"):
        grey_pictures(path, [0])


@pytest.mark.parametrize(
    "attributes",
    [{"Columns": 79}, {"Rows": 63}, {"Rows": 32}, {"BitsAllocated": 16}, {"SamplesPerPixel": 1}],
    ids=str,
)
def test_frames_of_another_size_than_stated_are_refused(
    attributes: dict[str, int], tmp_path: Path
) -> None:
    path = save(native(FRAMES, **attributes), tmp_path / "instance")
    with pytest.raises(InstanceUnreadableError, match=r"whole frames|size cannot be right"):
        grey_pictures(path, [0])


def test_numbers_with_a_decimal_comma(tmp_path: Path) -> None:
    right = save(native(FRAMES, FrameTime="75.5"), tmp_path / "right")
    wrong = tmp_path / "wrong"
    wrong.write_bytes(right.read_bytes().replace(b"75.5", b"75,5"))
    for expected, loop in zip(looks(right), looks(wrong), strict=True):
        assert loop.frame_numbers == expected.frame_numbers
        note = "Frame Time: a decimal comma was read as a point."
        assert sorted(loop.notes) == sorted((*expected.notes, note))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("33,25", (33.25,)),
        ("33,25\\-1,5e2\\7", (33.25, -150.0, 7.0)),
        ("1,234.5", ()),
        ("1,2,3", ()),
        ("33.25", (33.25,)),
    ],
)
def test_only_a_comma_that_can_be_a_point_is_read_as_one(
    text: str, expected: tuple[float, ...], tmp_path: Path
) -> None:
    path = save(cine(PICTURES), tmp_path / "instance")
    content = path.read_bytes()
    at = content.index(b"\x18\x00\x63\x10DS")
    length = int.from_bytes(content[at + 6 : at + 8], "little")
    value = text.encode().ljust(len(text) + len(text) % 2)
    path.write_bytes(
        content[: at + 6] + struct.pack("<H", len(value)) + value + content[at + 8 + length :]
    )
    header = read_header(path)
    assert numbers(header, "FrameTime") == expected
    commas = "," in text and bool(expected)
    assert decimal_commas(header, ["FrameTime"]) == (("Frame Time",) if commas else ())
