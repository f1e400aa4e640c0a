"""When the time of day jumps: what waits for a time goes on waiting as long as it was to.

Due times are times of day, since they outlive processes and machines. When somebody sets the clock,
or a machine was suspended or off, all that was written before is moved along with it. Between the
jump and its being noticed, new rows may have been written by the new time: they are told apart by
when they say they were written. `storage.clock.readings` finds the jumps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import inspect, or_, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.states import (
    ClimbState,
    DeliveryState,
    JobState,
    PromiseState,
    StudyState,
    WorkItemState,
)
from storage.tables import Announcement, ArchiveCount, Climb, CommitmentRequest, WorkItem

#: (table, waiting state, state in work)
_CLAIMED: Sequence[tuple[Any, Any, Any]] = (
    (tables.Job, JobState.QUEUED, JobState.RUNNING),
    (tables.Delivery, DeliveryState.PENDING, DeliveryState.SENDING),
)
#: (table, waiting state); who takes such a row moves its time on and has no lease.
_POSTPONED: Sequence[tuple[Any, Any]] = (
    (Climb, ClimbState.CLIMBING),
    (CommitmentRequest, PromiseState.OWED),
    (WorkItem, WorkItemState.CLAIMING),
    (WorkItem, WorkItemState.IN_PROGRESS),
)
#: (table, states in which a row may expire)
_EXPIRING: Sequence[tuple[Any, Sequence[Any]]] = (
    (tables.Delivery, (DeliveryState.PENDING, DeliveryState.SENDING)),
    *((table, (waiting,)) for table, waiting in _POSTPONED),
)


@dataclass(frozen=True, slots=True)
class Jump:
    """The clock shows `now` where it should have shown `expected`.

    It jumped at most `unnoticed_s` seconds ago. `restarted`: the machine was off meanwhile, so that
    nobody knows how long, and `expected` is when it was last at work.
    """

    expected: datetime
    now: datetime
    unnoticed_s: float
    restarted: bool = False

    @property
    def by(self) -> timedelta:
        """How far it jumped: forward is positive."""
        return self.now - self.expected

    @property
    def not_before(self) -> datetime:
        """The earliest time that the clock can have jumped to."""
        return self.now - timedelta(seconds=self.unnoticed_s)

    def precedes(self, written_at: datetime) -> bool:
        """Whether a row that says it was written then was written by the new time."""
        return self.not_before <= written_at <= self.now


def absorb(tx: Transaction, jump: Jump, actor: str) -> None:
    """Move all that waits along with the clock; called once for each jump."""
    _move_studies(tx, jump)
    for table, waiting, in_work in _CLAIMED:
        _move_waiting(tx, jump, table, waiting)
        _move_leases(tx, jump, table, in_work)
    for table, waiting in _POSTPONED:
        _move_waiting(tx, jump, table, waiting)
    for table, states in _EXPIRING:
        _move_expiries(tx, jump, table, states)
    detail: dict[str, float | bool] = {"jump_s": round(jump.by.total_seconds(), 3)}
    if jump.restarted:
        detail["machine_restarted"] = True
    trail.record(tx, Event(action=Action.CLOCK_JUMPED, at=jump.now, actor=actor, detail=detail))


def _move_studies(tx: Transaction, jump: Jump) -> None:
    study = tables.Study
    rows = tx.execute(
        select(study)
        .where(study.state == StudyState.RECEIVING)
        .order_by(study.id)
        .with_for_update(key_share=True)
    ).all()
    for row in rows:
        times = {name: getattr(row, name) for name in ("revision_began_at", "last_received_at")}
        values = {name: at + jump.by for name, at in times.items() if not jump.precedes(at)}
        if values:
            tx.execute(update(study).where(study.id == row.id).values(values))
    _move_evidence(tx, jump)
    # What a study waits for is judged again.
    tx.execute(update(study).where(study.look_at.isnot(None)).values(look_at=jump.now))


def _move_evidence(tx: Transaction, jump: Jump) -> None:
    """Move what a study's own times are compared with: its associations and announcements."""
    study, association = tables.Study, tables.Association
    carried, count, said = tables.AssociationStudy, ArchiveCount, Announcement
    receiving = select(study.id).where(study.state == StudyState.RECEIVING)
    judged = select(study.id).where(
        or_(study.state == StudyState.RECEIVING, study.look_at.isnot(None))
    )
    carriers = select(carried.association_id).where(carried.study_id.in_(receiving))
    for table, column, condition in (
        (association, "opened_at", association.association_id.in_(carriers)),
        (association, "closed_at", association.association_id.in_(carriers)),
        (association, "heard_at", association.association_id.in_(carriers)),
        (carried, "first_received_at", carried.study_id.in_(receiving)),
        (carried, "last_received_at", carried.study_id.in_(receiving)),
        (count, "asked_at", count.study_id.in_(receiving)),
        (count, "ask_at", count.study_id.in_(receiving)),
        (said, "updated_at", said.study_id.in_(judged)),
    ):
        old = ~getattr(table, column).between(jump.not_before, jump.now)
        _shift(tx, jump, table, column, condition & old)


def _move_waiting(tx: Transaction, jump: Jump, table: Any, waiting: Any) -> None:
    """Times from which rows may be claimed; what is due stays due.

    A jump forward by less than a retry waits shortens that wait: who wrote it is not known here.
    """
    is_waiting = table.state == waiting
    if jump.now < jump.expected:  # what was due already would now be in the future
        tx.execute(
            update(table)
            .where(is_waiting, table.available_at > jump.now, table.available_at <= jump.expected)
            .values(available_at=jump.now)
        )
        to_move = table.available_at > jump.expected
    else:
        to_move = (table.available_at > jump.expected) & (table.available_at < jump.not_before)
    _shift(tx, jump, table, "available_at", is_waiting & to_move)


def _move_leases(tx: Transaction, jump: Jump, table: Any, in_work: Any) -> None:
    """Leases that ran until the jump; forward, those that ran out by it."""
    ran = table.lease_until > jump.expected
    if jump.now > jump.expected:
        ran = ran & (table.lease_until <= jump.now)
    _shift(tx, jump, table, "lease_until", (table.state == in_work) & ran)


def _move_expiries(tx: Transaction, jump: Jump, table: Any, states: Sequence[Any]) -> None:
    _shift(
        tx,
        jump,
        table,
        "expires_at",
        table.state.in_(states) & ~table.created_at.between(jump.not_before, jump.now),
    )


def _shift(tx: Transaction, jump: Jump, table: Any, column: str, condition: Any) -> None:
    keys = inspect(table).primary_key
    time = getattr(table, column)
    for *key, at in tx.execute(select(*keys, time).where(condition, time.isnot(None))).all():
        row = [part == value for part, value in zip(keys, key, strict=True)]
        tx.execute(update(table).where(*row).values({column: at + jump.by}))
