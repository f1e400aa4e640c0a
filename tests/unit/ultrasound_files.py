"""Small echo cines as DICOM files, valid unless a test breaks them."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import write_file_meta_info
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

ROWS, COLUMNS, FRAMES = 64, 80, 6
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"


def echo_pictures(
    frames: int = FRAMES, rows: int = ROWS, columns: int = COLUMNS
) -> NDArray[np.uint8]:
    """RGB (frames, rows, columns, 3): grey sector, black ground, coloured trace; frames differ."""
    y, x = np.mgrid[0:rows, 0:columns]
    sector = np.abs(x - columns / 2) < y * 0.5
    pictures = np.zeros((frames, rows, columns, 3), np.uint8)
    for number in range(frames):
        tissue = 90 + 70 * np.sin(x / 9 + number) * np.cos(y / 7)
        pictures[number] = (sector * tissue)[..., None]
        pictures[number, -8:-4] = (40, 160, 90)
    return pictures


def grey_of(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """BT.601 grey of RGB pictures, not rounded."""
    grey: NDArray[np.float64] = pictures.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return grey


def ybr_of(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same pictures in full-range YCbCr."""
    return np.stack([np.asarray(Image.fromarray(p).convert("YCbCr")) for p in pictures])


def region(
    bounds: Sequence[int] = (0, 0, COLUMNS - 1, ROWS - 1), form: int = 1, kind: int = 1
) -> Dataset:
    """One item of Sequence of Ultrasound Regions."""
    item = Dataset()
    item.RegionSpatialFormat = form
    item.RegionDataType = kind
    item.RegionLocationMinX0, item.RegionLocationMinY0 = bounds[0], bounds[1]
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = bounds[2], bounds[3]
    return item


def cine(pictures: NDArray[Any] | None = None, **attributes: Any) -> Dataset:
    """A colour cine that passes every rule; attributes replace its own, None removes one."""
    pictures = echo_pictures() if pictures is None else pictures
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = US_MULTIFRAME
    header.SOPInstanceUID, header.SeriesInstanceUID = generate_uid(), generate_uid()
    header.StudyInstanceUID = generate_uid()
    header.Modality, header.InstanceNumber = "US", 3
    header.StudyDescription = "Echocardiogram"
    header.NumberOfFrames = pictures.shape[0]
    header.Rows, header.Columns = pictures.shape[1:3]
    header.SamplesPerPixel = 3 if pictures.ndim == 4 else 1
    header.PhotometricInterpretation = "RGB" if pictures.ndim == 4 else "MONOCHROME2"
    if pictures.ndim == 4:
        header.PlanarConfiguration = 0
    header.BitsAllocated = header.BitsStored = 8 * pictures.itemsize
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = 0
    header.FrameTime = "100"
    header.RWaveTimeVector = [0.0, 500.0]
    header.SequenceOfUltrasoundRegions = DicomSequence([region()])
    header.PixelData = pictures.tobytes()
    for keyword, value in attributes.items():
        if value is None:
            delattr(header, keyword)
        else:
            setattr(header, keyword, value)
    return header


def compressed_cine(
    codestreams: Iterable[bytes],
    syntax: str = JPEGBaseline8Bit,
    pictures: NDArray[Any] | None = None,
    **attributes: Any,
) -> Dataset:
    """A cine whose frames are given as codestreams of pictures, with a basic offset table."""
    header = cine(pictures, **attributes)
    header.file_meta.TransferSyntaxUID = syntax
    header.PixelData = encapsulate(list(codestreams))
    header["PixelData"].is_undefined_length = True
    header["PixelData"].VR = "OB"
    return header


def save(header: Dataset, path: Path) -> Path:
    """Write it as a DICOM file."""
    header.file_meta.MediaStorageSOPClassUID = header.get("SOPClassUID", US_MULTIFRAME)
    header.file_meta.MediaStorageSOPInstanceUID = header.get("SOPInstanceUID", generate_uid())
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_transfer_syntax:
        header.save_as(path, enforce_file_format=True)
        return path
    # pydicom writes no syntax that it does not know.
    header.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    header.save_as(path, enforce_file_format=True)
    header.file_meta.TransferSyntaxUID = syntax
    return relabel(path, syntax)


def relabel(path: Path, transfer_syntax: str) -> Path:
    """Let a file state another transfer syntax than the one it is written in."""
    content = path.read_bytes()
    meta = dcmread(path, stop_before_pixels=True).file_meta
    end = 144 + meta.FileMetaInformationGroupLength
    meta.TransferSyntaxUID = UID(transfer_syntax)
    head = io.BytesIO()
    write_file_meta_info(head, meta)
    path.write_bytes(content[:132] + head.getvalue() + content[end:])
    return path


def jpeg(picture: NDArray[np.uint8], **options: Any) -> bytes:
    """A JPEG of one picture: YCbCr with JFIF; with `keep_rgb` RGB with an Adobe marker."""
    target = io.BytesIO()
    Image.fromarray(picture).save(target, "JPEG", quality=97, **{"subsampling": 0, **options})
    return target.getvalue()


def without_segment(codestream: bytes, marker: int) -> bytes:
    """A JPEG without its first segment of that marker."""
    start = codestream.index(bytes([0xFF, marker]))
    length = int.from_bytes(codestream[start + 2 : start + 4], "big")
    return codestream[:start] + codestream[start + 2 + length :]


def with_component_ids(codestream: bytes, ids: bytes) -> bytes:
    """A three-component JPEG with other component ids in its frame and scan headers."""
    renamed = bytearray(codestream)
    frame, scan = codestream.index(b"\xff\xc0"), codestream.index(b"\xff\xda")
    for number, new in enumerate(ids):
        renamed[frame + 10 + 3 * number] = new
        renamed[scan + 5 + 2 * number] = new
    return bytes(renamed)
