"""Alarms about work: studies whose report is waiting or does not cover the whole study."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select

from storage import tables
from storage.database.transactions import Transaction
from storage.states import JobKind


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkAlarm:
    """One study that a pipeline cannot analyse whole, as an administrator sees it.

    `waits`: its jobs are being retried; `lacks`: some were given up, and its report says so.
    `code` and `message` are what went wrong with one of its `jobs`.
    """

    study_id: int
    pipeline: str
    standing: Literal["waits", "lacks"]
    jobs: int
    since: datetime
    code: str
    message: str
    patient_id: str
    accession_number: str


def alarms(
    tx: Transaction, but_for: Collection[str], limit: int, study_id: int | None = None
) -> list[WorkAlarm]:
    """The alarms that stand, or those of one study, the newest study first.

    `but_for` are the error codes that lie in the instance itself, and are no alarm.
    """
    job = tables.Job
    of_study = () if study_id is None else (job.study_id == study_id,)
    # A report that was put off once waits for what it has ordered, as many do.
    in_trouble = or_(
        and_(job.attempt > 0, job.error_code.isnot(None), job.error_code != "UNPREPARED"),
        job.postponed > 1,
    )
    queries: Sequence[tuple[Literal["waits", "lacks"], Select[*tuple[Any, ...]]]] = (
        ("waits", _by_study().where(job.state == "queued", in_trouble)),
        ("waits", _by_study().where(job.state == "running", in_trouble)),
        ("lacks", _by_study().where(*lacking(but_for))),
    )
    found: dict[Any, WorkAlarm] = {}
    for standing, query in queries:
        for row in tx.execute(query.where(*of_study).limit(limit)):
            key = (-row.study_id, row.pipeline, standing)
            more = found[key].jobs if key in found else 0
            found[key] = _alarm(standing, row, row.jobs + more)
    return [alarm for _, alarm in sorted(found.items())][:limit]


def lacking(but_for: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    """Conditions of failed preparations whose cause is not one of these codes; files are here."""
    job, instance = tables.Job, tables.Instance
    return (
        job.state == "failed",
        job.kind == JobKind.PREPARE,
        job.error_code.not_in(but_for),
        instance.removed_at.is_(None),
    )


def _alarm(standing: Literal["waits", "lacks"], row: Row[*tuple[Any, ...]], jobs: int) -> WorkAlarm:
    values = row._asdict() | {"message": row.message or "", "jobs": jobs}
    return WorkAlarm(standing=standing, **values)


def _by_study() -> Select[*tuple[Any, ...]]:
    job, study, instance = tables.Job, tables.Study, tables.Instance
    return (
        select(
            study.id.label("study_id"),
            job.pipeline,
            func.count().label("jobs"),
            func.min(job.created_at).label("since"),
            func.max(job.error_code).label("code"),
            func.max(job.error_message).label("message"),
            study.patient_id,
            study.accession_number,
        )
        .join(study, study.id == job.study_id)
        .outerjoin(instance, instance.id == job.instance_id)
        .group_by(study.id, job.pipeline, study.patient_id, study.accession_number)
        .order_by(study.id.desc())
    )
