"""A JPEG comes out right whatever its label and its markers say: none is green."""

from pathlib import Path

import numpy as np
import pytest

from inference.errors import InstanceExcludedError
from inference.ultrasound.decoding import colour_frames, decode_frames
from tests.unit.ultrasound_files import (
    compressed_cine,
    echo_pictures,
    grey_of,
    jpeg,
    save,
    with_component_ids,
    without_segment,
)

LABELS = ["RGB", "YBR_FULL", "YBR_FULL_422"]
APP0, APP14 = 0xE0, 0xEE
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


def adobe(codestream: bytes, transform: int) -> bytes:
    return codestream[:2] + ADOBE + bytes([transform]) + codestream[2:]


def ybr(picture: np.ndarray, markers: str, subsampling: int = 0) -> bytes:
    """YCbCr inside, with JFIF, an Adobe marker, both, a false one too, or nothing."""
    with_jfif = jpeg(picture, subsampling=subsampling)
    bare = without_segment(with_jfif, APP0)
    return {
        "jfif": with_jfif,
        "adobe": adobe(bare, 1),
        "both": adobe(with_jfif, 1),
        "nothing": bare,
        "contradiction": adobe(with_jfif, 0),
    }[markers]


def rgb(picture: np.ndarray, markers: str) -> bytes:
    """RGB inside, with an Adobe marker, component ids R G B, both, a false one, or nothing."""
    with_both = jpeg(picture, keep_rgb=True)
    numbered = with_component_ids(with_both, b"\1\2\3")
    return {
        "both": with_both,
        "adobe": numbered,
        "ids": without_segment(with_both, APP14),
        "nothing": without_segment(numbered, APP14),
        "contradiction": adobe(without_segment(with_both, APP14), 1),
    }[markers]


def assert_right(codestreams: list[bytes], label: str, path: Path) -> None:
    header = compressed_cine(codestreams, PhotometricInterpretation=label)
    grey = decode_frames(save(header, path), [1, 3])
    difference = np.abs(grey - grey_of(echo_pictures())[[1, 3]])
    assert difference.mean() < 0.6
    assert difference.max() < 12
    # Chroma that is shared between pixels is off beside sharp edges, and nowhere else.
    off = np.abs(colour_frames(path, [1, 3]) - echo_pictures()[[1, 3]].astype(float))
    assert off.mean() < 2
    assert np.mean(off > 12) < 0.04


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("markers", ["jfif", "adobe", "both", "nothing", "contradiction"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_ycbcr_inside(subsampling: int, markers: str, label: str, tmp_path: Path) -> None:
    codestreams = [ybr(picture, markers, subsampling) for picture in echo_pictures()]
    assert_right(codestreams, label, tmp_path / "instance")


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("markers", ["both", "adobe", "ids", "nothing", "contradiction"])
def test_rgb_inside(markers: str, label: str, tmp_path: Path) -> None:
    assert_right([rgb(p, markers) for p in echo_pictures()], label, tmp_path / "instance")


def test_a_clip_does_not_change_its_colours_midway(tmp_path: Path) -> None:
    pictures = echo_pictures()
    # A frame that alone would be undecided: chroma that is grey in neither reading.
    pictures[1] = (200, 30, 90)
    codestreams = [rgb(picture, "nothing") for picture in pictures]
    header = compressed_cine(codestreams, PhotometricInterpretation="YBR_FULL_422")
    grey = decode_frames(save(header, tmp_path / "instance"), [0, 1])
    np.testing.assert_allclose(grey[1], grey_of(pictures)[1], atol=3)


@pytest.mark.parametrize("markers", ["both", "adobe", "ids"])
def test_a_picture_that_says_nothing_is_what_label_and_stream_say_alike(
    markers: str, tmp_path: Path
) -> None:
    pictures = np.broadcast_to(np.uint8((200, 30, 90)), echo_pictures().shape).copy()
    codestreams = [rgb(picture, markers) for picture in pictures]
    header = compressed_cine(codestreams, PhotometricInterpretation="RGB")
    grey = decode_frames(save(header, tmp_path / "instance"), [0])
    np.testing.assert_allclose(grey[0], grey_of(pictures)[0], atol=3)


@pytest.mark.parametrize(("markers", "label"), [("nothing", "RGB"), ("both", "YBR_FULL_422")])
def test_a_picture_that_says_nothing_is_excluded_where_only_one_of_them_tells(
    markers: str, label: str, tmp_path: Path
) -> None:
    pictures = np.broadcast_to(np.uint8((200, 30, 90)), echo_pictures().shape).copy()
    codestreams = [rgb(picture, markers) for picture in pictures]
    header = compressed_cine(codestreams, PhotometricInterpretation=label)
    with pytest.raises(InstanceExcludedError) as caught:
        decode_frames(save(header, tmp_path / "instance"), [0])
    assert caught.value.reason.value == "COLOUR_UNCERTAIN"
