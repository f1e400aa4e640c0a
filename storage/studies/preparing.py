"""Preparing instances again, and the new revision that reports the result."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select

from storage import tables
from storage.alarms import about_work
from storage.database.transactions import Transaction
from storage.states import Backfill, DueReason, JobKind, JobState, Outcome, StudyState
from storage.studies.anchors import anchors_of
from storage.studies.revisions import revise
from storage.work.jobs import Job, queue_prepare, queued_report, requeue

#: What failed is tried again after as long as it was tried before, and not sooner than this.
SOONEST = timedelta(minutes=10)
#: A study that could not be analysed for this long is given up.
_GIVEN_UP_AFTER = timedelta(days=14)
_AT_ONCE = 500


def prepare(
    tx: Transaction,
    instance_ids: Sequence[int],
    pipeline: str,
    at: datetime,
    backfill: Backfill | None = None,
) -> None:
    """Queue instances to be prepared, again (such as with another bundle) or for the first time.

    Those being prepared are left alone.
    """
    job, instance = tables.Job, tables.Instance
    of_these = (job.instance_id.in_(instance_ids), job.pipeline == pipeline)
    known = set(tx.scalars(select(job.instance_id).where(*of_these)))
    requeue(tx, at, *of_these, backfill=backfill)
    new = set(instance_ids) - known
    rows = tx.execute(select(instance.id, instance.study_id).where(instance.id.in_(new)))
    for row in rows.all():
        queue_prepare(tx, row.study_id, row.id, at, [pipeline], backfill)


def retry_failed(tx: Transaction, study_id: int, at: datetime) -> int:
    """Queue again the failed preparations of a study; returns how many jobs."""
    job = tables.Job
    return requeue(
        tx,
        at,
        job.study_id == study_id,
        job.kind == JobKind.PREPARE,
        job.state == JobState.FAILED,
    )


def retry_instance(tx: Transaction, instance_id: int, at: datetime) -> int:
    """Queue again the failed preparation of an instance whose file was sent again."""
    job = tables.Job
    return requeue(tx, at, job.instance_id == instance_id, job.state == JobState.FAILED)


def give_second_chances(tx: Transaction, now: datetime, but_for: Collection[str]) -> int:
    """Try again what failed for a cause that may be gone; returns how many jobs.

    These are preparations, and last revisions that ended without any report. Each waits for as long
    as it has been tried, so the intervals grow. `but_for` are the error codes that lie in the
    instance itself.
    """
    queries = (_failed_preparations(but_for), _failed_without_report())
    job = tables.Job
    due = [
        row.id
        for query in queries
        for row in tx.execute(
            query.where(job.finished_at <= now - SOONEST, job.created_at > now - _GIVEN_UP_AFTER)
            .order_by(job.id.desc())
            .limit(_AT_ONCE)
        )
        if _is_due(row, now)
    ]
    return requeue(tx, now, job.id.in_(due), job.state == JobState.FAILED) if due else 0


def _failed_preparations(but_for: Collection[str]) -> Select[*tuple[Any, ...]]:
    job, instance = tables.Job, tables.Instance
    return (
        select(job.id, job.created_at, job.finished_at)
        .join(instance, instance.id == job.instance_id)
        .where(*about_work.lacking(but_for))
    )


def _failed_without_report() -> Select[*tuple[Any, ...]]:
    job, study, report = tables.Job, tables.Study, tables.Report
    made = select(report.id).where(
        report.study_id == job.study_id,
        report.pipeline == job.pipeline,
        report.revision == job.revision,
    )
    return (
        select(job.id, job.created_at, job.finished_at)
        .join(study, (study.id == job.study_id) & (study.revision == job.revision))
        .where(job.state == "failed", job.kind == JobKind.CONCLUDE, ~made.exists())
    )


def _is_due(failed: Any, now: datetime) -> bool:
    waits_since: datetime = failed.finished_at
    tried_since: datetime = failed.created_at
    return now - waits_since >= waits_since - tried_since


def report_on(tx: Transaction, job: Job, now: datetime) -> int | None:
    """Make a new revision for a preparation that ended after its study was reported.

    Returns:
        the new revision; None where a report is still to be made in any case, of this study or,
        where this one is not the pipeline's to report, of one that it takes part in.
    """
    study = tables.Study
    missed = select(study.id).where(
        study.id == job.study_id,
        study.state == StudyState.COMPLETE,
        ~queued_report(job.study_id, job.pipeline).exists(),
    )
    if tx.scalar(missed) is None or _is_for_another(tx, job):
        return None
    return revise(tx, job.study_id, now, [job.pipeline], DueReason.PREPARED, job.backfill)


def _is_for_another(tx: Transaction, job: Job) -> bool:
    report = tables.Report
    own = select(report.id).where(
        report.study_id == job.study_id,
        report.pipeline == job.pipeline,
        report.outcome != Outcome.NOT_APPLICABLE,
    )
    return tx.scalar(own.limit(1)) is None and any(
        tx.scalar(queued_report(study_id, pipeline)) is not None
        for study_id, pipeline in anchors_of(tx, job.study_id)
        if pipeline == job.pipeline
    )
