"""Backfill: older studies without a current result of a pipeline, analysed behind live work."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Detail, Event
from storage.database.transactions import Database, Transaction
from storage.states import Backfill, DueReason, JobKind, JobState, StudyState
from storage.studies.revisions import revise

_STUDIES_AT_ONCE = 50
_UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A pipeline as it runs now, and when the studies were received that it is to analyse.

    A result is current if this version made it with this bundle, from instances prepared under one
    of these `settings`. `reads` and `anchors` are SOP classes.
    """

    pipeline: str
    version: str
    bundle_digest: str
    settings: frozenset[str]
    reads: frozenset[str]
    anchors: frozenset[str]
    since: datetime
    until: datetime


class Standing(StrEnum):
    """How far a study is with a pipeline; PURGED: it has no result, and its files are gone."""

    DONE = "done"
    WAITING = "waiting"
    FAILED = "failed"
    PURGED = "purged"
    MISSING = "missing"


class Surveyed(NamedTuple):
    """A study of the period."""

    study_id: int
    standing: Standing


def survey(tx: Transaction, wanted: Wanted) -> list[Surveyed]:
    """The complete studies that are the pipeline's business, those first that came first."""
    study, instance = tables.Study, tables.Instance
    anchored = select(instance.id).where(
        instance.study_id == study.id, instance.sop_class_uid.in_(wanted.anchors)
    )
    conditions = _conditions(wanted)
    rows = tx.execute(
        select(study.id, *conditions.values())
        .where(
            study.state == StudyState.COMPLETE,
            study.last_received_at >= wanted.since,
            study.last_received_at < wanted.until,
            anchored.exists(),
        )
        .order_by(study.last_received_at, study.id)
    )
    return [Surveyed(row[0], _first(conditions, row[1:])) for row in rows]


def order(
    database: Database,
    wanted: Wanted,
    studies: Sequence[int],
    kind: Backfill,
    *,
    actor: str,
    now: datetime,
) -> Iterator[int]:
    """Queue the analysis of studies, some in each commit; yields how many of those were queued.

    One that work of the pipeline waits for, or that receives instances, is left alone: it gets its
    result anyway.
    """
    with database.write() as tx:
        detail: Detail = {
            "pipeline": wanted.pipeline,
            "studies": len(studies),
            "results": kind.value,
        }
        trail.record(tx, Event(action=Action.BACKFILL_ORDERED, at=now, actor=actor, detail=detail))
    for start in range(0, len(studies), _STUDIES_AT_ONCE):
        with database.write() as tx:
            yield sum(
                _queue(tx, wanted.pipeline, study_id, kind, now)
                for study_id in studies[start : start + _STUDIES_AT_ONCE]
            )


def _queue(tx: Transaction, pipeline: str, study_id: int, kind: Backfill, now: datetime) -> bool:
    study, job = tables.Study, tables.Job
    # Two such orders at once take their turns, so that the second sees the first.
    tx.execute(select(study.id).where(study.id == study_id).with_for_update())
    if tx.scalar(select(job.id).where(*_waits(study_id, pipeline)).limit(1)) is not None:
        return False
    return revise(tx, study_id, now, [pipeline], DueReason.RERUN, kind) is not None


def _conditions(wanted: Wanted) -> dict[Standing, ColumnElement[bool]]:
    """What makes a study stand so, the first that holds; none: its result is missing."""
    study, job = tables.Study, tables.Job
    later = aliased(tables.Job)
    last = select(func.max(later.revision)).where(
        later.study_id == study.id, later.pipeline == wanted.pipeline
    )
    failed = and_(
        job.study_id == study.id,
        job.kind == JobKind.CONCLUDE,
        job.pipeline == wanted.pipeline,
        job.state == JobState.FAILED,
        job.revision == last.scalar_subquery(),
    )
    has_failed = select(job.id).where(failed).exists()
    waits = select(job.id).where(*_waits(study.id, wanted.pipeline)).exists()
    return {
        Standing.WAITING: waits,
        Standing.DONE: and_(_has_current_report(wanted), ~has_failed, ~_is_outdated(wanted)),
        Standing.PURGED: _is_purged(wanted),
        Standing.FAILED: has_failed,
    }


def _first(conditions: Collection[Standing], holds: Sequence[bool]) -> Standing:
    found = (standing for standing, so in zip(conditions, holds, strict=True) if so)
    return next(found, Standing.MISSING)


def _waits(study_id: object, pipeline: str) -> tuple[ColumnElement[bool], ...]:
    job = tables.Job
    return (
        job.study_id == study_id,
        job.kind == JobKind.CONCLUDE,
        job.state.in_(_UNFINISHED),
        job.pipeline == pipeline,
    )


def _has_current_report(wanted: Wanted) -> ColumnElement[bool]:
    """Whether the last word of the pipeline on a study is of its version and bundle."""
    study, report = tables.Study, tables.Report
    newer = aliased(tables.Report)
    superseded = select(newer.id).where(
        newer.study_id == report.study_id,
        newer.pipeline == report.pipeline,
        newer.revision > report.revision,
    )
    current = select(report.id).where(
        report.study_id == study.id,
        report.pipeline == wanted.pipeline,
        report.pipeline_version == wanted.version,
        report.bundle_digest == wanted.bundle_digest,
        ~superseded.exists(),
    )
    return current.exists()


def _is_outdated(wanted: Wanted) -> ColumnElement[bool]:
    """Whether an instance would be prepared otherwise now, and can be."""
    study, instance, made = tables.Study, tables.Instance, tables.Preparation
    outdated = (
        select(instance.id)
        .join(made, made.instance_id == instance.id)
        .where(
            instance.study_id == study.id,
            instance.removed_at.is_(None),
            made.pipeline == wanted.pipeline,
            or_(made.settings.is_(None), made.settings.not_in(wanted.settings)),
        )
    )
    return outdated.exists()


def _is_purged(wanted: Wanted) -> ColumnElement[bool]:
    """Whether an instance must be prepared whose file has left the spool."""
    study, instance, made = tables.Study, tables.Instance, tables.Preparation
    usable = select(made.instance_id).where(
        made.instance_id == instance.id,
        made.pipeline == wanted.pipeline,
        made.pipeline_version == wanted.version,
        made.bundle_digest == wanted.bundle_digest,
    )
    gone = select(instance.id).where(
        instance.study_id == study.id,
        instance.sop_class_uid.in_(wanted.reads),
        instance.removed_at.isnot(None),
        ~usable.exists(),
    )
    return gone.exists()
