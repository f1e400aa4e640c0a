"""Which attributes an object of this room must hold, by SOP class (PS3.3 A.8, A.35, A.45)."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    KeyObjectSelectionDocumentStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)


@dataclass(frozen=True, slots=True)
class Required:
    """Keywords that must have a value (Type 1), and that must be there at least empty (Type 2)."""

    filled: frozenset[str]
    present: frozenset[str]

    def plus(self, filled: set[str], present: set[str]) -> "Required":
        """The same and more."""
        return Required(self.filled | filled, self.present | present)


_EVERY_OBJECT = Required(
    frozenset(
        {
            "SOPClassUID",
            "SOPInstanceUID",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "Modality",
            "SeriesNumber",
            "InstanceNumber",
            "SeriesDescription",
            "Manufacturer",
            "ContributingEquipmentSequence",
        }
    ),
    frozenset(
        {
            "PatientName",
            "PatientID",
            "PatientBirthDate",
            "PatientSex",
            "StudyDate",
            "StudyTime",
            "StudyID",
            "AccessionNumber",
            "ReferringPhysicianName",
        }
    ),
)
_DOCUMENT = _EVERY_OBJECT.plus(
    {
        "ContentDate",
        "ContentTime",
        "ValueType",
        "ConceptNameCodeSequence",
        "ContinuityOfContent",
        "ContentSequence",
    },
    {"ReferencedPerformedProcedureStepSequence"},
)
_REPORT = _DOCUMENT.plus({"CompletionFlag", "VerificationFlag"}, {"PerformedProcedureCodeSequence"})
_EQUIPMENT = {"ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"}
_PICTURE = {
    "ConversionType",
    "ImageType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
}

_PAGE = {
    "ConversionType",
    "ContentDate",
    "ContentTime",
    "BurnedInAnnotation",
    "DocumentTitle",
    "ConceptNameCodeSequence",
    "MIMETypeOfEncapsulatedDocument",
    "EncapsulatedDocument",
}

REQUIRED: Mapping[str, Required] = {
    Comprehensive3DSRStorage: _REPORT.plus(_EQUIPMENT, set()),
    ComprehensiveSRStorage: _REPORT,
    EnhancedSRStorage: _REPORT,
    BasicTextSRStorage: _REPORT,
    KeyObjectSelectionDocumentStorage: _DOCUMENT.plus(
        {"CurrentRequestedProcedureEvidenceSequence"}, set()
    ),
    SecondaryCaptureImageStorage: _EVERY_OBJECT.plus(_PICTURE, {"PatientOrientation"}),
    MultiFrameTrueColorSecondaryCaptureImageStorage: _EVERY_OBJECT.plus(
        _PICTURE | {"NumberOfFrames", "FrameIncrementPointer", "BurnedInAnnotation"},
        {"PatientOrientation"},
    ),
    EncapsulatedPDFStorage: _EVERY_OBJECT.plus(_PAGE, {"AcquisitionDateTime"}),
}
