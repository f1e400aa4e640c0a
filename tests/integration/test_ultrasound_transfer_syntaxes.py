"""One loop in every transfer syntax and photometric interpretation comes out as the same picture.

Encoders that are not ours write it: libjpeg-turbo, CharLS, OpenJPEG, OpenJPH, libjxl, FFmpeg with
x264 and x265, pydicom, DCMTK and GDCM.
"""

import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from inference.ultrasound.decoding import colour_frames, decode_frames
from tests.peers import require
from tests.unit.ultrasound_files import (
    cine,
    compressed_cine,
    echo_pictures,
    grey_of,
    jpeg,
    save,
    ybr_of,
)
from tests.unit.video_files import clip, encoded, numbers_in, video_cine

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

WANTED = (4, 0, 4, 2)
BASE = "1.2.840.10008.1.2"


@dataclass(frozen=True)
class Kind:
    """One way to write the loop: stored samples, what the header says, the colours they mean."""

    stored: NDArray[Any]
    colours: NDArray[np.float64]
    attributes: dict[str, Any]


def grey_kind(bits: int, signed: bool = False, photometric: str = "MONOCHROME2") -> Kind:
    most = 2**bits - 1
    levels = np.rint(grey_of(echo_pictures()) * (most / 255))
    shown = levels * (255 / most)
    if photometric == "MONOCHROME1":
        levels = most - levels
    stored = levels.astype(np.uint8 if bits == 8 else np.uint16)
    if signed:
        stored = (levels - 2 ** (bits - 1)).astype(np.int16)
    attributes = {
        "PhotometricInterpretation": photometric,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(signed),
    }
    return Kind(stored, np.repeat(shown[..., np.newaxis], 3, axis=-1), attributes)


def palette_kind(bits: int) -> Kind:
    indices = grey_kind(bits).stored
    entries = np.random.default_rng(3).integers(0, 2**16, (2**bits, 3)).astype(np.uint16)
    attributes: dict[str, Any] = {
        "PhotometricInterpretation": "PALETTE COLOR",
        "BitsStored": bits,
        "HighBit": bits - 1,
    }
    for colour, column in zip(("Red", "Green", "Blue"), entries.T, strict=True):
        attributes[f"{colour}PaletteColorLookupTableDescriptor"] = [2**bits % 2**16, 0, 16]
        attributes[f"{colour}PaletteColorLookupTableData"] = column.tobytes()
    return Kind(indices, entries[indices] / 257, attributes)


def colour_kind(photometric: str) -> Kind:
    pictures = echo_pictures()
    stored = pictures if photometric == "RGB" else ybr_of(pictures)
    return Kind(stored, pictures.astype(float), {"PhotometricInterpretation": photometric})


KINDS = {
    "RGB": colour_kind("RGB"),
    "YBR_FULL": colour_kind("YBR_FULL"),
    "MONOCHROME2": grey_kind(8),
    "MONOCHROME1": grey_kind(8, photometric="MONOCHROME1"),
    "MONOCHROME2 of 12 bits": grey_kind(12),
    "MONOCHROME2 of 16 bits": grey_kind(16),
    "MONOCHROME2 of 12 bits, signed": grey_kind(12, signed=True),
    "PALETTE COLOR": palette_kind(8),
    "PALETTE COLOR of 12 bits": palette_kind(12),
}

Codec = Callable[[NDArray[Any]], bytes]


def as_unsigned(encode: Codec) -> Codec:
    """Codecs that know no sign keep the bits as they are."""
    return lambda samples: encode(samples.view(f"u{samples.dtype.itemsize}"))


def deflate(samples: NDArray[Any]) -> bytes:
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeezer.compress(samples.tobytes()) + squeezer.flush()


def rle(samples: NDArray[Any]) -> bytes:
    """With segments of any length, as those are whose encoders do not care for even ones."""
    planes = [imagecodecs.packbits_encode(plane.tobytes()) for plane in np.moveaxis(samples, -1, 0)]
    starts = list(accumulate(map(len, planes), initial=64))[:-1]
    header = struct.pack("<16I", len(planes), *starts, *[0] * (15 - len(planes)))
    return header + b"".join(planes)


def jpeg_lossless(samples: NDArray[Any], predictor: int) -> bytes:
    colour = "RGB" if samples.ndim == 3 else "GRAYSCALE"
    return bytes(
        imagecodecs.jpeg8_encode(
            samples,
            lossless=True,
            predictor=predictor,
            colorspace=colour,
            outcolorspace=colour,
            bitspersample=8 * samples.itemsize,
        )
    )


def jpeg_2000(samples: NDArray[Any]) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(samples, reversible=True, codecformat="j2k", mct=False))


def jpeg_xl(samples: NDArray[Any]) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(samples, lossless=True, effort=1, numthreads=1))


LOSSLESS: dict[str, tuple[str, Codec]] = {
    "JPEG Lossless, predictor 4": (".4.57", as_unsigned(partial(jpeg_lossless, predictor=4))),
    "JPEG Lossless, predictor 1": (".4.70", as_unsigned(partial(jpeg_lossless, predictor=1))),
    "JPEG-LS": (".4.80", as_unsigned(lambda samples: bytes(imagecodecs.jpegls_encode(samples)))),
    "JPEG 2000": (".4.90", jpeg_2000),
    "HTJ2K": (".4.201", lambda samples: bytes(imagecodecs.htj2k_encode(samples, rgb=False))),
    "JPEG XL": (".4.110", as_unsigned(jpeg_xl)),
    "deflated frames": (".8.1", deflate),
    "uncompressed frames": (".1.98", lambda samples: samples.tobytes()),
}


def assert_shown(path: Path, colours: NDArray[np.float64], tolerance: float) -> None:
    """Grey and colour of some frames, each sample within the tolerance of 255 levels."""
    expected = colours[list(WANTED)]
    np.testing.assert_allclose(colour_frames(path, WANTED), expected, atol=tolerance)
    grey = expected @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(decode_frames(path, WANTED), grey, atol=max(1, tolerance))


# YCbCr of 8 bits tells colours apart by about two levels.
def tolerance_of(kind: str) -> float:
    return 3 if kind.startswith("YBR") else 1


#: These start a process, where one depth of samples and one without colour tell enough.
SLOW = {"JPEG Lossless, predictor 4", "JPEG XL"}
LEFT_OUT = {
    # libjpeg-turbo writes into a lossless JPEG that it is RGB; DCMTK's says nothing, see below.
    ("JPEG Lossless, predictor 1", "YBR_FULL"),
    ("JPEG Lossless, predictor 4", "YBR_FULL"),
    *((codec, kind) for codec in SLOW for kind in KINDS if "16 bits" in kind or "12 bits," in kind),
    *((codec, "MONOCHROME1") for codec in SLOW),
}
WAYS = [(codec, kind) for codec in LOSSLESS for kind in KINDS if (codec, kind) not in LEFT_OUT]


@pytest.mark.parametrize(("codec", "kind"), WAYS)
def test_without_loss(codec: str, kind: str, tmp_path: Path) -> None:
    suffix, encode = LOSSLESS[codec]
    way = KINDS[kind]
    header = compressed_cine(
        map(encode, way.stored), BASE + suffix, pictures=way.stored, **way.attributes
    )
    assert_shown(save(header, tmp_path / "instance"), way.colours, tolerance_of(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, "1.2.840.10008.1.2.1", DeflatedExplicitVRLittleEndian, RLELossless],
    ids=["implicit", "explicit", "deflated", "RLE by pydicom"],
)
def test_native_and_rle(syntax: str, kind: str, tmp_path: Path) -> None:
    way = KINDS[kind]
    header = cine(way.stored, **way.attributes)
    if syntax == RLELossless:
        header.compress(RLELossless, generate_instance_uid=False)
    header.file_meta.TransferSyntaxUID = syntax
    assert_shown(save(header, tmp_path / "instance"), way.colours, tolerance_of(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("planar", [0, 1])
def test_big_endian_by_dcmtk(planar: int, kind: str, tmp_path: Path) -> None:
    way = KINDS[kind]
    stored = way.stored
    header = cine(stored, **way.attributes)
    if stored.ndim == 4:
        header.PlanarConfiguration = planar
        header.PixelData = (np.moveaxis(stored, -1, 1) if planar else stored).tobytes()
    source = save(header, tmp_path / "source")
    target = tmp_path / "instance"
    subprocess.run([require("dcmconv"), "+tb", source, target], check=True, capture_output=True)
    assert ExplicitVRBigEndian.encode() in target.read_bytes()[:500]
    assert_shown(target, way.colours, tolerance_of(kind))


@pytest.mark.parametrize(
    "command",
    [
        "dcmcjpeg +el",
        "dcmcjpeg +e1",
        "dcmcjpls",
        "dcmcjpls +il",
        "dcmcrle",
        "gdcmconv --rle",
        "gdcmconv --jpegls",
        "gdcmconv --j2k",
    ],
)
@pytest.mark.parametrize(
    "kind", ["RGB", "YBR_FULL", "MONOCHROME2", "MONOCHROME2 of 12 bits", "PALETTE COLOR"]
)
def test_without_loss_by_other_toolkits(command: str, kind: str, tmp_path: Path) -> None:
    way = KINDS[kind]
    source = save(cine(way.stored, **way.attributes), tmp_path / "source")
    tool, *options = command.split()
    target = tmp_path / "instance"
    subprocess.run([require(tool), *options, source, target], check=True, capture_output=True)
    # GDCM writes the palette anew, with 8 bits.
    assert_shown(target, way.colours, tolerance=max(1.5, tolerance_of(kind)))


def rgb_codec(encode: Callable[..., bytes | bytearray], **options: Any) -> Codec:
    return lambda samples: bytes(encode(samples, **options))


def recompressed(samples: NDArray[Any]) -> bytes:
    return bytes(imagecodecs.jpegxl_encode_jpeg(jpeg(samples), numthreads=1))


#: Transfer syntax, label, encoder, and how far the mean of all samples may be off (of 255 levels).
LOSSY: dict[str, tuple[str, str, Codec, float]] = {
    "JPEG Baseline": (".4.50", "YBR_FULL_422", jpeg, 1.0),
    "JPEG Baseline, 4:2:0": (".4.50", "YBR_FULL_422", partial(jpeg, subsampling=2), 1.5),
    "JPEG Baseline, RGB": (".4.50", "RGB", partial(jpeg, keep_rgb=True), 1.0),
    "JPEG Baseline, progressive": (".4.50", "YBR_FULL", partial(jpeg, progressive=True), 1.0),
    "JPEG-LS near-lossless": (
        ".4.81",
        "RGB",
        rgb_codec(imagecodecs.jpegls_encode, level=2),
        2.0,
    ),
    "JPEG 2000": (
        ".4.91",
        "YBR_ICT",
        rgb_codec(imagecodecs.jpeg2k_encode, level=45, reversible=False, codecformat="j2k"),
        1.5,
    ),
    "JPEG 2000, reversible transform": (
        ".4.90",
        "YBR_RCT",
        rgb_codec(imagecodecs.jpeg2k_encode, reversible=True, codecformat="j2k"),
        0.01,
    ),
    "JPEG 2000 in its file format": (
        ".4.90",
        "YBR_RCT",
        rgb_codec(imagecodecs.jpeg2k_encode, reversible=True, codecformat="jp2"),
        0.01,
    ),
    "HTJ2K": (".4.203", "YBR_ICT", rgb_codec(imagecodecs.htj2k_encode, reversible=False), 1.5),
    "HTJ2K, reversible transform": (
        ".4.202",
        "YBR_RCT",
        rgb_codec(imagecodecs.htj2k_encode, reversible=True),
        0.01,
    ),
    "JPEG XL": (".4.112", "XYB", rgb_codec(imagecodecs.jpegxl_encode, distance=0.5), 1.5),
    "JPEG XL in a container": (
        ".4.112",
        "RGB",
        rgb_codec(imagecodecs.jpegxl_encode, distance=0.5, usecontainer=True),
        1.5,
    ),
    "JPEG XL, JPEG recompression": (".4.111", "YBR_FULL_422", recompressed, 1.0),
}


@pytest.mark.parametrize("codec", LOSSY)
def test_colour_with_loss(codec: str, tmp_path: Path) -> None:
    suffix, label, encode, tolerance = LOSSY[codec]
    header = compressed_cine(
        map(encode, echo_pictures()), BASE + suffix, PhotometricInterpretation=label
    )
    path = save(header, tmp_path / "instance")
    pictures = echo_pictures()[list(WANTED)]
    assert np.abs(colour_frames(path, WANTED) - pictures.astype(float)).mean() <= tolerance
    assert np.abs(decode_frames(path, WANTED) - grey_of(pictures)).mean() <= max(0.5, tolerance)


PADDED: dict[str, tuple[str, Codec]] = {
    **{name: LOSSLESS[name] for name in ("JPEG-LS", "JPEG 2000", "JPEG XL", "deflated frames")},
    "JPEG Lossless": LOSSLESS["JPEG Lossless, predictor 1"],
    "HTJ2K": LOSSLESS["HTJ2K"],
    "RLE": (".5", rle),
}


@pytest.mark.parametrize("codec", PADDED)
def test_padding_after_a_frame_does_not_matter(codec: str, tmp_path: Path) -> None:
    suffix, encode = PADDED[codec]
    padded = [encode(picture) + bytes(1000) for picture in echo_pictures()]
    path = save(compressed_cine(padded, BASE + suffix), tmp_path / "instance")
    assert_shown(path, KINDS["RGB"].colours, tolerance=1)


@pytest.mark.parametrize("kind", ["RGB", "MONOCHROME2", "MONOCHROME2 of 12 bits"])
def test_extended_jpeg_by_dcmtk(kind: str, tmp_path: Path) -> None:
    way = KINDS[kind]
    source = save(cine(way.stored, **way.attributes), tmp_path / "source")
    target = tmp_path / "instance"
    command = [require("dcmcjpeg"), "+ee", "+q", "97", source, target]
    subprocess.run(command, check=True, capture_output=True)
    shown = colour_frames(target, WANTED)
    assert np.abs(shown - way.colours[list(WANTED)]).mean() < 1.5


#: Transfer syntax, encoder, file format, pixels.
VIDEO: dict[str, tuple[str, str, str, str]] = {
    "MPEG-2, elementary stream": (".4.100", "mpeg2video", "mpeg2video", "yuv420p"),
    "MPEG-2, program stream": (".4.101", "mpeg2video", "vob", "yuv420p"),
    "MPEG-2, transport stream": (".4.100.1", "mpeg2video", "mpegts", "yuv420p"),
    "H.264, MP4": (".4.102", "libx264", "mp4", "yuv420p"),
    "H.264, transport stream": (".4.103", "libx264", "mpegts", "yuv420p"),
    "H.264, transport stream in fragments": (".4.104.1", "libx264", "mpegts", "yuv420p"),
    "H.264, elementary stream": (".4.106", "libx264", "h264", "yuv420p"),
    "H.265, MP4": (".4.107", "libx265", "mp4", "yuv420p"),
    "H.265, transport stream, 10 bits": (".4.108", "libx265", "mpegts", "yuv420p10le"),
    "H.265, elementary stream": (".4.107", "libx265", "hevc", "yuv420p"),
}


@pytest.mark.parametrize("way", VIDEO)
def test_video(way: str, tmp_path: Path) -> None:
    suffix, codec, form, pixels = VIDEO[way]
    pictures = clip()
    header = video_cine(
        encoded(pictures, codec, form, pixels), BASE + suffix, 7 if suffix.endswith(".1") else 1
    )
    path = save(header, tmp_path / "instance")
    wanted = (3, 49, 0, 17, 18, 17)
    shown = colour_frames(path, wanted)
    assert numbers_in(shown) == list(wanted)
    assert np.abs(shown - pictures[list(wanted)].astype(float)).mean() < 4
    grey = decode_frames(path, wanted[:2])
    assert np.abs(grey - grey_of(pictures[list(wanted[:2])])).mean() < 2
