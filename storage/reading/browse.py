"""Looking at one study: all that is known about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from storage import tables
from storage.audit import trail
from storage.audit.trail import RecordedEvent
from storage.database.transactions import Transaction
from storage.delivery import listing
from storage.delivery.listing import DeliveryView
from storage.errors import NotFoundError
from storage.reading.study_list import StudySummary, summaries
from storage.states import DueReason, JobKind, JobState, Outcome
from storage.work.results import ResultObject, stored_objects

#: Events of one study that are shown; a study of some hundred instances has about as many.
EVENTS_SHOWN = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationView:
    """How far one pipeline has come with one instance.

    `selected` is None until the instance was looked at; `error` is why that went wrong last.
    """

    pipeline: str
    state: JobState
    attempt: int
    selected: bool | None
    reason_code: str
    reason_meaning: str
    detail: str
    verdicts_json: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """One instance and what each pipeline made of it."""

    instance_id: int
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    modality: str
    instance_number: str
    patient_differs: bool
    digest: str
    size_bytes: int
    peer: str
    received_at: datetime
    preparations: tuple[PreparationView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """One time that the study was complete; `failures` is why pipelines failed, by their names."""

    revision: int
    reason: DueReason
    instances: int
    began_at: datetime
    completed_at: datetime
    failures: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """One report and its objects."""

    id: int
    revision: int
    pipeline: str
    pipeline_version: str
    bundle_digest: str
    outcome: Outcome
    supersedes: int | None
    findings_json: str
    made_at: datetime
    objects: tuple[ResultObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDetail:
    """All that is known about one study, each part in the order it happened."""

    summary: StudySummary
    instances: tuple[InstanceView, ...]
    revisions: tuple[RevisionView, ...]
    reports: tuple[ReportView, ...]
    deliveries: tuple[DeliveryView, ...]
    events: tuple[RecordedEvent, ...]


def show_study(tx: Transaction, key: str | int) -> StudyDetail:
    """Tell all about one study.

    `key` is a Study Instance UID, an accession number (of several studies, the last received), or
    our number of it; tried in this order.

    Raises:
        NotFoundError: no study answers to it.
    """
    row = _find(tx, str(key))
    reports = _reports(tx, row.id)
    return StudyDetail(
        summary=summaries(tx, [row])[0],
        instances=_instances(tx, row.id),
        revisions=_revisions(tx, row.id),
        reports=reports,
        deliveries=listing.of_reports(tx, [report.id for report in reports]),
        events=tuple(trail.search(tx, study_id=row.id, limit=EVENTS_SHOWN, newest_first=False)),
    )


def find_study(tx: Transaction, key: str | int) -> int:
    """Our number of the study that `show_study` would tell about.

    Raises:
        NotFoundError: no study answers to it.
    """
    return int(_find(tx, str(key)).id)


def _find(tx: Transaction, key: str) -> Row[Any]:
    study = tables.Study
    conditions = [study.study_instance_uid == key, study.accession_number == key]
    if key.isdecimal() and len(key) < 19:
        conditions.append(study.id == int(key))
    for condition in conditions if key else ():
        found = tx.execute(
            select(study)
            .where(condition)
            .order_by(study.last_received_at.desc(), study.id.desc())
            .limit(1)
        ).first()
        if found is not None:
            return found
    raise NotFoundError("no study has this UID, accession number or id")


def _instances(tx: Transaction, study_id: int) -> tuple[InstanceView, ...]:
    preparations = _preparations(tx, study_id)
    rows = tx.execute(
        select(tables.Instance)
        .where(tables.Instance.study_id == study_id)
        .order_by(tables.Instance.id)
    )
    return tuple(
        InstanceView(
            instance_id=row.id,
            sop_class_uid=row.sop_class_uid,
            sop_instance_uid=row.sop_instance_uid,
            series_instance_uid=row.series_instance_uid,
            transfer_syntax_uid=row.transfer_syntax_uid,
            modality=row.modality,
            instance_number=row.instance_number,
            patient_differs=row.patient_differs,
            digest=row.digest,
            size_bytes=row.size_bytes,
            peer=row.peer,
            received_at=row.received_at,
            preparations=tuple(preparations.get(row.id, ())),
        )
        for row in rows
    )


def _preparations(tx: Transaction, study_id: int) -> dict[int, list[PreparationView]]:
    job, made = tables.Job, tables.Preparation
    rows = tx.execute(
        select(
            job.instance_id,
            job.pipeline,
            job.state,
            job.attempt,
            job.error_message,
            made.selected,
            made.reason_code,
            made.reason_meaning,
            made.detail,
            made.verdicts_json,
        )
        .outerjoin(made, (made.instance_id == job.instance_id) & (made.pipeline == job.pipeline))
        .where(job.study_id == study_id, job.kind == JobKind.PREPARE)
        .order_by(job.id)
    )
    found: dict[int, list[PreparationView]] = {}
    for row in rows:
        view = PreparationView(
            pipeline=row.pipeline,
            state=row.state,
            attempt=row.attempt,
            selected=row.selected,
            reason_code=row.reason_code or "",
            reason_meaning=row.reason_meaning or "",
            detail=row.detail or "",
            verdicts_json=row.verdicts_json or "[]",
            error=row.error_message,
        )
        found.setdefault(row.instance_id, []).append(view)
    return found


def _revisions(tx: Transaction, study_id: int) -> tuple[RevisionView, ...]:
    revision, job = tables.StudyRevision, tables.Job
    failures: dict[int, dict[str, str]] = {}
    for row in tx.execute(
        select(job.revision, job.pipeline, job.error_message).where(
            job.study_id == study_id,
            job.kind == JobKind.CONCLUDE,
            job.state == JobState.FAILED,
        )
    ):
        failures.setdefault(row.revision, {})[row.pipeline] = row.error_message or ""
    rows = tx.execute(
        select(
            revision.revision,
            revision.reason,
            revision.instances,
            revision.began_at,
            revision.completed_at,
        )
        .where(revision.study_id == study_id)
        .order_by(revision.revision)
    )
    return tuple(
        RevisionView(**row._asdict(), failures=failures.get(row.revision, {})) for row in rows
    )


def _reports(tx: Transaction, study_id: int) -> tuple[ReportView, ...]:
    report = tables.Report
    rows = tx.execute(
        select(
            report.id,
            report.revision,
            report.pipeline,
            report.pipeline_version,
            report.bundle_digest,
            report.outcome,
            report.supersedes,
            report.findings_json,
            report.made_at,
        )
        .where(report.study_id == study_id)
        .order_by(report.id)
    ).all()
    return tuple(ReportView(**row._asdict(), objects=stored_objects(tx, row.id)) for row in rows)
