"""Studies that an archive holds: small, of several series, in several transfer syntaxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)


@dataclass(frozen=True)
class ArchivedStudy:
    """A study as files."""

    uid: str
    files: Sequence[Path]
    sop_instance_uids: frozenset[str]


def archived_study(
    folder: Path,
    instances: int = 4,
    syntaxes: Sequence[str] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    pixels_bytes: int = 4096,
    **values: object,
) -> ArchivedStudy:
    """Write a study of two series; `values` are attributes of all its instances."""
    folder.mkdir(parents=True, exist_ok=True)
    uid = generate_uid()
    series = [generate_uid(), generate_uid()]
    files, uids = [], []
    for number in range(instances):
        dataset = _instance(uid, series[number % 2], number + 1, values)
        syntax = syntaxes[number % len(syntaxes)]
        pixels = bytes([number]) * pixels_bytes
        is_encapsulated = syntax == JPEGBaseline8Bit
        dataset.add_new("PixelData", "OB", encapsulate([pixels]) if is_encapsulated else pixels)
        dataset["PixelData"].is_undefined_length = is_encapsulated
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.file_meta.TransferSyntaxUID = syntax
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        files.append(path)
        uids.append(str(dataset.SOPInstanceUID))
    return ArchivedStudy(uid, files, frozenset(uids))


def _instance(study: str, series: str, number: int, values: dict[str, object]) -> Dataset:
    dataset = Dataset()
    defaults: dict[str, object] = {
        "SOPClassUID": UltrasoundMultiFrameImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "StudyDate": "20261103",
        "StudyTime": "101500",
        "StudyID": "1",
        "SeriesNumber": 1,
        "AccessionNumber": "ACC1",
        "PatientID": "P1",
        "PatientName": "Doe^Jane",
        "Modality": "US",
        "InstanceNumber": number,
        "NumberOfFrames": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 64,
        "Columns": 64,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
    }
    for keyword, value in (defaults | values).items():
        setattr(dataset, keyword, value)
    return dataset
