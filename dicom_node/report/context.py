"""What a report takes from around it: the patient's study, this node, the report it replaces."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pydicom import Dataset

from dicom_node.identifying_attributes import CORRECTABLE
from dicom_node.report.character_sets import UTF_8, CharacterSet, words_in
from dicom_node.report.errors import ReportError
from dicom_node.report.requested_procedures import (
    RequestedProcedure,
    procedures,
    requested_procedures,
)
from dicom_node.report.source import (
    bytes_of,
    character_set_of,
    is_date,
    is_offset,
    is_time,
    text_of,
)
from dicom_node.report.source_codes import CodingScheme, coding_schemes_of
from inference.types import Code

#: Field of StudyContext -> DICOM keyword, for everything that is copied into each object.
IDENTITY_KEYWORDS: Mapping[str, str] = {
    **CORRECTABLE,
    "study_instance_uid": "StudyInstanceUID",
    "study_id": "StudyID",
    "study_time": "StudyTime",
    "timezone_offset_from_utc": "TimezoneOffsetFromUTC",
}


_FILED_BY = frozenset(
    {
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
    }
)
#: What is copied with the source's own bytes. The rest has but one way to be written.
_VERBATIM = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
    "InstitutionName",
)


@dataclass(frozen=True, slots=True, repr=False)
class StudyContext:
    """The patient and study attributes of one source header, as decoded text; "" where unknown.

    `procedures` are those that the source names; empty where it names none. `input_digest`
    identifies what a report is made of: after a restored backup the same revision may be concluded
    from other instances. `content_at` is when the newest instance of the study was acquired, in the
    local time of the study, without a zone; None where it is not known. `elsewhere` gives the Study
    Instance UID of instances, by their UID, that are of the patient's other studies. `verbatim`
    holds, by DICOM keyword, the bytes of attributes as the source wrote them in `character_set`. It
    has no repr: an identity must not reach a log by accident.
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
    requested_procedures: tuple[RequestedProcedure, ...] = ()
    procedures: tuple[Code, ...] = ()
    coding_schemes: tuple[CodingScheme, ...] = ()
    character_set: CharacterSet = UTF_8
    verbatim: Mapping[str, bytes] = field(default_factory=dict)
    input_digest: str = ""
    content_at: datetime | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_header(cls, header: Dataset, *, revision: int) -> Self:
        """Copy from any instance of the study.

        Identifying text is copied verbatim, too long or not, decodable or not, since a PACS
        matches by it. Dates, times, sex and offset that break their value representation become
        empty. Where the source names a character set that DICOM does not know, UTF-8 is used.

        Raises:
            ReportError: there is no Study Instance UID.
        """
        character_set = character_set_of(header)
        verbatim = {} if character_set is None else bytes_of(header, _VERBATIM)
        study_instance_uid = text_of(header, "StudyInstanceUID")
        if not study_instance_uid:
            raise ReportError(["the source header has no StudyInstanceUID"])
        return cls(
            study_instance_uid=study_instance_uid,
            revision=revision,
            patient_name=text_of(header, "PatientName"),
            patient_id=text_of(header, "PatientID"),
            issuer_of_patient_id=text_of(header, "IssuerOfPatientID"),
            patient_birth_date=text_of(header, "PatientBirthDate", is_date),
            patient_sex=text_of(header, "PatientSex", {"M", "F", "O"}.__contains__),
            study_id=text_of(header, "StudyID"),
            study_date=text_of(header, "StudyDate", is_date),
            study_time=text_of(header, "StudyTime", is_time),
            accession_number=text_of(header, "AccessionNumber"),
            referring_physician_name=text_of(header, "ReferringPhysicianName"),
            study_description=text_of(header, "StudyDescription"),
            timezone_offset_from_utc=text_of(header, "TimezoneOffsetFromUTC", is_offset),
            institution_name=text_of(header, "InstitutionName"),
            requested_procedures=requested_procedures(header),
            procedures=procedures(header),
            coding_schemes=coding_schemes_of(header),
            character_set=UTF_8 if character_set is None else character_set,
            verbatim=verbatim,
        )

    def filed_under(self) -> dict[str, str]:
        """What an archive files the study by; where it differs, reports lie in the wrong place."""
        return {
            keyword: value for keyword, value in self.identity().items() if keyword in _FILED_BY
        }

    def local_time(self, at: datetime) -> datetime:
        """In the source's offset from UTC where it states one, else in the host's time zone.

        DICOM assumes that devices at one place share theirs. A time without a zone is local.
        """
        if at.tzinfo is None:
            return at
        offset = self.timezone_offset_from_utc
        return at.astimezone(datetime.strptime(offset, "%z").tzinfo if offset else None)

    def corrected(self, **changes: str) -> Self:
        """The same with attributes that an administrator corrected, by the names of fields.

        Another accession number is another order, of which nothing more is known.
        """
        others: dict[str, Any] = dict(changes)
        if "accession_number" in changes:
            others["requested_procedures"] = others["procedures"] = ()
        corrected = {IDENTITY_KEYWORDS[name] for name in changes}
        kept = {word: value for word, value in self.verbatim.items() if word not in corrected}
        return replace(self, verbatim=kept, **others)

    def in_utf_8(self) -> Self:
        """The same, to be written in UTF-8."""
        return replace(self, character_set=UTF_8, verbatim={})

    def without_orders(self) -> Self:
        """The same without what no archive files a study by: orders, procedures, descriptions."""
        left_out = ("ReferringPhysicianName", "StudyDescription", "StudyID", "InstitutionName")
        kept = {word: value for word, value in self.verbatim.items() if word not in left_out}
        return replace(
            self,
            requested_procedures=(),
            procedures=(),
            coding_schemes=(),
            referring_physician_name="",
            study_description="",
            study_id="",
            institution_name="",
            verbatim=kept,
        )

    def words(self) -> Iterator[str]:
        """Every text that is not written with the source's bytes."""
        known = {**self.identity(), "InstitutionName": self.institution_name}
        yield from (text for keyword, text in known.items() if keyword not in self.verbatim)
        yield from words_in(self.requested_procedures)

    def identity(self) -> dict[str, str]:
        """DICOM keyword -> value of everything that a result object repeats."""
        return {keyword: getattr(self, name) for name, keyword in IDENTITY_KEYWORDS.items()}


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who makes the objects: this installation of the node, with a further font for its pages."""

    manufacturer: str
    model_name: str
    software_version: str
    station_name: str
    institution_name: str = ""
    page_font: Path | None = None


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """An earlier object of ours in the same study, and where that counts, its destination."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    destination: str = ""


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The report that the new one replaces, with its SR in every class and PDF that was made."""

    revision: int
    documents: tuple[DocumentRef, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """What corrections changed, told before everything else.

    With `withdrawn`, that is why everything reported is withdrawn, and there is nothing else to
    tell. `rejects` are earlier objects of ours that a rejection note with the title `rejection`
    shall take back at archives that know such notes (IHE IOCM): one note for each destination, over
    what lies there, since archives refuse a note that names what they have not.
    """

    sentences: tuple[str, ...] = ()
    withdrawn: str | None = None
    rejection: Code | None = None
    rejects: tuple[DocumentRef, ...] = ()


#: No correction.
NO_NOTICE = Notice()
