"""Deliveries as an admin sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from storage import schema
from storage.engine import Transaction
from storage.states import DeliveryState


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


def listing(
    tx: Transaction,
    *,
    state: DeliveryState | None = None,
    destination: str | None = None,
    limit: int = 100,
) -> list[DeliveryView]:
    """List the deliveries that meet every condition given, newest first."""
    query = _views()
    if state is not None:
        query = query.where(schema.Delivery.state == state)
    if destination is not None:
        query = query.where(schema.Delivery.destination == destination)
    rows = tx.execute(query.order_by(schema.Delivery.id.desc()).limit(limit))
    return [DeliveryView(**row._asdict()) for row in rows]


def of_reports(tx: Transaction, report_ids: Sequence[int]) -> tuple[DeliveryView, ...]:
    """All deliveries of these reports, in the order they were queued."""
    rows = tx.execute(
        _views().where(schema.Delivery.report_id.in_(report_ids)).order_by(schema.Delivery.id)
    )
    return tuple(DeliveryView(**row._asdict()) for row in rows)


def _views() -> Select[*tuple[Any, ...]]:
    delivery, study = schema.Delivery, schema.Study
    return (
        select(
            delivery.id,
            delivery.report_id,
            schema.Report.study_id,
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
        )
        .join(schema.Report, schema.Report.id == delivery.report_id)
        .join(study, study.id == schema.Report.study_id)
    )
