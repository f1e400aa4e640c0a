"""Single frames are found in encapsulated pixel data without reading the others."""

import io
import struct
from itertools import accumulate

import pytest
from pydicom.encaps import encapsulate, encapsulate_extended

from inference.dicom.frame_bytes import EncapsulatedFrames
from inference.errors import InstanceUnreadableError

PREFIX = b"everything before the pixels"
FRAMES = [b"\xff\xd8\xff" + bytes([65 + k]) * (40 + 10 * k) + b"\0" for k in range(5)]
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
LIMIT = 10_000


class CountingFile(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def opened(value: bytes, frames: int = len(FRAMES), extended: bytes = b"") -> EncapsulatedFrames:
    return EncapsulatedFrames(CountingFile(PREFIX + value), len(PREFIX), frames, extended)


def item(value: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(value)) + value


def assert_all_found(frames: EncapsulatedFrames) -> None:
    for index in (3, 0, 4, 1, 2):
        assert frames.read(index, LIMIT).rstrip(b"\0") == FRAMES[index].rstrip(b"\0")


@pytest.mark.parametrize("fragments_per_frame", [1, 3])
@pytest.mark.parametrize("has_table", [True, False])
def test_frames_in_one_or_several_fragments_with_and_without_a_table(
    fragments_per_frame: int, has_table: bool
) -> None:
    value = encapsulate(FRAMES, fragments_per_frame=fragments_per_frame, has_bot=has_table)
    assert_all_found(opened(value + DELIMITER))


def test_frames_by_the_extended_offset_table() -> None:
    value, offsets, _lengths = encapsulate_extended(FRAMES)
    assert_all_found(opened(value + DELIMITER, extended=offsets))


@pytest.mark.parametrize(
    "offsets",
    [
        [0, 1, 2, 3, 4],
        [0, 8, 8, 8, 8],
        [7, 80, 90, 100, 110],
        [0, 90_000_000],
        [0],
        [0, 60, 10**6, 10**7, 10**8],
    ],
)
def test_a_table_that_does_not_fit_is_not_believed(offsets: list[int]) -> None:
    items = b"".join(map(item, FRAMES))
    table = item(struct.pack(f"<{len(offsets)}I", *offsets))
    assert_all_found(opened(table + items + DELIMITER))


def test_without_even_an_empty_table_the_first_item_is_a_frame() -> None:
    assert_all_found(opened(b"".join(map(item, FRAMES)) + DELIMITER))


def test_a_missing_sequence_delimiter_does_not_matter() -> None:
    assert_all_found(opened(encapsulate(FRAMES)))
    assert_all_found(opened(encapsulate(FRAMES, has_bot=False)))


def test_the_only_frame_may_lie_in_any_number_of_fragments() -> None:
    pieces = [b"\xff\xd8\xffab", b"\xff\xd8\xffcd", b"ef"]
    value = item(b"") + b"".join(map(item, pieces)) + DELIMITER
    assert opened(value, frames=1).read(0, LIMIT) == b"".join(pieces)


def test_frames_without_a_codestream_signature_are_one_fragment_each() -> None:
    frames = [b"\3\0\0\0" + bytes([k]) * 20 for k in range(4)]
    found = opened(item(b"") + b"".join(map(item, frames)), frames=9)
    assert found.read(3, LIMIT) == frames[3]
    with pytest.raises(InstanceUnreadableError, match="end before frame 5"):
        found.read(4, LIMIT)


@pytest.mark.parametrize("has_table", [True, False])
def test_frames_before_a_cut_are_found_and_the_cut_one_is_refused(has_table: bool) -> None:
    value = encapsulate(FRAMES, has_bot=has_table)
    frames = opened(value[:-20])
    assert frames.read(3, LIMIT).startswith(FRAMES[3])
    with pytest.raises(InstanceUnreadableError, match="shorter"):
        frames.read(4, LIMIT)


def test_with_a_table_little_more_than_the_frame_is_read() -> None:
    large = [b"\xff\xd8\xff" + bytes(50_000) for _ in range(20)]
    file = CountingFile(encapsulate(large))
    EncapsulatedFrames(file, 0, 20).read(17, 100_000)
    assert file.count < 51_000


def test_without_a_table_only_item_headers_are_read() -> None:
    large = [b"\xff\xd8\xff" + bytes(50_000) for _ in range(20)]
    file = CountingFile(encapsulate(large, has_bot=False))
    EncapsulatedFrames(file, 0, 20).read(17, 100_000)
    assert file.count < 51_000


def test_a_frame_beyond_all_bounds_is_refused_unread() -> None:
    file = CountingFile(item(b"") + item(b"\xff\xd8\xff" + bytes(50_000)))
    with pytest.raises(InstanceUnreadableError, match="longer"):
        EncapsulatedFrames(file, 0, 1).read(0, 1000)
    assert file.count < 100


def test_endless_empty_fragments_are_refused() -> None:
    with pytest.raises(InstanceUnreadableError, match="more pieces"):
        opened(item(b"") + item(b"") * 200_001).read(0, LIMIT)


@pytest.mark.parametrize("value", [b"", b"\xff\xd8\xff\xe0\0\0\0\0", DELIMITER])
def test_pixel_data_without_items_are_refused(value: bytes) -> None:
    with pytest.raises(InstanceUnreadableError, match="not in items"):
        opened(value)


def test_offsets_are_what_the_standard_says() -> None:
    starts = list(accumulate((8 + len(frame) + len(frame) % 2 for frame in FRAMES), initial=0))
    table = struct.pack("<5I", *starts[:-1])
    assert encapsulate(FRAMES)[8:28] == table
