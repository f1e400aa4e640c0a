"""Retention: which files may leave the spool, and when.

The files of a study may go once it is finished: complete, reported or found to be no pipeline's
business, no work on it queued or running, and everything that was made of it sent everywhere, as
far up the ladder as each destination asks for. What was learnt from them stays in the database; a
late instance is reported together with that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, not_, or_, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Database, Transaction
from storage.files.spool import Spool
from storage.keeping import removal
from storage.keeping.removal import YOUNG, Removed
from storage.states import (
    ClimbState,
    DeliveryState,
    JobKind,
    JobState,
    Outcome,
    StudyState,
)
from storage.tables import Climb, InstanceConflict

_STUDIES_AT_ONCE = 20
_OBJECTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Rules:
    """How long files stay.

    `keep` counts from the last delivery of a study, `keep_results` (None: for ever) from that of a
    report. With less than `minimum_free_bytes` left, the oldest finished studies go before.
    """

    keep: timedelta
    keep_results: timedelta | None
    minimum_free_bytes: int


class Marked(NamedTuple):
    """A study whose files may go from now on."""

    study_id: int
    instances: int
    size_bytes: int


class Held(NamedTuple):
    """A study that is complete for long, and why its files stay nevertheless."""

    study_id: int
    completed_at: datetime
    reason: str


def retain(
    database: Database, spool: Spool, rules: Rules, now: datetime, *, by_age: bool = True
) -> Removed:
    """Let go some of what the rules no longer keep; nothing while another process holds the spool.

    A call is short, so that a process that stops waits for it; the next one goes on. `by_age`:
    whether the time of day is good enough to delete by; for want of space the oldest go anyway.

    Raises:
        storage.errors.StorageError: disk or database is away.
    """
    with removal.holding(spool) as ours:
        if not ours:
            return Removed(0, removal.waiting(database))
        if by_age:
            _mark_by_age(database, rules, now)
        removed = removal.remove_queued(database, spool, now)
        if not _mark_by_space(database, rules.minimum_free_bytes - spool.free_bytes(), now):
            return removed
        for_space = removal.remove_queued(database, spool, now)
        return Removed(removed.files + for_space.files, for_space.waiting)


def _mark_by_age(database: Database, rules: Rules, now: datetime) -> None:
    with database.write() as tx:
        mark_finished(tx, now, now - rules.keep, _STUDIES_AT_ONCE)
        if rules.keep_results is not None:
            _mark_results(tx, now, now - rules.keep_results)


def _mark_by_space(database: Database, lacking_bytes: int, now: datetime) -> bool:
    """Mark the oldest finished studies until so many bytes become free; whether there was one."""
    if lacking_bytes <= 0:
        return False
    found = 0
    with database.write() as tx:
        while lacking_bytes > 0 and found < _STUDIES_AT_ONCE:
            marked = mark_finished(tx, now, now - YOUNG, limit=1)
            if not marked:
                break
            found += 1
            lacking_bytes -= marked[0].size_bytes
    return found > 0


def mark_finished(tx: Transaction, now: datetime, before: datetime, limit: int) -> list[Marked]:
    """Give up the files of studies that were finished before a time, oldest first."""
    study = tables.Study
    finished = tx.scalars(
        select(study.id)
        .where(*_complete_before(before), not_(or_(*_obstacles(before).values())))
        .order_by(study.completed_at, study.id)
        .limit(limit)
        # A study that receives an instance at this moment is somebody else's to lock.
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    return [_mark(tx, study_id, now) for study_id in finished]


def held_studies(tx: Transaction, before: datetime, limit: int) -> list[Held]:
    """Studies complete before a time whose files must stay, oldest first, each with one reason."""
    study = tables.Study
    obstacles = _obstacles(before)
    rows = tx.execute(
        select(study.id, study.completed_at, *obstacles.values())
        .where(*_complete_before(before), or_(*obstacles.values()))
        .order_by(study.completed_at, study.id)
        .limit(limit)
    )
    return [
        Held(row.id, row.completed_at, list(obstacles)[row[2:].index(True)])  # the first that is so
        for row in rows
    ]


def is_back(tx: Transaction, study_id: int, instance_id: int) -> None:
    """Record that the removed file of an instance was sent again and is in the spool."""
    for table, row_id in ((tables.Study, study_id), (tables.Instance, instance_id)):
        tx.execute(update(table).where(table.id == row_id).values(removed_at=None))


def _complete_before(before: datetime) -> Sequence[ColumnElement[bool]]:
    study = tables.Study
    return (
        study.removed_at.is_(None),
        study.state == StudyState.COMPLETE,
        study.completed_at < before,
    )


def _obstacles(before: datetime) -> dict[str, ColumnElement[bool]]:
    """What holds the files of a complete study, in the words of an operator."""
    study, job, report = tables.Study, tables.Job, tables.Report
    working = and_(job.study_id == study.id, job.state.in_([JobState.QUEUED, JobState.RUNNING]))
    unreported = and_(
        job.study_id == study.id,
        job.kind == JobKind.CONCLUDE,
        job.state == JobState.FAILED,
        job.revision == study.revision,
    )
    reported = and_(
        report.study_id == study.id,
        report.revision == study.revision,
        report.outcome != Outcome.UNFILED,
    )
    return {
        "work on it is queued or running": select(job.id).where(working).exists(),
        "its report failed": select(job.id).where(unreported).exists(),
        "it was not reported": ~select(report.id).where(reported).exists(),
        **_delivery_obstacles(before),
    }


def _delivery_obstacles(before: datetime) -> dict[str, ColumnElement[bool]]:
    study, report, delivery = tables.Study, tables.Report, tables.Delivery

    def some(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return (
            select(delivery.id)
            .join(report, report.id == delivery.report_id)
            .where(report.study_id == study.id, condition)
            .exists()
        )

    return {
        "a delivery failed": some(delivery.state == DeliveryState.FAILED),
        "a delivery is on its way": some(
            delivery.state.in_([DeliveryState.PENDING, DeliveryState.SENDING])
        ),
        "a delivery waits for its confirmation": some(
            _has_climb(Climb.state != ClimbState.ARRIVED)
        ),
        "it was delivered recently": some(
            or_(delivery.finished_at >= before, _has_climb(Climb.finished_at >= before))
        ),
    }


def _has_climb(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a delivery must climb beyond being accepted, and its climb meets a condition."""
    return select(Climb.id).where(Climb.delivery_id == tables.Delivery.id, condition).exists()


def _mark(tx: Transaction, study_id: int, now: datetime) -> Marked:
    instance, conflict = tables.Instance, InstanceConflict
    tx.execute(update(tables.Study).where(tables.Study.id == study_id).values(removed_at=now))
    given_up = tx.execute(
        update(instance)
        .where(instance.study_id == study_id, instance.removed_at.is_(None))
        .values(removed_at=now)
        .returning(instance.id, instance.digest, instance.size_bytes)
    ).all()
    others = tx.scalars(
        select(conflict.digest)
        .join(instance, instance.id == conflict.instance_id)
        .where(instance.study_id == study_id)
    ).all()
    removal.queue(tx, {*(row.digest for row in given_up), *others})
    marked = Marked(study_id, len(given_up), sum(row.size_bytes for row in given_up))
    trail.record(
        tx,
        Event(
            action=Action.FILES_REMOVED,
            at=now,
            study_id=study_id,
            detail={"instances": marked.instances, "size_bytes": marked.size_bytes},
        ),
    )
    return marked


def _mark_results(tx: Transaction, now: datetime, before: datetime) -> None:
    """Give up files of reports that were sent everywhere before a time."""
    result, report, delivery = tables.ResultObject, tables.Report, tables.Delivery
    unsettled = select(delivery.id).where(
        delivery.report_id == report.id,
        or_(
            delivery.state != DeliveryState.SENT,
            delivery.finished_at >= before,
            _has_climb(or_(Climb.state != ClimbState.ARRIVED, Climb.finished_at >= before)),
        ),
    )
    found = tx.execute(
        select(result.id, result.digest)
        .join(report, report.id == result.report_id)
        .where(result.removed_at.is_(None), report.made_at < before, ~unsettled.exists())
        .limit(_OBJECTS_AT_ONCE)
        .with_for_update(of=result)
    ).all()
    tx.execute(
        update(result).where(result.id.in_([row.id for row in found])).values(removed_at=now)
    )
    removal.queue(tx, (row.digest for row in found))
