"""Write films as valid CR, DX or secondary capture DICOM that says SYNTHETIC everywhere."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID

from inference.phantom.film.canvas import Plane
from inference.phantom.film.storing import VARIANTS, FilmClass, Storing, add_pixels
from inference.phantom.writing import (
    MAKER,
    StudyTags,
    patient_and_study,
    sop_instance_uid,
    uid_of,
)

_VIEWS = {
    "PA": ("272479007", "postero-anterior"),
    "AP": ("399348003", "antero-posterior"),
    "LL": ("399173006", "left lateral"),
    "RLO": ("399182000", "oblique"),
}
_CHEST, _HAND = ("816094009", "Chest"), ("85562004", "Hand")


@dataclass(frozen=True, slots=True)
class FilmTags:
    """The header of one film beside its pixels; without a view it says nothing of it.

    `also` are attributes by keyword that replace those that are written.
    """

    number: int
    view: str = "PA"
    part: str = "CHEST"
    storing: Storing = VARIANTS[0]
    also: dict[str, Any] = field(default_factory=dict)


def write(path: Path, study: StudyTags, tags: FilmTags, greys: Plane) -> Path:
    """Write one film of greys (rows, columns) in 0..1, bones white."""
    storing = tags.storing
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(storing.film_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid(study, tags.number))
    meta.TransferSyntaxUID = storing.syntax
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    patient_and_study(dataset, study, "CHEST FILM")
    _add_series_and_equipment(dataset, study, tags)
    if storing.film_class is FilmClass.SECONDARY_CAPTURE:
        dataset.ConversionType, dataset.Laterality = "DF", ""
    else:
        dataset.BodyPartExamined, dataset.ViewPosition = tags.part, tags.view
    add_pixels(dataset, greys, storing)
    if storing.film_class in {FilmClass.DX, FilmClass.DX_FOR_PROCESSING}:
        _add_digital_x_ray(dataset, tags)
    for keyword, value in tags.also.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _add_series_and_equipment(dataset: Dataset, study: StudyTags, tags: FilmTags) -> None:
    digital = tags.storing.film_class not in {FilmClass.CR, FilmClass.SECONDARY_CAPTURE}
    dataset.Modality = "DX" if digital else "CR"
    dataset.SeriesInstanceUID = uid_of(f"{study.name}/series/{tags.number}")
    dataset.SeriesNumber = tags.number
    dataset.SeriesDescription = "SYNTHETIC"
    dataset.Manufacturer, dataset.ManufacturerModelName = MAKER, "FILM PHANTOM"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "0", "1"
    dataset.InstanceNumber = 1
    dataset.PatientOrientation = ["L", "F"]
    dataset.ContentDate = dataset.AcquisitionDate = dataset.StudyDate
    dataset.ContentTime = dataset.AcquisitionTime = f"08{tags.number % 60:02}00"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.ImageComments = "SYNTHETIC PHANTOM - NOT A PATIENT"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"


def _add_digital_x_ray(dataset: Dataset, tags: FilmTags) -> None:
    """The modules of DX (PS3.3 A.26) that CR does not have."""
    raw = tags.storing.film_class is FilmClass.DX_FOR_PROCESSING
    dataset.PresentationIntentType = "FOR PROCESSING" if raw else "FOR PRESENTATION"
    dataset.ImageLaterality = "U"
    dataset.AnatomicRegionSequence = [_code(*(_HAND if tags.part == "HAND" else _CHEST))]
    dataset.ViewCodeSequence = [_code(*_VIEWS[tags.view])] if tags.view else []
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if tags.storing.white_is_zero else -1
    if "ModalityLUTSequence" not in dataset and "RescaleSlope" not in dataset:
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "INVERSE" if tags.storing.white_is_zero else "IDENTITY"
    dataset.DetectorType, dataset.PositionerType = "SCINTILLATOR", "COLUMN"
    dataset.ImagerPixelSpacing = [0.4, 0.4]
    dataset.AcquisitionContextSequence = []


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item
