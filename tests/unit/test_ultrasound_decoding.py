"""Every way of writing pixels comes out as the same grey."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate_extended
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from inference.dicom.part10 import open_part10
from inference.errors import InstanceUnreadableError
from inference.ultrasound.decoding import colour_frames, decode_frames
from tests.unit.ultrasound_files import (
    cine,
    compressed_cine,
    echo_pictures,
    grey_of,
    jpeg,
    relabel,
    save,
    ybr_of,
)

WANTED = (4, 0, 4, 2)


def assert_grey(header: Dataset, expected: NDArray[Any], path: Path, tolerance: float = 1) -> None:
    grey = decode_frames(save(header, path), WANTED)
    assert grey.dtype == np.uint8
    np.testing.assert_allclose(grey, expected[list(WANTED)], atol=tolerance)


def gradient_16_bit(bits: int) -> NDArray[np.uint16]:
    """Monochrome frames (5, 48, 64) over the whole range of a bit depth."""
    ramp = np.linspace(0, 2**bits - 1, 48 * 64).reshape(48, 64)
    return np.stack([np.roll(ramp, 5 * k, axis=1) for k in range(5)]).astype(np.uint16)


def compressed(header: Dataset, syntax: UID) -> Dataset:
    header.compress(syntax, generate_instance_uid=False)
    return header


def jpeg_2000(picture: NDArray[Any], **options: Any) -> bytes:
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG2000", no_jp2=True, **options)
    return target.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "instance"


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_uncompressed_colour_in_every_native_syntax(syntax: UID, path: Path) -> None:
    header = cine()
    header.file_meta.TransferSyntaxUID = syntax
    header["PixelData"].VR = "OB"
    assert_grey(header, grey_of(echo_pictures()), path)


def test_uncompressed_colour_by_plane(path: Path) -> None:
    planes = np.moveaxis(echo_pictures(), -1, 1)
    header = cine(PlanarConfiguration=1, PixelData=planes.tobytes())
    assert_grey(header, grey_of(echo_pictures()), path)


def test_uncompressed_ybr_full(path: Path) -> None:
    header = cine(ybr_of(echo_pictures()), PhotometricInterpretation="YBR_FULL")
    assert_grey(header, grey_of(echo_pictures()), path)


def test_uncompressed_ybr_full_422_with_shared_chroma(path: Path) -> None:
    ybr = ybr_of(echo_pictures())
    pairs = ybr.reshape(*ybr.shape[:2], -1, 2, 3)
    shared = np.concatenate([pairs[..., 0], pairs[..., 0, 1:]], axis=-1)
    header = cine(ybr, PhotometricInterpretation="YBR_FULL_422", PixelData=shared.tobytes())
    assert_grey(header, grey_of(echo_pictures()), path)


@pytest.mark.parametrize("inside", ["RGB", "YBR"])
def test_uncompressed_422_label_over_whole_samples_is_seen_through(inside: str, path: Path) -> None:
    pictures = echo_pictures() if inside == "RGB" else ybr_of(echo_pictures())
    header = cine(pictures, PhotometricInterpretation="YBR_FULL_422")
    assert_grey(header, grey_of(echo_pictures()), path)


def test_sixteen_bit_colour(path: Path) -> None:
    header = cine(echo_pictures().astype(np.uint16) * 257)
    assert_grey(header, grey_of(echo_pictures()), path)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("bits", [12, 16])
def test_sixteen_bit_monochrome_spans_its_stored_bits(bits: int, syntax: UID, path: Path) -> None:
    frames = gradient_16_bit(bits)
    header = cine(frames, BitsStored=bits, HighBit=bits - 1)
    header.file_meta.TransferSyntaxUID = syntax
    header.PixelData = frames.astype(">u2").tobytes() if "2.2" in syntax else frames.tobytes()
    assert_grey(header, frames * (255 / (2**bits - 1)), path)


def test_signed_monochrome_starts_at_its_least_value(path: Path) -> None:
    frames = gradient_16_bit(12)
    signed = (frames.astype(np.int16) - 2048).astype(np.int16)
    header = cine(signed, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert_grey(header, frames * (255 / 4095), path)


def test_monochrome1_is_turned_round(path: Path) -> None:
    frames = (gradient_16_bit(16) >> 8).astype(np.uint8)
    assert_grey(cine(frames, PhotometricInterpretation="MONOCHROME1"), 255 - frames, path)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
@pytest.mark.parametrize(("entry_bits", "scale"), [(8, 1), (16, 257), (16, 1)])
def test_palette_colour_with_entries_of_8_or_16_bits(
    entry_bits: int, scale: int, syntax: UID, path: Path
) -> None:
    entries = np.random.default_rng(3).integers(0, 256, (256, 3), np.uint8)
    indices = (gradient_16_bit(16) >> 8).astype(np.uint8)
    header = cine(indices, PhotometricInterpretation="PALETTE COLOR")
    for colour, column in zip(("Red", "Green", "Blue"), entries.T, strict=True):
        values = column.astype(np.uint16) * scale
        data = values.astype(np.uint8).tobytes() if entry_bits == 8 else values.tobytes()
        setattr(header, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, entry_bits])
        setattr(header, f"{colour}PaletteColorLookupTableData", data)
    if syntax != ExplicitVRLittleEndian:
        compressed(header, syntax)
    assert_grey(header, grey_of(entries)[indices], path)


@pytest.mark.parametrize("label", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_lossless_colour_follows_its_label(syntax: UID, label: str, path: Path) -> None:
    pictures = echo_pictures() if label == "RGB" else ybr_of(echo_pictures())
    header = compressed(cine(pictures, PhotometricInterpretation=label), syntax)
    assert_grey(header, grey_of(echo_pictures()), path)


@pytest.mark.parametrize("inside", ["RGB", "YBR"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_a_label_that_outlived_the_jpeg_is_seen_through(
    syntax: UID, inside: str, path: Path
) -> None:
    pictures = echo_pictures() if inside == "RGB" else ybr_of(echo_pictures())
    header = compressed(cine(pictures), syntax)
    header.PhotometricInterpretation = "YBR_FULL_422"
    shown = colour_frames(save(header, path), WANTED)
    np.testing.assert_allclose(shown, echo_pictures()[list(WANTED)], atol=3)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_lossless_sixteen_bit_monochrome(syntax: UID, path: Path) -> None:
    frames = gradient_16_bit(12)
    header = cine(frames, BitsStored=12, HighBit=11)
    assert_grey(compressed(header, syntax), frames * (255 / 4095), path)


def test_jpeg_2000_sixteen_bit_monochrome(path: Path) -> None:
    frames = gradient_16_bit(16)
    header = compressed_cine(map(jpeg_2000, frames), JPEG2000Lossless, pictures=frames)
    assert_grey(header, frames * (255 / 65535), path)


@pytest.mark.parametrize(
    ("transform", "label", "inside"),
    [(1, "YBR_RCT", "RGB"), (1, "RGB", "RGB"), (0, "RGB", "RGB"), (0, "YBR_FULL", "YBR")],
)
def test_jpeg_2000_with_and_without_its_own_colour_transform(
    transform: int, label: str, inside: str, path: Path
) -> None:
    pictures = echo_pictures() if inside == "RGB" else ybr_of(echo_pictures())
    codestreams = [jpeg_2000(picture, mct=transform) for picture in pictures]
    header = compressed_cine(codestreams, JPEG2000Lossless, PhotometricInterpretation=label)
    assert_grey(header, grey_of(echo_pictures()), path)


def test_baseline_jpeg_differs_from_grey_of_rgb_by_its_loss_only(path: Path) -> None:
    header = compressed_cine(map(jpeg, echo_pictures()), PhotometricInterpretation="YBR_FULL_422")
    grey = decode_frames(save(header, path), WANTED)
    difference = np.abs(grey - grey_of(echo_pictures())[list(WANTED)])
    assert difference.mean() < 0.5
    assert difference.max() < 8


def test_monochrome_jpeg(path: Path) -> None:
    frames = (gradient_16_bit(16) >> 8).astype(np.uint8)[:, :, ::-1]
    header = compressed_cine(
        [jpeg(frame) for frame in frames],
        pictures=frames,
    )
    grey = decode_frames(save(header, path), WANTED)
    assert np.abs(grey - frames[list(WANTED)].astype(float)).mean() < 2


def test_an_unknown_syntax_whose_frames_show_nothing_is_refused(path: Path) -> None:
    relabel(save(compressed_cine([b"\0\0\0\1"] * 6), path), UID("1.2.3.4"))
    with pytest.raises(InstanceUnreadableError, match="cannot be decoded"):
        decode_frames(path, [0])


@pytest.mark.parametrize(
    "broken",
    [
        {"Rows": 60000, "Columns": 60000},
        {"Rows": 0},
        {"SamplesPerPixel": 4},
        {"BitsAllocated": 32},
        {"BitsStored": 17},
        {"NumberOfFrames": 2},
        {"PhotometricInterpretation": "CMYK"},
        {"PhotometricInterpretation": "PALETTE COLOR", "SamplesPerPixel": 1},
        {"PixelData": echo_pictures(2).tobytes()},
        {"PixelData": None},
    ],
)
def test_impossible_pixels_are_refused(broken: dict[str, Any], path: Path) -> None:
    with pytest.raises(InstanceUnreadableError):
        decode_frames(save(cine(**broken), path), WANTED)


def test_frames_before_a_cut_are_still_read(path: Path) -> None:
    header = cine(PixelData=echo_pictures(3).tobytes())
    np.testing.assert_allclose(
        decode_frames(save(header, path), [2])[0], grey_of(echo_pictures())[2], atol=1
    )


@pytest.mark.parametrize("stated", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_jpeg_under_another_syntax_is_recognised(stated: UID, path: Path) -> None:
    header = compressed_cine(map(jpeg, echo_pictures()), PhotometricInterpretation="RGB")
    relabel(save(header, path), stated)
    shown = colour_frames(path, WANTED)
    assert np.abs(shown - echo_pictures()[list(WANTED)].astype(float)).mean() < 1


def test_rle_under_a_native_syntax_is_recognised(path: Path) -> None:
    relabel(save(compressed(cine(), RLELossless), path), ExplicitVRLittleEndian)
    np.testing.assert_array_equal(colour_frames(path, WANTED), echo_pictures()[list(WANTED)])


@pytest.mark.parametrize("label", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("inside", ["RGB", "YBR"])
def test_raw_pixels_under_a_jpeg_syntax_are_recognised(inside: str, label: str, path: Path) -> None:
    pictures = echo_pictures() if inside == "RGB" else ybr_of(echo_pictures())
    relabel(save(cine(pictures, PhotometricInterpretation=label), path), JPEGBaseline8Bit)
    np.testing.assert_allclose(colour_frames(path, WANTED), echo_pictures()[list(WANTED)], atol=3)


def test_items_in_an_element_of_defined_length_are_recognised(path: Path) -> None:
    header = compressed_cine(map(jpeg, echo_pictures()))
    header["PixelData"].is_undefined_length = False
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    relabel(save(header, path), JPEGBaseline8Bit)
    assert colour_frames(path, WANTED).shape == (4, 64, 80, 3)


@pytest.mark.parametrize("offsets", [None, b"", bytes(48), bytes(8)])
def test_frames_by_an_extended_offset_table_right_or_wrong(
    offsets: bytes | None, path: Path
) -> None:
    header = compressed_cine(map(jpeg, echo_pictures()))
    value, right, lengths = encapsulate_extended([jpeg(picture) for picture in echo_pictures()])
    header.PixelData = value
    header.ExtendedOffsetTable = right if offsets is None else offsets
    header.ExtendedOffsetTableLengths = lengths
    shown = colour_frames(save(header, path), WANTED)
    assert np.abs(shown - echo_pictures()[list(WANTED)].astype(float)).mean() < 1


def test_a_jpeg_of_another_size_is_refused_before_it_is_decoded(path: Path) -> None:
    larger = echo_pictures(1, rows=640, columns=800)[0]
    header = compressed_cine([jpeg(larger)] * 6)
    with pytest.raises(InstanceUnreadableError, match="640 x 800"):
        decode_frames(save(header, path), [0])


def test_a_jpeg_that_ends_early_is_refused(path: Path) -> None:
    header = compressed_cine([jpeg(picture)[:-400] for picture in echo_pictures()])
    with pytest.raises(InstanceUnreadableError):
        decode_frames(save(header, path), [0])


def test_a_file_without_preamble_and_meta_information_is_read(path: Path) -> None:
    header = cine()
    header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    save(header, path)
    dataset = dcmread(path)
    del dataset.file_meta
    with path.open("wb") as bare:
        dataset.save_as(bare, implicit_vr=True, little_endian=True, enforce_file_format=False)
    np.testing.assert_allclose(
        decode_frames(path, WANTED), grey_of(echo_pictures())[list(WANTED)], atol=1
    )


def test_a_deflated_bomb_is_inflated_up_to_the_limit_only(path: Path) -> None:
    header = cine(np.zeros((400, 64, 80, 3), np.uint8))
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    limit = 2**20
    with open_part10(save(header, path), inflated_limit_bytes=limit) as part10:
        assert part10.header.NumberOfFrames == 400
        assert limit <= part10.file.seek(0, 2) <= 2 * limit
