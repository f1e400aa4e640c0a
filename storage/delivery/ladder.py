"""The ladder: deliveries that were accepted climb on, to being committed and read back.

To claim a climb is to postpone it: where its holder dies, it is tried again then. What the holder
writes is fenced by beginning, rung and attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.delivery.commitment_answers import Asked, Question, asked_about
from storage.errors import ClaimLostError
from storage.states import ClimbState, DeliveryState, Rung
from storage.tables import Climb as ClimbRow
from storage.tables.upsert import insert_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """A claimed climb, and the object that was accepted.

    `commitment` is what the destination was asked about it and answered; with `without_commitment`
    it knows no such service.
    """

    id: int
    delivery_id: int
    study_id: int
    destination: str
    goal: Rung
    rung: Rung
    beginning: int
    attempt: int
    resent: int
    expires_at: datetime
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    without_commitment: bool
    commitment: Asked

    @property
    def question(self) -> Question:
        """What its destination is asked to commit."""
        return Question(self.delivery_id, self.sop_instance_uid, self.beginning)

    @property
    def next_rung(self) -> Rung:
        """The rung to try now."""
        at_commitment = self.rung is Rung.ACCEPTED and not self.without_commitment
        return Rung.COMMITTED if at_commitment else Rung.READ_BACK


def begin(
    tx: Transaction,
    delivery_id: int,
    *,
    destination: str,
    goal: Rung,
    at: datetime,
    expires_at: datetime,
) -> None:
    """Let a delivery climb that was accepted just now; one that was sent again begins anew."""
    anew: dict[str, Any] = {
        "destination": destination,
        "goal": goal,
        "rung": Rung.ACCEPTED,
        "state": ClimbState.CLIMBING,
        "attempt": 0,
        "created_at": at,
        "available_at": at,
        "expires_at": expires_at,
        "finished_at": None,
        "committed_at": None,
        "commitment": None,
        "read_back_at": None,
        "read_back": None,
        "error_code": None,
        "error_message": None,
    }
    tx.execute(
        insert_for(tx, ClimbRow)
        .values(delivery_id=delivery_id, beginning=1, resent=0, **anew)
        .on_conflict_do_update(
            index_elements=["delivery_id"], set_=anew | {"beginning": ClimbRow.beginning + 1}
        )
    )


def next_due_at(tx: Transaction, destination: str) -> datetime | None:
    """When the next climb of a destination may be claimed; None where nothing climbs."""
    return tx.scalar(
        select(func.min(ClimbRow.available_at)).where(
            ClimbRow.state == "climbing", ClimbRow.destination == destination
        )
    )


def claim(
    tx: Transaction, *, destination: str, now: datetime, again_at: datetime, limit: int
) -> list[Climb]:
    """Take what is due of a destination, longest due first; it is due again at `again_at`."""
    due = (
        select(ClimbRow.id)
        .where(
            ClimbRow.state == "climbing",
            ClimbRow.destination == destination,
            ClimbRow.available_at <= now,
        )
        .order_by(ClimbRow.available_at, ClimbRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = list(tx.scalars(due))
    if not found:
        return []
    tx.execute(
        update(ClimbRow)
        .where(ClimbRow.id.in_(found))
        .values(attempt=ClimbRow.attempt + 1, available_at=again_at)
    )
    rows = tx.execute(_objects().where(ClimbRow.id.in_(found))).all()
    asked = asked_about(tx, [row.delivery_id for row in rows])
    return [
        Climb(**row._asdict(), commitment=asked[row.delivery_id])
        for row in sorted(rows, key=lambda row: found.index(row.id))
    ]


def reach(
    tx: Transaction, climb: Climb, rung: Rung, *, at: datetime, evidence: str, now: datetime
) -> None:
    """Climb a rung, reached `at` a time for a reason; at its goal the delivery has arrived.

    Raises:
        ClaimLostError: somebody else tried this climb since.
    """
    stands = {
        Rung.COMMITTED: {"committed_at": at, "commitment": evidence},
        Rung.READ_BACK: {"read_back_at": at, "read_back": evidence},
    }[rung]
    arrives = rung is climb.goal
    ended = {"state": ClimbState.ARRIVED, "finished_at": now} if arrives else {}
    _change(
        tx,
        climb,
        {"rung": rung, "available_at": now, "error_code": None, "error_message": None}
        | {"attempt": 0}
        | stands
        | ended,
    )
    action = Action.DELIVERY_COMMITTED if rung is Rung.COMMITTED else Action.DELIVERY_READ_BACK
    _audit(tx, action, climb, now, evidence=evidence)


def await_report(tx: Transaction, climb: Climb, until: datetime) -> None:
    """Ask again after a time, unless a report comes before.

    Raises:
        ClaimLostError: somebody else tried this climb since.
    """
    _change(tx, climb, {"available_at": until})


def do_without_commitment(tx: Transaction, climb: Climb, at: datetime, why: str) -> None:
    """Go on to the next rung, since the destination knows no commitment.

    Raises:
        ClaimLostError: somebody else tried this climb since.
    """
    _change(tx, climb, {"commitment": why, "available_at": at})


def try_again(
    tx: Transaction, climb: Climb, available_at: datetime, *, code: str, message: str
) -> None:
    """Try the same rung again, not before a time.

    Raises:
        ClaimLostError: somebody else tried this climb since.
    """
    _change(tx, climb, {"available_at": available_at, "error_code": code, "error_message": message})


def stall(tx: Transaction, climb: Climb, at: datetime, *, code: str, message: str) -> None:
    """Give up until an administrator acts or the destination answers after all.

    Raises:
        ClaimLostError: somebody else tried this climb since.
    """
    ended = {"state": ClimbState.STALLED, "finished_at": at}
    _change(tx, climb, ended | {"error_code": code, "error_message": message})
    _audit(tx, Action.DELIVERY_STALLED, climb, at, code=code)


def send_again(
    tx: Transaction, climb: Climb, at: datetime, *, expires_at: datetime, code: str
) -> None:
    """Queue the delivery once more, since the destination does not have its object.

    Raises:
        ClaimLostError: somebody else tried this climb since.
    """
    waits = {"available_at": expires_at, "resent": climb.resent + 1}
    _change(tx, climb, waits | {"error_code": code, "error_message": "sent again"})
    delivery = tables.Delivery
    tx.execute(
        update(delivery)
        .where(delivery.id == climb.delivery_id, delivery.state == DeliveryState.SENT)
        .values(
            state=DeliveryState.PENDING,
            attempt=0,
            available_at=at,
            expires_at=expires_at,
            finished_at=None,
        )
    )
    _audit(tx, Action.DELIVERY_SENT_AGAIN, climb, at, code=code)


def resume(
    tx: Transaction,
    *,
    actor: str | None = None,
    ids: Sequence[int] | None = None,
    destination: str | None = None,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Let stalled deliveries climb on, those that meet every condition given; returns how many."""
    stalled: list[ColumnElement[bool]] = [ClimbRow.state == "stalled"]
    if ids is not None:
        stalled.append(ClimbRow.delivery_id.in_(ids))
    if destination is not None:
        stalled.append(ClimbRow.destination == destination)
    again = tx.execute(
        update(ClimbRow)
        .where(*stalled)
        .values(
            state=ClimbState.CLIMBING,
            beginning=ClimbRow.beginning + 1,
            created_at=now,
            available_at=now,
            expires_at=expires_at,
            finished_at=None,
            resent=0,
        )
        .returning(ClimbRow.delivery_id)
    )
    delivery, report = tables.Delivery, tables.Report
    rows = tx.execute(
        select(delivery.id, delivery.destination, report.study_id)
        .join(report, report.id == delivery.report_id)
        .where(delivery.id.in_(again.scalars().all()))
        .order_by(delivery.id)
    ).all()
    for row in rows:
        event = Event(
            action=Action.DELIVERY_RESUMED,
            at=now,
            actor=actor,
            peer=row.destination,
            study_id=row.study_id,
            detail={"delivery": row.id},
        )
        trail.record(tx, event)
    return len(rows)


def wake(tx: Transaction, destination: str, now: datetime, codes: Sequence[str]) -> None:
    """Make due what waits to ask a destination for commitment again.

    `codes` are patterns (SQL LIKE) of the error codes that it waits with.
    """
    waiting = tx.scalars(
        select(ClimbRow.id)
        .where(
            ClimbRow.state == "climbing",
            ClimbRow.destination == destination,
            ClimbRow.rung == Rung.ACCEPTED,
            ClimbRow.available_at > now,
            or_(*(ClimbRow.error_code.like(code) for code in codes)),
        )
        .order_by(ClimbRow.id)
        .with_for_update(skip_locked=True)
    ).all()
    if waiting:
        tx.execute(update(ClimbRow).where(ClimbRow.id.in_(waiting)).values(available_at=now))


def stalled_counts(tx: Transaction) -> dict[str, int]:
    """How many deliveries have stalled on a rung, by destination."""
    rows = tx.execute(
        select(ClimbRow.destination, func.count().label("number"))
        .where(ClimbRow.state == "stalled")
        .group_by(ClimbRow.destination)
        .order_by(ClimbRow.destination)
    )
    return {row.destination: row.number for row in rows}


def _objects() -> Select[*tuple[Any, ...]]:
    """Climbs with the object that was accepted of each; of those that are being sent again none."""
    delivery, report, made = tables.Delivery, tables.Report, tables.ResultObject
    return (
        select(
            ClimbRow.id,
            ClimbRow.delivery_id,
            ClimbRow.destination,
            ClimbRow.goal,
            ClimbRow.rung,
            ClimbRow.beginning,
            ClimbRow.attempt,
            ClimbRow.resent,
            ClimbRow.expires_at,
            and_(ClimbRow.commitment.isnot(None), ClimbRow.committed_at.is_(None)).label(
                "without_commitment"
            ),
            report.study_id,
            tables.Study.study_instance_uid,
            made.series_instance_uid,
            made.sop_class_uid,
            made.sop_instance_uid,
        )
        .join(delivery, delivery.id == ClimbRow.delivery_id)
        .join(report, report.id == delivery.report_id)
        .join(tables.Study, tables.Study.id == report.study_id)
        .join(
            made,
            (made.report_id == report.id)
            & (made.sop_instance_uid == delivery.sent_sop_instance_uid),
        )
        .where(delivery.state == DeliveryState.SENT)
    )


def _change(tx: Transaction, climb: Climb, values: dict[str, Any]) -> None:
    changed = tx.execute(
        update(ClimbRow)
        .where(
            ClimbRow.id == climb.id,
            ClimbRow.state == "climbing",
            ClimbRow.beginning == climb.beginning,
            ClimbRow.rung == climb.rung,
            ClimbRow.attempt == climb.attempt,
        )
        .values(values)
    )
    if changed.rowcount == 0:
        raise ClaimLostError(f"climb {climb.id} was tried by another process meanwhile")


_SETBACKS = (Action.DELIVERY_STALLED, Action.DELIVERY_SENT_AGAIN)


def _audit(tx: Transaction, action: Action, climb: Climb, at: datetime, **more: str) -> None:
    trail.record(
        tx,
        Event(
            action=action,
            at=at,
            outcome="failure" if action in _SETBACKS else "success",
            peer=climb.destination,
            study_id=climb.study_id,
            sop_instance_uid=climb.sop_instance_uid,
            detail={"delivery": climb.delivery_id, "rung": climb.rung.value, **more},
        ),
    )
