"""Deliveries as an admin sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from storage import tables
from storage.database.transactions import Transaction
from storage.errors import NotFoundError
from storage.states import ClimbState, DeliveryState, Rung
from storage.tables import Climb


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One kind of object of one report, on its way to one destination."""

    id: int
    report_id: int
    study_id: int
    study_instance_uid: str
    accession_number: str
    kind: str
    destination: str
    state: DeliveryState
    attempt: int
    created_at: datetime
    available_at: datetime
    expires_at: datetime
    claimed_by: str | None
    finished_at: datetime | None
    sent_sop_instance_uid: str | None
    status: int | None
    error_code: str | None
    error_message: str | None
    goal: Rung | None
    rung: Rung | None
    climb: ClimbState | None
    climb_expires_at: datetime | None
    committed_at: datetime | None
    commitment: str | None
    read_back_at: datetime | None
    read_back: str | None
    climb_error_code: str | None
    climb_error_message: str | None

    @property
    def standing(self) -> str:
        """How far it is, in words: its state, or once it was accepted its rung."""
        if self.state is not DeliveryState.SENT:
            return self.state
        if self.climb is None or self.climb is ClimbState.ARRIVED:
            return self.rung or Rung.ACCEPTED
        needs = "the archive to list it" if self._is_to_be_read_back else "storage commitment"
        ended = "given up waiting for" if self.climb is ClimbState.STALLED else "waiting for"
        return f"{self.rung}; {ended} {needs}"

    @property
    def _is_to_be_read_back(self) -> bool:
        """Whether the archive is asked next; `commitment` without a time: there is none to have."""
        does_without = bool(self.commitment) and self.committed_at is None
        return self.rung is Rung.COMMITTED or does_without

    @property
    def trouble(self) -> str:
        """What went wrong last and still matters, in one line; empty: nothing."""
        if self.state is DeliveryState.SENT:
            code, message = self.climb_error_code, self.climb_error_message
        else:
            code, message = self.error_code, self.error_message
        return f"{code}: {message}" if code else ""


def listing(
    tx: Transaction,
    *,
    state: DeliveryState | None = None,
    destination: str | None = None,
    climb: ClimbState | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[DeliveryView]:
    """List the deliveries that meet every condition given, newest first, from before one on."""
    query, number = _views(), tables.Delivery.id
    if climb is not None:
        # Those that have stalled are few, and in an index of their own.
        query, number = query.where(Climb.state == climb), Climb.id
    if state is not None:
        query = query.where(tables.Delivery.state == state)
    if destination is not None:
        query = query.where(tables.Delivery.destination == destination)
    if before is not None:
        of_climb = select(Climb.id).where(Climb.delivery_id == before).scalar_subquery()
        query = query.where(number < (before if climb is None else of_climb))
    rows = tx.execute(query.order_by(number.desc()).limit(limit))
    return [DeliveryView(**row._asdict()) for row in rows]


def show(tx: Transaction, delivery_id: int) -> DeliveryView:
    """One delivery.

    Raises:
        NotFoundError: no such delivery.
    """
    row = tx.execute(_views().where(tables.Delivery.id == delivery_id)).first()
    if row is None:
        raise NotFoundError(f"no delivery {delivery_id}")
    return DeliveryView(**row._asdict())


def of_reports(tx: Transaction, report_ids: Sequence[int]) -> tuple[DeliveryView, ...]:
    """All deliveries of these reports, in the order they were queued."""
    rows = tx.execute(
        _views().where(tables.Delivery.report_id.in_(report_ids)).order_by(tables.Delivery.id)
    )
    return tuple(DeliveryView(**row._asdict()) for row in rows)


@dataclass(frozen=True, slots=True)
class FailedCount:
    """How many deliveries of a kind to a destination were given up for a reason."""

    destination: str
    kind: str
    error_code: str
    number: int


@dataclass(frozen=True, slots=True)
class Late:
    """What waits for a destination for long although it was tried."""

    number: int
    oldest: datetime
    error_code: str


def failed_counts(tx: Transaction, since: datetime) -> list[FailedCount]:
    """What was given up since a time."""
    delivery = tables.Delivery
    rows = tx.execute(
        select(
            delivery.destination,
            delivery.kind,
            func.coalesce(delivery.error_code, "").label("error_code"),
            func.count().label("number"),
        )
        .where(delivery.state == DeliveryState.FAILED, delivery.finished_at >= since)
        .group_by(delivery.destination, delivery.kind, delivery.error_code)
        .order_by(delivery.destination, delivery.kind, delivery.error_code)
    )
    return [FailedCount(*row) for row in rows]


def late_counts(tx: Transaction, before: datetime) -> dict[str, Late]:
    """What was queued before a time, was tried and still waits, by destination."""
    delivery = tables.Delivery
    rows = tx.execute(
        select(
            delivery.destination,
            func.count(),
            func.min(delivery.created_at),
            func.max(delivery.error_code),
        )
        .where(delivery.state == "pending", delivery.attempt > 0, delivery.created_at < before)
        .group_by(delivery.destination)
        .order_by(delivery.destination)
    )
    return {name: Late(number, oldest, code or "") for name, number, oldest, code in rows}


def _views() -> Select[*tuple[Any, ...]]:
    delivery, study = tables.Delivery, tables.Study
    return (
        select(
            delivery.id,
            delivery.report_id,
            tables.Report.study_id,
            study.study_instance_uid,
            study.accession_number,
            delivery.kind,
            delivery.destination,
            delivery.state,
            delivery.attempt,
            delivery.created_at,
            delivery.available_at,
            delivery.expires_at,
            delivery.claimed_by,
            delivery.finished_at,
            delivery.sent_sop_instance_uid,
            delivery.status,
            delivery.error_code,
            delivery.error_message,
            Climb.goal,
            Climb.rung,
            Climb.state.label("climb"),
            Climb.expires_at.label("climb_expires_at"),
            Climb.committed_at,
            Climb.commitment,
            Climb.read_back_at,
            Climb.read_back,
            Climb.error_code.label("climb_error_code"),
            Climb.error_message.label("climb_error_message"),
        )
        .join(tables.Report, tables.Report.id == delivery.report_id)
        .join(study, study.id == tables.Report.study_id)
        .outerjoin(Climb, Climb.delivery_id == delivery.id)
    )
