"""A study among others of its patient: when it was, whose it is, and whether it stands."""

from dataclasses import fields
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Row

from storage.corrections import ordered
from storage.database.transactions import Transaction
from storage.studies.patients import Patient, share_cases

_DATE_DIGITS = 8
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


class CaseStudy(NamedTuple):
    """A study that takes part; `at` is its date and time, YYYYMMDDHHMMSS, "" where not known."""

    study_id: int
    study_instance_uid: str
    at: str


def case_study(study: Row[Any]) -> CaseStudy:
    """What a case knows of a study, from its row."""
    day = day_of(study)
    digits = "".join(filter(str.isdecimal, (study.study_time or "").partition(".")[0]))
    at = "" if day is None else f"{day:%Y%m%d}{digits[:6]:0<6}"
    return CaseStudy(study.id, study.study_instance_uid, at)


def day_of(study: Row[Any]) -> date | None:
    """The day of a study, YYYYMMDD in its row; None where it is none, or of no sensible year."""
    if len(study.study_date) != _DATE_DIGITS:
        return None
    try:
        day = datetime.strptime(study.study_date, "%Y%m%d").date()
    except ValueError:
        return None
    return day if _FIRST_YEAR <= day.year <= _LAST_YEAR else None


def are_of_one_patient(one: Row[Any], other: Row[Any]) -> bool:
    """Whether two studies are so surely of one patient that they may be judged together."""
    return share_cases(_patient(one), _patient(other))


def stands(tx: Transaction, study: Row[Any]) -> bool:
    """Whether nobody has withdrawn a study, and it is of one patient."""
    return not study.patient_conflict and ordered.standing_of(tx, study.id).withdrawn is None


def _patient(study: Row[Any]) -> Patient:
    return Patient(**{item.name: getattr(study, item.name) or "" for item in fields(Patient)})
