"""What to ask an archive for, and how to read what it answers (PS3.4 annex C.6.2, Study Root).

The same attributes go by C-FIND and by QIDO-RS (PS3.18 section 10.6).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.multival import MultiValue

from inference.dicom.elements import integer, text

STUDY_KEYS = (
    "StudyInstanceUID",
    "AccessionNumber",
    "PatientID",
    "StudyDate",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
)
SERIES_KEYS = ("SeriesInstanceUID", "Modality")
INSTANCE_KEYS = ("SOPInstanceUID", "SOPClassUID")

#: Characters that mean more than themselves in a key (PS3.4 section C.2.2.2).
WILDCARDS = "*?\\"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyQuery:
    """What a study must have; an empty text asks for nothing, no text is a wildcard.

    `study_date` is a day (YYYYMMDD) or a range of days (YYYYMMDD-YYYYMMDD).
    """

    study_instance_uid: str = ""
    accession_number: str = ""
    patient_id: str = ""
    study_date: str = ""
    modality: str = ""

    def keys(self) -> Mapping[str, str]:
        """The attributes to match, by keyword."""
        wanted = {
            "StudyInstanceUID": self.study_instance_uid,
            "AccessionNumber": self.accession_number,
            "PatientID": self.patient_id,
            "StudyDate": self.study_date,
            "ModalitiesInStudy": self.modality,
        }
        return {keyword: value for keyword, value in wanted.items() if value}

    def is_met_by(self, study: "FoundStudy") -> bool:
        """Whether an answer is what was asked for: archives ignore keys that they do not know.

        An archive that does not tell the modalities of a study is believed.
        """
        asked_and_told = (
            (self.study_instance_uid, study.study_instance_uid),
            (self.accession_number, study.accession_number),
            (self.patient_id, study.patient_id),
        )
        same = all(asked in ("", told) for asked, told in asked_and_told)
        modality = not (self.modality and study.modalities) or self.modality in study.modalities
        return same and modality and _is_within(study.study_date, self.study_date)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """A study as its archive describes it; `instances` is None where it does not tell how many."""

    study_instance_uid: str
    accession_number: str
    patient_id: str
    study_date: str
    modalities: tuple[str, ...]
    instances: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInstance:
    """An instance as its archive describes it; `sop_class_uid` is empty where it does not tell."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


def found_studies(answers: Iterable[Dataset], query: StudyQuery) -> tuple[list[FoundStudy], int]:
    """Read answers at study level: those that were asked for, once each, and how many were not."""
    found = [_study(answer) for answer in answers]
    met = {study.study_instance_uid: study for study in found if query.is_met_by(study)}
    met.pop("", None)
    strangers = sum(not query.is_met_by(study) for study in found)
    return list(met.values()), strangers


def found_instances(
    answers: Iterable[Dataset], study_instance_uid: str, series_instance_uid: str = ""
) -> list[FoundInstance]:
    """Read answers at instance level, once each; the UIDs are of what was asked about.

    An archive may leave away what it was asked about, or answer about other studies too.
    """
    found = {}
    for answer in answers:
        uid = text(answer, "SOPInstanceUID")
        if uid and text(answer, "StudyInstanceUID") in ("", study_instance_uid):
            found[uid] = FoundInstance(
                series_instance_uid=text(answer, "SeriesInstanceUID") or series_instance_uid,
                sop_instance_uid=uid,
                sop_class_uid=text(answer, "SOPClassUID"),
            )
    return list(found.values())


def _study(answer: Dataset) -> FoundStudy:
    modalities = answer.get("ModalitiesInStudy") or ()
    values = modalities if isinstance(modalities, MultiValue | list | tuple) else (modalities,)
    return FoundStudy(
        study_instance_uid=text(answer, "StudyInstanceUID"),
        accession_number=text(answer, "AccessionNumber"),
        patient_id=_whole(answer, "PatientID"),
        study_date=text(answer, "StudyDate").replace(".", ""),
        modalities=tuple(sorted(str(value).strip() for value in values if value)),
        instances=integer(answer, "NumberOfStudyRelatedInstances"),
    )


def _whole(answer: Dataset, keyword: str) -> str:
    """A value with the backslashes that were typed into it: half an ID is another patient's."""
    value = answer.get(keyword)
    parts = value if isinstance(value, MultiValue | list | tuple) else [value or ""]
    return "\\".join(str(part) for part in parts).strip(" \0")


def _is_within(day: str, range_or_day: str) -> bool:
    first, dash, last = range_or_day.partition("-")
    last = last if dash else first
    return (not first or first <= day) and (not last or (bool(day) and day <= last))
