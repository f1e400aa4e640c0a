"""Write ECGs as valid DICOM waveforms that say SYNTHETIC everywhere."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    TwelveLeadECGWaveformStorage,
)

from inference.phantom.writing import MAKER, StudyTags, patient_and_study, sop_instance_uid, uid_of

_SYNTHETIC = "SYNTHETIC PHANTOM - NOT A PATIENT"


@dataclass(frozen=True, slots=True)
class Source:
    """What names a lead: a code, its scheme and its meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: value = sample x `sensitivity` x `correction` + `baseline`, in `unit`.

    `samples` are whole numbers. `unit` "" states no voltage.
    """

    source: Source
    samples: NDArray[np.int64]
    sensitivity: str = "2.5"
    unit: str = "uV"
    correction: str = "1"
    baseline: str = "0"
    skew_samples: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """One multiplex group; `padding` is the sample that means none."""

    channels: Sequence[Channel]
    frequency_hz: int
    label: str = "RHYTHM"
    original: bool = True
    offset_ms: float = 0.0
    bits: int = 16
    interpretation: str = "SS"
    padding: int | None = None
    cut_bytes: int = 0
    """How many bytes are missing at the end."""


@dataclass(frozen=True, slots=True)
class Waveform:
    """The groups of one ECG and the class of the object that holds them."""

    groups: Sequence[Group]
    sop_class_uid: str = TwelveLeadECGWaveformStorage


def write_waveform(path: Path, study: StudyTags, number: int, waveform: Waveform) -> Path:
    """Write one ECG."""
    dataset = _begin(path, study, number, waveform.sop_class_uid)
    dataset.WaveformSequence = [_group_item(group) for group in waveform.groups]
    if any(group.offset_ms for group in waveform.groups):  # else offsets must not be stated
        dataset.SynchronizationFrameOfReferenceUID = uid_of(f"{study.name}/{number}/clock")
        dataset.SynchronizationTrigger = "NO TRIGGER"
        dataset.AcquisitionTimeSynchronized = "Y"
        for item, group in zip(dataset.WaveformSequence, waveform.groups, strict=True):
            item.MultiplexGroupTimeOffset = group.offset_ms
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_picture(path: Path, study: StudyTags, number: int, pixels: NDArray[np.uint8]) -> Path:
    """Write an ECG that is only a picture, as secondary capture; pixels RGB (rows, columns, 3)."""
    dataset = _begin(path, study, number, SecondaryCaptureImageStorage)
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.PatientOrientation = ""
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "RGB"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_pdf(path: Path, study: StudyTags, number: int, pixels: NDArray[np.uint8]) -> Path:
    """Write an ECG that is only a page, as encapsulated PDF; pixels RGB (rows, columns, 3)."""
    page = io.BytesIO()
    Image.fromarray(pixels).save(page, "PDF")
    document = page.getvalue()
    dataset = _begin(path, study, number, EncapsulatedPDFStorage)
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "NO"
    dataset.DocumentTitle = _SYNTHETIC
    dataset.ConceptNameCodeSequence = []
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(document)
    dataset.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _begin(path: Path, study: StudyTags, number: int, sop_class_uid: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid(study, number))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    patient_and_study(dataset, study, "ECG")
    dataset.Modality = "ECG"
    # A series holds objects of one kind.
    dataset.SeriesInstanceUID = uid_of(f"{study.name}/series/{sop_class_uid}")
    dataset.SeriesNumber = 1
    dataset.SeriesDescription = "SYNTHETIC"
    dataset.Manufacturer = MAKER
    dataset.ManufacturerModelName = "PHANTOM"
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"
    dataset.InstanceNumber = number
    dataset.ContentDate = dataset.StudyDate
    dataset.ContentTime = f"08{number % 60:02}00"
    dataset.AcquisitionDateTime = dataset.ContentDate + dataset.ContentTime
    dataset.AcquisitionContextSequence = []
    return dataset


def _group_item(group: Group) -> Dataset:
    kind = f"<{'u' if group.interpretation[0] == 'U' else 'i'}{group.bits // 8}"
    samples = np.stack([channel.samples for channel in group.channels], axis=1).astype(kind)
    item = Dataset()
    item.WaveformOriginality = "ORIGINAL" if group.original else "DERIVED"
    item.NumberOfWaveformChannels = len(group.channels)
    item.NumberOfWaveformSamples = len(samples)
    item.SamplingFrequency = group.frequency_hz
    item.MultiplexGroupLabel = group.label
    item.ChannelDefinitionSequence = [_channel_item(one, group.bits) for one in group.channels]
    item.WaveformBitsAllocated = group.bits
    item.WaveformSampleInterpretation = group.interpretation
    vr = "OB" if group.bits == 8 else "OW"
    if group.padding is not None:
        item.add_new("WaveformPaddingValue", vr, np.array(group.padding, kind).tobytes())
    data = samples.tobytes()
    item.add_new("WaveformData", vr, data[: len(data) - group.cut_bytes])
    return item


def _channel_item(channel: Channel, bits: int) -> Dataset:
    item = Dataset()
    source = channel.source
    item.ChannelSourceSequence = [_code(source.value, source.scheme, source.meaning)]
    if channel.unit:
        item.ChannelSensitivity = channel.sensitivity
        item.ChannelSensitivityUnitsSequence = [_code(channel.unit, "UCUM", channel.unit)]
        item.ChannelSensitivityCorrectionFactor = channel.correction
        item.ChannelBaseline = channel.baseline
    item.ChannelSampleSkew = str(channel.skew_samples)
    item.WaveformBitsStored = bits
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    if scheme == "SCPECG":
        item.CodingSchemeVersion = "1.3"
    return item
