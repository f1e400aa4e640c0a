"""What a report takes from around it: the patient's study, this node, the report it replaces."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydicom import Dataset

from dicom_node.report.errors import ReportError
from inference.types import Code

#: Field of StudyContext -> DICOM keyword, for everything that is copied into each object.
IDENTITY_KEYWORDS: Mapping[str, str] = {
    "patient_name": "PatientName",
    "patient_id": "PatientID",
    "issuer_of_patient_id": "IssuerOfPatientID",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
    "study_instance_uid": "StudyInstanceUID",
    "study_id": "StudyID",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "accession_number": "AccessionNumber",
    "referring_physician_name": "ReferringPhysicianName",
    "study_description": "StudyDescription",
    "timezone_offset_from_utc": "TimezoneOffsetFromUTC",
}


@dataclass(frozen=True, slots=True, repr=False)
class StudyContext:
    """The patient and study attributes of one source header, as decoded text; "" where unknown.

    Objects are written in UTF-8 whatever the source's character set, so that any name fits.
    It has no repr: an identity must not reach a log by accident.
    """

    study_instance_uid: str
    revision: int
    patient_name: str = ""
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    accession_number: str = ""
    referring_physician_name: str = ""
    study_description: str = ""
    timezone_offset_from_utc: str = ""
    institution_name: str = ""

    @classmethod
    def from_header(cls, header: Dataset, *, revision: int) -> "StudyContext":
        """Copy from any instance of the study.

        Identifying text is copied verbatim, too long or not, since a PACS matches by it. Dates,
        times, sex and offset that break their value representation become empty.

        Raises:
            ReportError: there is no Study Instance UID.
        """
        study_instance_uid = _text(header, "StudyInstanceUID")
        if not study_instance_uid:
            raise ReportError(["the source header has no StudyInstanceUID"])
        return cls(
            study_instance_uid=study_instance_uid,
            revision=revision,
            patient_name=_text(header, "PatientName"),
            patient_id=_text(header, "PatientID"),
            issuer_of_patient_id=_text(header, "IssuerOfPatientID"),
            patient_birth_date=_text(header, "PatientBirthDate", _is_date),
            patient_sex=_text(header, "PatientSex", {"M", "F", "O"}.__contains__),
            study_id=_text(header, "StudyID"),
            study_date=_text(header, "StudyDate", _is_date),
            study_time=_text(header, "StudyTime", _is_time),
            accession_number=_text(header, "AccessionNumber"),
            referring_physician_name=_text(header, "ReferringPhysicianName"),
            study_description=_text(header, "StudyDescription"),
            timezone_offset_from_utc=_text(header, "TimezoneOffsetFromUTC", _is_offset),
            institution_name=_text(header, "InstitutionName"),
        )

    def identity(self) -> dict[str, str]:
        """DICOM keyword -> value of everything that a result object repeats."""
        return {keyword: getattr(self, name) for name, keyword in IDENTITY_KEYWORDS.items()}


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who makes the objects: this installation of the node."""

    manufacturer: str
    model_name: str
    software_version: str
    station_name: str
    institution_name: str = ""


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """An earlier object of ours in the same study."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The report that the new one replaces, with its SR in every class that was made."""

    revision: int
    documents: tuple[DocumentRef, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """What corrections changed, told before everything else.

    With `withdrawn`, that is why everything reported is withdrawn, and there is nothing else to
    tell. `rejects` are earlier objects of ours that a rejection note with the title `rejection`
    shall take back at archives that know such notes (IHE IOCM).
    """

    sentences: tuple[str, ...] = ()
    withdrawn: str | None = None
    rejection: Code | None = None
    rejects: tuple[DocumentRef, ...] = ()


#: No correction.
NO_NOTICE = Notice()


def _text(header: Dataset, keyword: str, valid: Callable[[str], object] | None = None) -> str:
    try:
        value = header.get(keyword)
    except (ValueError, TypeError, LookupError, NotImplementedError):
        return ""  # pydicom could not convert the stranger's bytes
    if value is None:
        return ""
    text = str(value) if not hasattr(value, "append") else "\\".join(str(part) for part in value)
    text = text.strip(" \0")
    return text if valid is None or valid(text) else ""


def _is_date(text: str) -> object:
    """DA, PS3.5 section 6.2: YYYYMMDD."""
    return re.fullmatch(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", text)


def _is_time(text: str) -> object:
    """TM, PS3.5 section 6.2: HH[MM[SS[.F{1,6}]]]."""
    return re.fullmatch(
        r"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?(?<=\d{6})(\.\d{1,6})?|[0-5]\d)?", text
    )


def _is_offset(text: str) -> object:
    """(0008,0201), PS3.3 C.12.1.1.8: &ZZXX from -1200 to +1400."""
    return re.fullmatch(r"[+-](0\d|1[0-4])[0-5]\d", text)
