"""A video that is not what its header says is refused with the reason; nothing is left behind."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from inference.errors import InstanceUnreadableError
from inference.ultrasound import loop
from inference.ultrasound.decoding import colour_frames, decode_frames
from inference.ultrasound.preprocessing import resize, to_square
from tests.unit.ultrasound_files import echo_pictures, grey_of, save
from tests.unit.video_files import clip, encoded, numbers_in, video_cine

MPEG2, H264 = "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102"


@pytest.fixture(scope="module")
def h264() -> bytes:
    return encoded(clip(), "libx264", "mp4")


@pytest.fixture(scope="module")
def transport_stream() -> bytes:
    return encoded(clip(), "libx264", "mpegts")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "instance"


@pytest.mark.parametrize("stated", [40, 60, 500])
def test_another_number_of_frames_than_the_header_says(
    stated: int, h264: bytes, path: Path
) -> None:
    save(video_cine(h264, H264, frames=stated), path)
    with pytest.raises(
        InstanceUnreadableError, match=f"holds 50 frames where its header says {stated}"
    ):
        decode_frames(path, [0])


@pytest.mark.parametrize("stated", [49, 52])
def test_one_or_two_frames_more_or_less_are_how_carts_count(
    stated: int, h264: bytes, path: Path
) -> None:
    save(video_cine(h264, H264, frames=stated), path)
    assert numbers_in(decode_frames(path, [10, 40])) == [10, 40]


def test_a_frame_beyond_the_last_one(h264: bytes, path: Path) -> None:
    save(video_cine(h264, H264, frames=52), path)
    with pytest.raises(InstanceUnreadableError, match="ends before frame 52"):
        decode_frames(path, [3, 51])


def test_another_size_than_the_header_says(h264: bytes, path: Path) -> None:
    header = video_cine(h264, H264)
    header.Rows = 80
    with pytest.raises(InstanceUnreadableError, match="is 64 x 80, its header 80 x 80"):
        decode_frames(save(header, path), [0])


def test_a_stream_that_was_cut_short(transport_stream: bytes, path: Path) -> None:
    save(video_cine(transport_stream[: len(transport_stream) // 2], H264), path)
    with pytest.raises(InstanceUnreadableError, match="header says 50"):
        decode_frames(path, [0])


def test_a_damaged_frame_is_not_made_up_from_its_neighbours(path: Path) -> None:
    stream = bytearray(encoded(clip(), "mpeg2video", "mpeg2video"))
    third = [at for at in range(len(stream)) if stream[at : at + 4] == b"\0\0\1\0"][2]
    stream[third + 30 : third + 330] = b"\xa5" * 300
    save(video_cine(bytes(stream), MPEG2), path)
    with pytest.raises(InstanceUnreadableError):
        decode_frames(path, [0, 1, 2, 3])


def test_damage_elsewhere_does_not_matter(h264: bytes, path: Path) -> None:
    whole = save(video_cine(h264, H264), path)
    expected = decode_frames(whole, [2])
    damaged = bytearray(h264)
    late = damaged.index(b"mdat") + 4 * (len(h264) // 5)
    damaged[late : late + 100] = bytes(100)
    save(video_cine(bytes(damaged), H264), path)
    np.testing.assert_array_equal(decode_frames(path, [2]), expected)


def test_what_is_no_video_at_all(path: Path) -> None:
    save(video_cine(bytes(range(256)) * 40, MPEG2), path)
    with pytest.raises(InstanceUnreadableError, match="cannot be decoded"):
        decode_frames(path, [0])


def test_a_picture_of_full_size_fits_the_limits(path: Path) -> None:
    pictures = echo_pictures(2, 1080, 1920)
    header = video_cine(encoded(pictures, "libx264", "mp4", preset="ultrafast"), H264, frames=2)
    header.Rows, header.Columns = 1080, 1920
    grey = decode_frames(save(header, path), [1])
    assert np.abs(grey - grey_of(pictures[1:])).mean() < 2


def test_no_picture_is_written_to_a_disk(
    h264: bytes, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(video_cine(h264, H264), path)
    temporary = path.parent / "temporary"
    temporary.mkdir()
    temporary.chmod(0o500)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = set(path.parent.iterdir())
    assert colour_frames(path, [0]).shape == (1, 64, 80, 3)
    assert set(path.parent.iterdir()) == before
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("syntax", "codec", "form"),
    [(H264, "libx264", "mp4"), (MPEG2, "mpeg2video", "mpeg2video")],
)
def test_the_whole_of_a_video_is_read_piece_by_piece(
    syntax: str, codec: str, form: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = echo_pictures(20)
    save(video_cine(encoded(pictures, codec, form), syntax, frames=20), path)
    plan = {"bounds": [0, 0, 79, 63], "fallback": False, "frames": list(range(10))}
    monkeypatch.setattr(loop, "_BATCH_BYTES", 6 * pictures[0].nbytes)
    with loop.open_loop(path, plan, 64) as opened:
        batches = list(opened.whole(1000))
    assert [len(batch) for batch in batches] == [6, 6, 6, 2]
    shown = resize(to_square(decode_frames(path, range(20))), 64)
    np.testing.assert_array_equal(np.concatenate(batches), shown)
