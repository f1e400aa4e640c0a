"""Companions: the patient's other studies that take part in what is reported of one.

They are near in time by their Study Dates, and so surely of the same patient as
`storage.studies.patients.share_cases` asks. A study without a date or a Patient ID has none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select

from storage import tables
from storage.database.transactions import Transaction
from storage.reading.same_patient import (
    CaseStudy,
    are_of_one_patient,
    case_study,
    day_of,
    stands,
)
from storage.states import JobKind, JobState, Outcome


@dataclass(frozen=True, slots=True)
class Reach:
    """What of a patient's other studies a pipeline wants: SOP classes, and how many days away."""

    sop_class_uids: Collection[str]
    days: int


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


def _near(
    tx: Transaction, study: Row[Any] | None, days: int, condition: ColumnElement[bool]
) -> list[Row[Any]]:
    """The patient's other studies of which a condition holds, at most so many days away."""
    if study is None or not stands(tx, study):
        return []
    other, day = tables.Study, day_of(study)
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
    return [
        row for row in rows if day_of(row) and are_of_one_patient(study, row) and stands(tx, row)
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


def _text(day: date, days: int) -> str:
    return (day + timedelta(days)).strftime("%Y%m%d")
