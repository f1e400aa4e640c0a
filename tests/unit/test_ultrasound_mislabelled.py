"""Pixels that are not what their label says come out right with a note, or not at all."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import RLELossless

from inference.errors import InstanceExcludedError
from inference.ultrasound.decoding import colour_frames, grey_pictures
from inference.ultrasound.depth import BITS_UNCERTAIN
from inference.ultrasound.layout import LAYOUT_UNCERTAIN
from inference.ultrasound.palette import PALETTE_MISFIT
from inference.ultrasound.photometric import COLOUR_UNCERTAIN
from tests.unit.ultrasound_files import (
    cine,
    compressed_cine,
    echo_pictures,
    grey_of,
    jpeg,
    save,
    ybr_of,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

WANTED = (4, 0, 2)
BASE = "1.2.840.10008.1.2"
Pictures = NDArray[np.uint8]
Codec = Callable[[NDArray[Any]], bytes]


def jpeg_2000(picture: NDArray[Any], **options: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG2000", no_jp2=True, **options)
    return target.getvalue()


#: Transfer syntax and encoder; none changes a sample.
CODECS: dict[str, tuple[str, Codec]] = {
    "JPEG-LS": (".4.80", lambda samples: bytes(imagecodecs.jpegls_encode(samples))),
    "JPEG 2000": (".4.90", lambda samples: jpeg_2000(samples, mct=0)),
    "JPEG 2000, transformed": (".4.90", lambda samples: jpeg_2000(samples, mct=1)),
    "HTJ2K": (
        ".4.201",
        lambda samples: bytes(imagecodecs.htj2k_encode(samples, reversible=True, planar=False)),
    ),
    "JPEG XL": (
        ".4.110",
        lambda samples: bytes(imagecodecs.jpegxl_encode(samples, lossless=True, numthreads=1)),
    ),
    "JPEG Lossless": (
        ".4.70",
        lambda samples: bytes(
            imagecodecs.jpeg8_encode(samples, lossless=True, colorspace="RGB", outcolorspace="RGB")
        ),
    ),
}
WAYS = ["native", "native by plane", "native, 16 bits", "RLE", *CODECS]
#: Those whose codestreams say themselves that they hold RGB.
SAY_RGB = {"JPEG 2000, transformed", "HTJ2K", "JPEG XL", "JPEG Lossless"}


def written(way: str, stored: Pictures, path: Path, **attributes: Any) -> Path:
    """Three-sample pictures as a file, written in one of the ways."""
    if way in CODECS:
        suffix, encode = CODECS[way]
        return save(compressed_cine(map(encode, stored), BASE + suffix, stored, **attributes), path)
    if way == "native, 16 bits":
        return save(cine(stored.astype(np.uint16) * 257, **attributes), path)
    if way == "native by plane":
        planes = np.moveaxis(stored, -1, 1).tobytes()
        return save(cine(stored, PlanarConfiguration=1, PixelData=planes, **attributes), path)
    header = cine(stored, **attributes)
    if way == "RLE":  # pydicom compresses only what is labelled as it should be
        label, header.PhotometricInterpretation = header.PhotometricInterpretation, "RGB"
        header.compress(RLELossless, generate_instance_uid=False)
        header.PhotometricInterpretation = label
    return save(header, path)


def assert_right(path: Path, pictures: Pictures, *notes: str) -> None:
    seen = grey_pictures(path, WANTED)
    np.testing.assert_allclose(seen.frames, grey_of(pictures)[list(WANTED)], atol=2)
    np.testing.assert_allclose(colour_frames(path, WANTED), pictures[list(WANTED)], atol=4)
    assert seen.notes == notes


def tinted(pictures: Pictures, tint: tuple[float, float, float]) -> Pictures:
    return (pictures * np.array(tint)).astype(np.uint8)


def with_flow(pictures: Pictures) -> Pictures:
    """With a colour box, coloured letters and a colour bar over a third of the picture."""
    shown = pictures.copy()
    shown[:, 20:36, 24:56] = (200, 30, 20)
    shown[1::2, 20:36, 40:56] = (20, 60, 220)
    shown[:, 2:60, 70:76] = np.linspace((250, 220, 40), (10, 40, 250), 58)[:, None]
    shown[:, 4:8, 4:20] = (240, 150, 20)
    return shown


ECHO = echo_pictures()
SHOWN = {
    "grey": ECHO,
    "sepia": tinted(ECHO, (1.0, 0.85, 0.6)),
    "blue": tinted(ECHO, (0.7, 0.85, 1.0)),
    "flow": with_flow(ECHO),
    "dark": (ECHO // 8).astype(np.uint8),
    "without black": np.maximum(ECHO, 40),
}


@pytest.mark.parametrize("way", WAYS)
def test_ycbcr_that_is_labelled_rgb(way: str, tmp_path: Path) -> None:
    path = written(way, ybr_of(ECHO), tmp_path / "instance", PhotometricInterpretation="RGB")
    assert_right(path, ECHO, "Pixels are YCbCr although labelled RGB; corrected.")


@pytest.mark.parametrize("label", ["YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("way", WAYS)
def test_rgb_that_is_labelled_ycbcr(way: str, label: str, tmp_path: Path) -> None:
    path = written(way, ECHO, tmp_path / "instance", PhotometricInterpretation=label)
    note = f"Pixels are RGB although labelled {label}; corrected."
    assert_right(path, ECHO, *([] if way in SAY_RGB else [note]))


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("way", WAYS)
def test_a_right_label_is_believed_without_a_note(way: str, shown: str, tmp_path: Path) -> None:
    pictures = SHOWN[shown]
    if (way, shown) == ("native, 16 bits", "dark"):
        pytest.skip("of 16 bits that is so little that it may be fewer bits as well")
    assert_right(written(way, pictures, tmp_path / "instance"), pictures)


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("way", ["native", "RLE", "JPEG-LS"])
def test_a_right_label_of_ycbcr_is_believed_too(way: str, shown: str, tmp_path: Path) -> None:
    pictures = SHOWN[shown]
    path = written(
        way, ybr_of(pictures), tmp_path / "instance", PhotometricInterpretation="YBR_FULL"
    )
    assert_right(path, pictures)


@pytest.mark.parametrize("shown", SHOWN)
def test_tints_flow_and_letters_do_not_hide_a_wrong_label(shown: str, tmp_path: Path) -> None:
    pictures = SHOWN[shown]
    assert_right(
        written("native", ybr_of(pictures), tmp_path / "one"),
        pictures,
        "Pixels are YCbCr although labelled RGB; corrected.",
    )
    path = written("native", pictures, tmp_path / "other", PhotometricInterpretation="YBR_FULL")
    assert_right(path, pictures, "Pixels are RGB although labelled YBR_FULL; corrected.")


def test_zeros_over_a_name_do_not_make_ycbcr_rgb(tmp_path: Path) -> None:
    stored = ybr_of(ECHO)
    stored[:, :40] = 0  # what blanks a name in RGB
    path = written("native", stored, tmp_path / "instance", PhotometricInterpretation="YBR_FULL")
    seen = grey_pictures(path, [0])
    np.testing.assert_allclose(seen.frames[0, 40:], grey_of(ECHO)[0, 40:], atol=2)
    assert seen.notes == ()


@pytest.mark.parametrize("label", ["RGB", "YBR_FULL_422"])
def test_ycbcr_that_a_jpeg_encoder_took_for_rgb(label: str, tmp_path: Path) -> None:
    header = compressed_cine(map(jpeg, ybr_of(ECHO)), PhotometricInterpretation=label)
    path = save(header, tmp_path / "instance")
    seen = grey_pictures(path, WANTED)
    assert np.abs(seen.frames - grey_of(ECHO)[list(WANTED)]).mean() < 1.5
    assert np.abs(colour_frames(path, WANTED) - ECHO[list(WANTED)].astype(float)).mean() < 3
    assert seen.notes == (
        f"Pixels are YCbCr, transformed twice although labelled {label}; corrected.",
    )


@pytest.mark.parametrize("way", ["native", "RLE", "JPEG-LS"])
def test_rgb_that_was_transformed_as_if_it_were_ycbcr_is_lost_and_excluded(
    way: str, tmp_path: Path
) -> None:
    spoilt = np.stack(
        [np.asarray(Image.fromarray(p, "YCbCr").convert("RGB")) for p in SHOWN["grey"]]
    )
    path = written(way, spoilt, tmp_path / "instance")
    with pytest.raises(InstanceExcludedError) as caught:
        grey_pictures(path, WANTED)
    assert caught.value.reason.value == "COLOUR_UNCERTAIN"


@pytest.mark.parametrize("contrast", [1.0, 0.15], ids=["bright", "dim"])
@pytest.mark.parametrize("inside", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("planar", [0, 1])
def test_a_wrong_planar_configuration(
    planar: int, inside: str, contrast: float, tmp_path: Path
) -> None:
    pictures = (ECHO * contrast).astype(np.uint8)
    stored = pictures if inside == "RGB" else ybr_of(pictures)
    data = (np.moveaxis(stored, -1, 1) if planar else stored).tobytes()
    header = cine(
        stored,
        PhotometricInterpretation=inside,
        PlanarConfiguration=1 - planar,
        PixelData=data,
    )
    order = "by plane" if planar else "by pixel"
    assert_right(
        save(header, tmp_path / "instance"),
        pictures,
        f"Colours lie {order} although Planar Configuration is {1 - planar}; corrected.",
    )


def test_a_wrong_planar_configuration_under_a_wrong_colour_label(tmp_path: Path) -> None:
    data = np.moveaxis(ybr_of(ECHO), -1, 1).tobytes()
    path = save(cine(ECHO, PixelData=data), tmp_path / "instance")
    assert_right(
        path,
        ECHO,
        "Pixels are YCbCr although labelled RGB; corrected.",
        "Colours lie by plane although Planar Configuration is 0; corrected.",
    )


@pytest.mark.parametrize("way", ["RLE", "JPEG-LS", "JPEG 2000", "HTJ2K", "JPEG Lossless"])
@pytest.mark.parametrize("planar", [0, 1])
def test_an_encoder_that_was_told_the_wrong_planar_configuration(
    planar: int, way: str, tmp_path: Path
) -> None:
    by_plane = np.ascontiguousarray(np.moveaxis(ECHO, -1, 1)).reshape(ECHO.shape)
    taken_for_planes = np.moveaxis(ECHO.reshape(len(ECHO), 3, *ECHO.shape[1:3]), 1, -1)
    stored = np.ascontiguousarray(taken_for_planes) if planar else by_plane
    order = "by pixel" if planar else "by plane"
    assert_right(
        written(way, stored, tmp_path / "instance"),
        ECHO,
        f"Colours were compressed in the wrong order; read {order}.",
    )


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("label", [0, 1])
def test_speckle_as_fine_as_the_pixels_is_told_by_its_grey(
    label: int, planar: int, tmp_path: Path
) -> None:
    grey = np.random.default_rng(5).integers(0, 200, ECHO.shape[:3], np.uint8)
    pictures = np.repeat(grey[..., None], 3, axis=-1)
    data = (np.moveaxis(pictures, -1, 1) if planar else pictures).tobytes()
    header = cine(pictures, PlanarConfiguration=label, PixelData=data)
    seen = grey_pictures(save(header, tmp_path / "instance"), WANTED)
    np.testing.assert_array_equal(seen.frames, grey[list(WANTED)])
    assert len(seen.notes) == (label != planar)


def test_noise_that_is_a_picture_in_no_order_is_excluded(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 256, ECHO.shape, np.uint8)
    with pytest.raises(InstanceExcludedError) as caught:
        grey_pictures(written("native", noise, tmp_path / "instance"), WANTED)
    assert caught.value.reason.value == "LAYOUT_UNCERTAIN"


@pytest.mark.parametrize("way", ["native", "RLE", "JPEG-LS", "JPEG Lossless"])
def test_frames_that_begin_at_another_plane_are_excluded(way: str, tmp_path: Path) -> None:
    stored = ybr_of(np.maximum(ECHO, 40))
    for number in range(len(stored)):  # as an encoder does that counts a frame too short
        stored[number] = np.roll(stored[number], -number, axis=-1)
    path = written(way, stored, tmp_path / "instance", PhotometricInterpretation="YBR_FULL")
    with pytest.raises(InstanceExcludedError) as caught:
        grey_pictures(path, [0, 1, 2, 3])
    assert caught.value.reason.value == "COLOUR_UNCERTAIN"


@pytest.mark.parametrize(("label", "runs"), [("MONOCHROME2", "white"), ("MONOCHROME1", "black")])
def test_greys_that_run_the_other_way(label: str, runs: str, tmp_path: Path) -> None:
    grey = np.rint(grey_of(ECHO)).astype(np.uint8)
    stored = 255 - grey if label == "MONOCHROME2" else grey
    path = save(cine(stored, PhotometricInterpretation=label), tmp_path / "instance")
    seen = grey_pictures(path, WANTED)
    np.testing.assert_array_equal(seen.frames, grey[list(WANTED)])
    [note] = seen.notes
    assert note.startswith(f"Greys run from {runs} to ")


def test_every_reason_is_a_code_that_dicom_can_hold() -> None:
    reasons = (COLOUR_UNCERTAIN, LAYOUT_UNCERTAIN, BITS_UNCERTAIN, PALETTE_MISFIT)
    assert len({reason.value for reason in reasons}) == len(reasons)
    for reason in reasons:
        assert (reason.scheme, len(reason.value) <= 16) == ("99ECHONODE", True)
        assert len(reason.meaning) <= 64
