"""Companions: the patient's other studies that take part in what is reported of one.

They are near in time by their Study Dates, and so surely of the same patient as
`storage.studies.patients.share_cases` asks. A study without a date or a Patient ID has none.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, or_, select

from storage import tables
from storage.corrections import ordered
from storage.database.transactions import Transaction
from storage.states import JobKind, JobState, Outcome
from storage.studies.patients import Patient, share_cases

_DATE_DIGITS = 8
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


@dataclass(frozen=True, slots=True)
class Reach:
    """What of a patient's other studies a pipeline wants: SOP classes, and how many days away."""

    sop_class_uids: Collection[str]
    days: int


class CaseStudy(NamedTuple):
    """A study that takes part; `at` is its date and time, YYYYMMDDHHMMSS, "" where not known."""

    study_id: int
    study_instance_uid: str
    at: str


def companions(tx: Transaction, study_id: int, reach: Reach) -> list[CaseStudy]:
    """The other studies that take part in what is reported of a study, in their order in time."""
    near = _near(tx, _study(tx, study_id), reach.days, _holds(reach.sop_class_uids))
    return sorted(map(case_study, near), key=lambda study: (study.at, study.study_instance_uid))


def anchors_near(tx: Transaction, study_id: int, pipeline: str, reach: Reach) -> list[int]:
    """The studies that a study takes part in and a pipeline has reported on, or does just now."""
    report, job = tables.Report, tables.Job
    reported = select(report.id).where(
        report.study_id == tables.Study.id,
        report.pipeline == pipeline,
        report.outcome.in_([Outcome.ESTIMATED, Outcome.ABSTAINED]),
    )
    reporting = select(job.id).where(
        job.study_id == tables.Study.id,
        job.pipeline == pipeline,
        job.kind == JobKind.CONCLUDE,
        job.state == JobState.RUNNING,
    )
    either = or_(reported.exists(), reporting.exists())
    study = _study(tx, study_id, _holds(reach.sop_class_uids))
    return [other.id for other in _near(tx, study, reach.days, either)]


def case_study(study: Row[Any]) -> CaseStudy:
    """What a case knows of a study, from its row."""
    day = _date(study)
    digits = "".join(filter(str.isdecimal, (study.study_time or "").partition(".")[0]))
    at = "" if day is None else f"{day:%Y%m%d}{digits[:6]:0<6}"
    return CaseStudy(study.id, study.study_instance_uid, at)


def _near(
    tx: Transaction, study: Row[Any] | None, days: int, condition: ColumnElement[bool]
) -> list[Row[Any]]:
    """The patient's other studies of which a condition holds, at most so many days away."""
    if study is None or not _stands(tx, study):
        return []
    other, day = tables.Study, _date(study)
    if day is None or not study.patient_id:
        return []
    rows = tx.execute(
        select(other)
        .where(
            other.patient_id == study.patient_id,
            other.study_date.between(_text(day, -days), _text(day, days)),
            other.id != study.id,
            condition,
        )
        .order_by(other.id)
    )
    patient = _patient(study)
    return [
        row
        for row in rows
        if _date(row) and share_cases(patient, _patient(row)) and _stands(tx, row)
    ]


def _study(tx: Transaction, study_id: int, *conditions: ColumnElement[bool]) -> Row[Any] | None:
    return tx.execute(select(tables.Study).where(tables.Study.id == study_id, *conditions)).first()


def _holds(sop_class_uids: Collection[str]) -> ColumnElement[bool]:
    """Whether a study holds an instance of these classes, of its own patient."""
    instance = tables.Instance
    own = select(instance.id).where(
        instance.study_id == tables.Study.id,
        instance.sop_class_uid.in_(sop_class_uids),
        instance.patient_differs.is_(False),
    )
    return own.exists()


def _stands(tx: Transaction, study: Row[Any]) -> bool:
    """Whether nobody has withdrawn a study, and it is of one patient."""
    return not study.patient_conflict and ordered.standing_of(tx, study.id).withdrawn is None


def _patient(study: Row[Any]) -> Patient:
    return Patient(**{item.name: getattr(study, item.name) or "" for item in fields(Patient)})


def _date(study: Row[Any]) -> date | None:
    """The day of a study, YYYYMMDD in its row; None where it is none, or of no sensible year."""
    if len(study.study_date) != _DATE_DIGITS:
        return None
    try:
        day = datetime.strptime(study.study_date, "%Y%m%d").date()
    except ValueError:
        return None
    return day if _FIRST_YEAR <= day.year <= _LAST_YEAR else None


def _text(day: date, days: int) -> str:
    return (day + timedelta(days)).strftime("%Y%m%d")
