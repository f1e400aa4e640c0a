"""What every result object carries besides its content, and its encoding as a file."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_node.report import concepts
from dicom_node.report.character_sets import encodings
from dicom_node.report.context import NodeIdentity, StudyContext
from dicom_node.report.items import concept
from dicom_node.report.source import put, put_bytes
from dicom_node.report.source_codes import declarations
from dicom_node.report.uids import object_uid, uid_of
from inference.types import Code, ModelCard

IMPLEMENTATION_CLASS_UID = UID(uid_of("echonode", "implementation"))

#: Copied attributes that are left out where the source has none (Type 3); the others are Type 2.
_OPTIONAL = frozenset({"IssuerOfPatientID", "StudyDescription", "TimezoneOffsetFromUTC"})


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """What sets one result object apart; each has a series of its own."""

    sop_class_uid: str
    kind: str
    modality: str
    series_number: int
    series_description: str


def start(
    spec: ObjectSpec,
    study: StudyContext,
    identity: NodeIdentity,
    model: ModelCard,
    made_at: datetime,
) -> Dataset:
    """Patient, General Study, Series, Equipment and SOP Common modules (PS3.3 C.7, C.12.1).

    The content's date and time are local to the study. Nothing tells when the object was made, so
    that the same input gives the same object whenever it is analysed.
    """
    dataset = Dataset()
    if any(study.character_set):
        dataset.SpecificCharacterSet = list(study.character_set)
    # What counts as read is written with the bytes that it has.
    dataset.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding=encodings(dataset)
    )
    _copy_identity(dataset, study)
    set_series(dataset, spec, study, model)
    _add_equipment(dataset, study, identity, model)
    _add_times(dataset, study, made_at)
    dataset.ContributingEquipmentSequence = [_contributing_equipment(identity, model)]
    scheme = Dataset()
    scheme.CodingSchemeDesignator = concepts.PRIVATE_SCHEME
    scheme.CodingSchemeName = concepts.PRIVATE_SCHEME_NAME
    scheme.CodingSchemeVersion = "1"
    scheme.CodingSchemeResponsibleOrganization = identity.manufacturer
    dataset.CodingSchemeIdentificationSequence = [scheme]
    return dataset


def set_series(dataset: Dataset, spec: ObjectSpec, study: StudyContext, model: ModelCard) -> None:
    """Class, UIDs and series; the UIDs say what the object is, until its content is known."""
    dataset.SOPClassUID = spec.sop_class_uid
    dataset.SOPInstanceUID = object_uid(study, model, spec.kind, spec.sop_class_uid)
    dataset.SeriesInstanceUID = object_uid(study, model, spec.kind, spec.sop_class_uid, "series")
    dataset.SeriesNumber = spec.series_number
    dataset.InstanceNumber = study.revision
    dataset.Modality = spec.modality
    dataset.SeriesDescription = spec.series_description


def name_by_content(dataset: Dataset, identity: NodeIdentity) -> None:
    """Derive the UIDs from all that the object holds: equal UIDs mean equal bytes, everywhere."""
    digest = hashlib.sha256(encode(dataset, identity)).hexdigest()
    dataset.SOPInstanceUID = uid_of(dataset.SOPInstanceUID, digest)
    dataset.SeriesInstanceUID = uid_of(dataset.SeriesInstanceUID, digest)


def declare_schemes(dataset: Dataset, codes: Iterable[Code], study: StudyContext) -> None:
    """Declare the private coding schemes of codes that are not ours (0008,0110)."""
    dataset.CodingSchemeIdentificationSequence.extend(declarations(codes, study.coding_schemes))


def encode(dataset: Dataset, identity: NodeIdentity) -> bytes:
    """The complete file (PS3.10) in Explicit VR Little Endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = f"ECHONODE_{identity.software_version}"[:16]
    dataset.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _copy_identity(dataset: Dataset, study: StudyContext) -> None:
    for keyword, value in study.identity().items():
        if value or keyword in study.verbatim or keyword not in _OPTIONAL:
            _copy(dataset, keyword, value, study)


def _copy(dataset: Dataset, keyword: str, value: str, study: StudyContext) -> None:
    if keyword in study.verbatim:
        put_bytes(dataset, keyword, study.verbatim[keyword])
    else:
        put(dataset, keyword, value)


def _add_equipment(
    dataset: Dataset, study: StudyContext, identity: NodeIdentity, model: ModelCard
) -> None:
    dataset.Manufacturer = identity.manufacturer
    dataset.ManufacturerModelName = identity.model_name
    dataset.SoftwareVersions = identity.software_version
    dataset.DeviceSerialNumber = model.bundle_digest[:16]
    dataset.StationName = identity.station_name[:16]
    if identity.institution_name:
        dataset.InstitutionName = identity.institution_name
    elif study.institution_name:
        _copy(dataset, "InstitutionName", study.institution_name, study)


def _add_times(dataset: Dataset, study: StudyContext, made_at: datetime) -> None:
    local = study.local_time(made_at)
    dataset.ContentDate = local.strftime("%Y%m%d")
    dataset.ContentTime = local.strftime("%H%M%S")


def _contributing_equipment(identity: NodeIdentity, model: ModelCard) -> Dataset:
    """(0018,A001) as IHE AIR 6.5.3.1 wants it; the Device UID changes whenever the model does."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [concept(concepts.PROCESSING_EQUIPMENT)]
    item.Manufacturer = identity.manufacturer
    item.ManufacturerModelName = model.algorithm
    item.SoftwareVersions = model.version
    item.DeviceSerialNumber = model.bundle_digest[:16]
    item.DeviceUID = model.device_uid
    item.StationName = identity.station_name[:16]
    item.ContributionDescription = "Analysis by artificial intelligence"
    return item
