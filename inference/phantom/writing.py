"""Write cines as valid ultrasound DICOM that says SYNTHETIC everywhere."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    UltrasoundMultiFrameImageStorage,
)

MAKER, OTHER_MAKER = "ECHONODE PHANTOM (SYNTHETIC)", "OTHER VENDOR (SYNTHETIC)"
JPEG_QUALITY = 88
_UID_NAMESPACE = uuid.UUID("5d4f8f0e-3c7f-4b6e-9c55-0f2d6a4f1c11")
_CENTIMETRE, _SECOND, _CM_PER_S = 3, 4, 7

Pixels = NDArray[np.uint8]


class Encoding(StrEnum):
    """How the pixels lie in the file."""

    JPEG = "jpeg"
    """JPEG baseline, YBR_FULL_422."""
    RAW = "raw"
    """Uncompressed RGB, Explicit VR Little Endian."""


@dataclass(frozen=True, slots=True)
class Region:
    """One ultrasound region (PS3.3 C.8.5.5); bounds x0, y0, x1, y1 zero-based and inclusive.

    Format 1 is 2D, 2 M-mode, 3 spectral; data type 1 tissue, 2 colour flow, 3 PW Doppler.
    `delta` is the size of a pixel in cm, or in s and cm/s along the axes of traces.
    """

    bounds: tuple[int, int, int, int]
    delta: tuple[float, float]
    spatial_format: int = 1
    data_type: int = 1


@dataclass(frozen=True, slots=True)
class StudyTags:
    """What all instances of one study share; `name` makes its UIDs and must be unique."""

    name: str
    patient_id: str
    exam_date: date

    @property
    def uid(self) -> str:
        """The Study Instance UID."""
        return uid_of(self.name)


@dataclass(frozen=True, slots=True)
class Instance:
    """The header of one cine beside its pixels."""

    number: int
    regions: Sequence[Region]
    heart_rate_bpm: float
    frame_time_ms: float
    r_waves_ms: Sequence[float] | None
    """None leaves the tag out."""
    as_vector: bool = False
    """Give the frame times as Frame Time Vector, not as Frame Time."""
    maker: str = MAKER
    model: str = "PHANTOM"
    colour: bool = False
    encoding: Encoding = Encoding.JPEG


def uid_of(name: str) -> str:
    """A UID of the 2.25 arc (PS3.5 B.2), always the same for the same name."""
    return f"2.25.{uuid.uuid5(_UID_NAMESPACE, name).int}"


def sop_instance_uid(study: StudyTags, number: int) -> str:
    """The SOP Instance UID of one object of a study."""
    return uid_of(f"{study.name}/{number}")


def write(path: Path, study: StudyTags, instance: Instance, frames: Iterable[Pixels]) -> Path:
    """Write one object of RGB frames (rows, columns, 3); frames are encoded as they come."""
    dataset = _header(path, study, instance)
    shapes, encoded = _encode(frames, instance.encoding)
    dataset.Rows, dataset.Columns = shapes
    _pixel_tags(dataset, instance, shapes, encoded)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _encode(frames: Iterable[Pixels], encoding: Encoding) -> tuple[tuple[int, int], list[bytes]]:
    encoded: list[bytes] = []
    rows = columns = 0
    for frame in frames:
        rows, columns = frame.shape[:2]
        pixels = np.ascontiguousarray(frame)
        if encoding is Encoding.RAW:
            encoded.append(pixels.tobytes())
        else:
            encoded.append(simplejpeg.encode_jpeg(pixels, JPEG_QUALITY, "RGB", "422"))
    return (rows, columns), encoded


def _header(path: Path, study: StudyTags, instance: Instance) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid(study, instance.number))
    meta.TransferSyntaxUID = (
        ExplicitVRLittleEndian if instance.encoding is Encoding.RAW else JPEGBaseline8Bit
    )
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    patient_and_study(dataset, study)
    _series_and_equipment(dataset, study, instance)
    _ultrasound(dataset, instance)
    return dataset


def patient_and_study(dataset: Dataset, study: StudyTags, kind: str = "ECHO") -> None:
    """Give a dataset its patient, who is nobody, and its study."""
    dataset.PatientName = "PHANTOM^SYNTHETIC"
    dataset.PatientID = study.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.QualityControlSubject = "YES"
    dataset.PatientComments = "SYNTHETIC PHANTOM - NOT A PATIENT"
    dataset.StudyInstanceUID = study.uid
    dataset.StudyDate = study.exam_date.strftime("%Y%m%d")
    dataset.StudyTime = "080000"
    dataset.StudyID = "1"
    dataset.StudyDescription = f"SYNTHETIC {kind} PHANTOM"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""


def _series_and_equipment(dataset: Dataset, study: StudyTags, instance: Instance) -> None:
    dataset.Modality = "US"
    dataset.SeriesInstanceUID = uid_of(f"{study.name}/series")
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = "SYNTHETIC"
    dataset.Manufacturer = instance.maker
    dataset.ManufacturerModelName = instance.model
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"
    dataset.BodyPartExamined = "HEART"
    dataset.InstanceNumber = instance.number
    dataset.PatientOrientation = ""
    dataset.ContentDate = dataset.AcquisitionDate = dataset.StudyDate
    dataset.ContentTime = dataset.AcquisitionTime = f"08{instance.number % 60:02}00"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.ImageComments = "SYNTHETIC PHANTOM - NOT A PATIENT"
    dataset.BurnedInAnnotation = "NO"


def _ultrasound(dataset: Dataset, instance: Instance) -> None:
    dataset.UltrasoundColorDataPresent = int(instance.colour)
    dataset.HeartRate = round(instance.heart_rate_bpm)
    dataset.SequenceOfUltrasoundRegions = [_region_item(region) for region in instance.regions]
    dataset.CineRate = max(round(1000 / instance.frame_time_ms), 1)
    if instance.r_waves_ms is not None:
        dataset.RWaveTimeVector = [float(np.float32(time)) for time in instance.r_waves_ms]


def _frame_times(dataset: Dataset, instance: Instance, frames: int) -> None:
    step = f"{instance.frame_time_ms:.3f}"
    if instance.as_vector:
        dataset.FrameTimeVector = ["0", *[step] * (frames - 1)]
        dataset.FrameIncrementPointer = 0x00181065
    else:
        dataset.FrameTime = step
        dataset.FrameIncrementPointer = 0x00181063


def _region_item(region: Region) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = region.spatial_format
    item.RegionDataType = region.data_type
    item.RegionFlags = 0
    (
        item.RegionLocationMinX0,
        item.RegionLocationMinY0,
        item.RegionLocationMaxX1,
        item.RegionLocationMaxY1,
    ) = region.bounds
    item.PhysicalUnitsXDirection = _CENTIMETRE if region.spatial_format == 1 else _SECOND
    item.PhysicalUnitsYDirection = _CM_PER_S if region.spatial_format == 3 else _CENTIMETRE
    item.PhysicalDeltaX, item.PhysicalDeltaY = region.delta
    return item


def _pixel_tags(
    dataset: Dataset, instance: Instance, shape: tuple[int, int], encoded: Sequence[bytes]
) -> None:
    raw = instance.encoding is Encoding.RAW
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB" if raw else "YBR_FULL_422"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.NumberOfFrames = len(encoded)
    _frame_times(dataset, instance, len(encoded))
    dataset.LossyImageCompression = "00" if raw else "01"
    if raw:
        pixels = b"".join(encoded)
        dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
        return
    size = 3 * shape[0] * shape[1] * len(encoded)
    dataset.LossyImageCompressionRatio = f"{size / sum(map(len, encoded)):.2f}"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.PixelData = encapsulate(list(encoded))
    dataset["PixelData"].is_undefined_length = True
