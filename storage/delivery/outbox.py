"""The outbox: objects of reports on their way to destinations.

pending -> sending -> sent | failed. Rows are written in the commit that makes the report; changes
of a claimed one are fenced as those of jobs are.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.orm import aliased

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.states import ClimbState, DeliveryState
from storage.tables import Climb
from storage.tables.upsert import insert_for
from storage.work.claims import Lifecycle, Words, lease
from storage.work.results import ResultObject, renditions

#: Error code of what was called off.
WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery; `alternatives` are the renditions of its object, best first."""

    id: int
    report_id: int
    study_id: int
    kind: str
    destination: str
    attempt: int
    claimed_by: str
    created_at: datetime
    expires_at: datetime
    alternatives: tuple[ResultObject, ...]


def enqueue(
    tx: Transaction,
    report_id: int,
    *,
    kind: str,
    destination: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Queue one kind of object of a report for a destination; once is enough."""
    added = tx.execute(
        insert_for(tx, tables.Delivery)
        .values(
            report_id=report_id,
            kind=kind,
            destination=destination,
            state=DeliveryState.PENDING,
            attempt=0,
            created_at=now,
            available_at=now,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing()
        .returning(tables.Delivery)
    ).first()
    if added is not None:
        _audit(tx, Action.DELIVERY_QUEUED, added, now)


def claim(
    tx: Transaction, *, destination: str, owner: str, now: datetime, lease_s: float, limit: int = 1
) -> list[Delivery]:
    """Claim up to `limit` deliveries to a destination for `lease_s` seconds, oldest first."""
    delivery = tables.Delivery
    found = list(
        tx.scalars(
            select(delivery.id)
            .where(
                delivery.state == "pending",
                delivery.destination == destination,
                delivery.available_at <= now,
            )
            .order_by(delivery.available_at, delivery.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )
    if not found:
        return []
    claimed = tx.execute(
        update(delivery)
        .where(delivery.id.in_(found))
        .values(
            state=DeliveryState.SENDING,
            attempt=delivery.attempt + 1,
            claimed_by=owner,
            **lease(now, lease_s),
        )
        .returning(delivery)
    ).all()
    for row in claimed:
        _audit(tx, Action.DELIVERY_CLAIMED, row, now)
    return [_delivery(tx, row) for row in sorted(claimed, key=lambda row: found.index(row.id))]


def renew(tx: Transaction, held: Sequence[Delivery], now: datetime, lease_s: float) -> None:
    """Extend the lease of deliveries that are still being sent: all of them or none."""
    _LIFECYCLE.renew(tx, held, now, lease_s)


def mark_sent(
    tx: Transaction, delivery: Delivery, *, at: datetime, sop_instance_uid: str, status: int
) -> None:
    """End a delivery that was accepted, as which rendition and with which C-STORE status."""
    _LIFECYCLE.finish(
        tx,
        delivery,
        at,
        {"sent_sop_instance_uid": sop_instance_uid, "status": status},
        sop_instance_uid=sop_instance_uid,
        status=f"0x{status:04X}",
    )


def retry(
    tx: Transaction,
    delivery: Delivery,
    *,
    at: datetime,
    available_at: datetime,
    code: str,
    message: str,
) -> None:
    """Let a delivery wait again after a failed attempt, not to be claimed before `available_at`."""
    _LIFECYCLE.retry(tx, delivery, at=at, available_at=available_at, code=code, message=message)


def fail(tx: Transaction, delivery: Delivery, *, at: datetime, code: str, message: str) -> None:
    """Give a delivery up."""
    _LIFECYCLE.fail(tx, delivery, at=at, code=code, message=message)


def hand_back(tx: Transaction, delivery: Delivery, at: datetime) -> None:
    """Let a delivery wait again that was not attempted; no attempt counts."""
    _LIFECYCLE.hand_back(tx, delivery, at)


def rescue(tx: Transaction, now: datetime, is_dead: Callable[[str], bool]) -> int:
    """Let deliveries wait again whose lease ran out or whose process died; returns how many."""
    return _LIFECYCLE.rescue(tx, now, is_dead)


def call_off(tx: Transaction, report_id: int, at: datetime) -> int:
    """End what still waits of earlier reports that this one withdraws; nothing revives it.

    What is being sent at this moment goes on. What was accepted need climb no further, so that it
    is not sent again either. Returns how many were ended.
    """
    delivery, report = tables.Delivery, tables.Report
    newer = aliased(report)
    earlier = (
        select(report.id)
        .join(newer, (newer.study_id == report.study_id) & (newer.pipeline == report.pipeline))
        .where(newer.id == report_id, report.revision < newer.revision)
    )
    ended = tx.execute(
        update(delivery)
        .where(delivery.report_id.in_(earlier), delivery.state == DeliveryState.PENDING)
        .values(
            state=DeliveryState.FAILED,
            finished_at=at,
            error_code=WITHDRAWN,
            error_message="a later report withdrew it before it was sent",
        )
        .returning(delivery)
    ).all()
    for row in ended:
        _audit(tx, Action.DELIVERY_FAILED, row, at, code=WITHDRAWN)
    accepted = select(delivery.id).where(delivery.report_id.in_(earlier))
    tx.execute(
        update(Climb)
        .where(Climb.delivery_id.in_(accepted), Climb.state != ClimbState.ARRIVED)
        .values(
            state=ClimbState.ARRIVED,
            finished_at=at,
            error_code=WITHDRAWN,
            error_message="a later report withdrew it",
        )
    )
    return len(ended)


def requeue(
    tx: Transaction,
    *,
    actor: str | None = None,
    ids: Sequence[int] | None = None,
    destination: str | None = None,
    states: Sequence[DeliveryState] = (DeliveryState.FAILED,),
    now: datetime,
    expires_at: datetime,
) -> int:
    """Queue deliveries again, those that meet every condition given; returns how many.

    What was called off stays so.
    """
    delivery = tables.Delivery
    change = update(delivery).where(
        delivery.state.in_(states),
        delivery.state != DeliveryState.SENDING,
        or_(delivery.error_code.is_(None), delivery.error_code != WITHDRAWN),
    )
    if ids is not None:
        change = change.where(delivery.id.in_(ids))
    if destination is not None:
        change = change.where(delivery.destination == destination)
    again = tx.execute(
        change.values(
            state=DeliveryState.PENDING,
            attempt=0,
            available_at=now,
            expires_at=expires_at,
            finished_at=None,
        ).returning(delivery)
    ).all()
    for row in again:
        _audit(tx, Action.DELIVERY_REQUEUED, row, now, actor=actor)
    return len(again)


def next_available_at(tx: Transaction, destination: str) -> datetime | None:
    """When the next delivery to a destination may be claimed; None where nothing is pending."""
    delivery = tables.Delivery
    return tx.scalar(
        select(func.min(delivery.available_at)).where(
            delivery.state == "pending", delivery.destination == destination
        )
    )


def wake(
    tx: Transaction,
    destination: str,
    now: datetime,
    codes: Sequence[str],
    but: Collection[int] = (),
) -> int:
    """Make due what waits to be tried again at a destination; returns how many.

    `codes` are patterns (SQL LIKE) of the error codes that it waits with; `but` go on waiting.
    """
    delivery = tables.Delivery
    waiting = tx.scalars(
        select(delivery.id)
        .where(
            delivery.state == "pending",
            delivery.destination == destination,
            delivery.available_at > now,
            or_(*(delivery.error_code.like(code) for code in codes)),
            delivery.id.not_in(but),
        )
        .order_by(delivery.id)
        .with_for_update(skip_locked=True)
    ).all()
    if waiting:
        tx.execute(update(delivery).where(delivery.id.in_(waiting)).values(available_at=now))
    return len(waiting)


def _delivery(tx: Transaction, row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        report_id=row.report_id,
        study_id=_study_id(tx, row.report_id),
        kind=row.kind,
        destination=row.destination,
        attempt=row.attempt,
        claimed_by=row.claimed_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        alternatives=renditions(tx, row.report_id, row.kind, row.destination),
    )


def _study_id(tx: Transaction, report_id: int) -> int:
    return tx.execute(
        select(tables.Report.study_id).where(tables.Report.id == report_id)
    ).scalar_one()


_SETBACKS = (Action.DELIVERY_RETRY, Action.DELIVERY_FAILED, Action.DELIVERY_RESCUED)


def _audit(
    tx: Transaction,
    action: Action,
    delivery: Delivery | Row[Any],
    at: datetime,
    *,
    actor: str | None = None,
    sop_instance_uid: str | None = None,
    **more: str,
) -> None:
    trail.record(
        tx,
        Event(
            action=action,
            at=at,
            outcome="failure" if action in _SETBACKS else "success",
            actor=actor or delivery.claimed_by,
            peer=delivery.destination,
            study_id=_study_id(tx, delivery.report_id),
            sop_instance_uid=sop_instance_uid,
            detail={
                "delivery": delivery.id,
                "report": delivery.report_id,
                "kind": delivery.kind,
                "attempt": delivery.attempt,
                **more,
            },
        ),
    )


_LIFECYCLE = Lifecycle(
    tables.Delivery,
    Words(
        waiting=DeliveryState.PENDING,
        in_work=DeliveryState.SENDING,
        done=DeliveryState.SENT,
        failed=DeliveryState.FAILED,
        finish=Action.DELIVERY_SENT,
        retry=Action.DELIVERY_RETRY,
        fail=Action.DELIVERY_FAILED,
        hand_back=Action.DELIVERY_HANDED_BACK,
        rescue=Action.DELIVERY_RESCUED,
    ),
    _audit,
)
