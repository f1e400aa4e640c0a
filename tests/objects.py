"""Small valid-enough DICOM objects to send about; no report, no patient."""

from pathlib import Path

from pydicom import Dataset, FileMetaDataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)

COMPREHENSIVE_3D = str(Comprehensive3DSRStorage)
COMPREHENSIVE = str(ComprehensiveSRStorage)
ENHANCED = str(EnhancedSRStorage)
SECONDARY_CAPTURE = str(SecondaryCaptureImageStorage)
KEY_OBJECTS = str(KeyObjectSelectionDocumentStorage)
EXPLICIT = str(ExplicitVRLittleEndian)
IMPLICIT = str(ImplicitVRLittleEndian)


def write_object(
    path: Path,
    sop_class_uid: str = COMPREHENSIVE_3D,
    transfer_syntax_uid: str = EXPLICIT,
    sop_instance_uid: str | None = None,
    pixels: bytes = b"",
    study_instance_uid: str | None = None,
) -> Path:
    """Write one object; `pixels` makes it as large as wanted."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = sop_instance_uid or generate_uid()
    dataset.StudyInstanceUID = study_instance_uid or generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.PatientID = "TEST"
    dataset.PatientName = "Test^Object"
    dataset.Modality = "SR"
    if pixels:
        dataset.add_new("PixelData", "OB", pixels)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class_uid
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = transfer_syntax_uid
    dataset.save_as(path, enforce_file_format=True)
    return path
