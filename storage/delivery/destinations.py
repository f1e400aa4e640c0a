"""What destinations accept, as they answered: remembered, shown, forgotten."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, delete, select
from sqlalchemy.orm import aliased

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.delivery.outbox import Delivery
from storage.states import DeliveryState
from storage.tables import DestinationAnswer
from storage.tables.upsert import insert_for
from storage.work.results import ResultObject

#: An answer that is the same again is written down once in so long.
_CONFIRM_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a destination says to a SOP class: accepted, unless `refused_by` says how it refuses."""

    sop_class_uid: str
    transfer_syntaxes: tuple[str, ...]
    refused_by: str
    learned_at: datetime
    confirmed_at: datetime

    def says_as(self, other: "Answer") -> bool:
        """Whether another answer is the same, given at another time."""
        return (self.transfer_syntaxes, self.refused_by) == (
            other.transfer_syntaxes,
            other.refused_by,
        )


def recall(tx: Transaction, destination: str, address: str) -> dict[str, Answer]:
    """The answers of a destination by SOP class, those that it gave at this address."""
    row = DestinationAnswer
    found = tx.execute(
        select(row)
        .where(row.destination == destination, row.address == address)
        .order_by(row.sop_class_uid)
    ).all()
    return {item.sop_class_uid: _answer(item) for item in found}


def remember(tx: Transaction, destination: str, address: str, answers: Iterable[Answer]) -> None:
    """Keep answers; the time since when one is the same stays."""
    before = recall(tx, destination, address)
    for answer in answers:
        old = before.get(answer.sop_class_uid)
        same = old is not None and answer.says_as(old)
        values = asdict(answer) | {
            "destination": destination,
            "address": address,
            "transfer_syntaxes": " ".join(answer.transfer_syntaxes),
            "learned_at": old.learned_at if old and same else answer.learned_at,
        }
        tx.execute(
            insert_for(tx, DestinationAnswer)
            .values(values)
            .on_conflict_do_update(index_elements=["destination", "sop_class_uid"], set_=values)
        )


def worth_remembering(before: Mapping[str, Answer], after: Mapping[str, Answer]) -> list[Answer]:
    """The answers that are new, or were confirmed so long ago that it should be written down."""
    return [
        answer
        for uid, answer in after.items()
        if (old := before.get(uid)) is None
        or not answer.says_as(old)
        or answer.confirmed_at - old.confirmed_at >= _CONFIRM_EVERY
    ]


def spares(
    tx: Transaction,
    destination: str,
    made: ResultObject,
    study_id: int,
    at: datetime,
    since: datetime,
    refusals: Collection[str],
) -> bool:
    """Whether an object need not be queued, its class having been refused so after `since`.

    That it was not is audited.
    """
    row = DestinationAnswer
    refused_by = tx.scalar(
        select(row.refused_by).where(
            row.destination == destination,
            row.sop_class_uid == made.sop_class_uid,
            row.refused_by.in_(refusals),
            row.confirmed_at > since,
        )
    )
    if refused_by is None:
        return False
    trail.record(
        tx,
        Event(
            action=Action.DELIVERY_SPARED,
            at=at,
            peer=destination,
            study_id=study_id,
            sop_instance_uid=made.sop_instance_uid,
            detail={"kind": made.kind, "refused_by": refused_by},
        ),
    )
    return True


def has_later(tx: Transaction, delivery: Delivery) -> bool:
    """Whether the destination has the same kind of object of a later report of the same study."""
    other, report, own = tables.Delivery, tables.Report, aliased(tables.Report)
    found = (
        select(other.id)
        .join(report, report.id == other.report_id)
        .join(own, (own.study_id == report.study_id) & (own.pipeline == report.pipeline))
        .where(
            own.id == delivery.report_id,
            report.revision > own.revision,
            other.destination == delivery.destination,
            other.kind == delivery.kind,
            other.state == DeliveryState.SENT,
        )
    )
    return tx.scalar(found.limit(1)) is not None


def forget(tx: Transaction, destination: str, *, actor: str, at: datetime) -> int:
    """Forget what a destination answered, wherever it was; returns how many answers."""
    row = DestinationAnswer
    gone = tx.execute(
        delete(row).where(row.destination == destination).returning(row.sop_class_uid)
    ).all()
    trail.record(
        tx,
        Event(
            action=Action.DESTINATION_FORGOTTEN,
            at=at,
            actor=actor,
            peer=destination,
            detail={"answers": len(gone)},
        ),
    )
    return len(gone)


def _answer(item: Row[DestinationAnswer]) -> Answer:
    return Answer(
        sop_class_uid=item.sop_class_uid,
        transfer_syntaxes=tuple(item.transfer_syntaxes.split()),
        refused_by=item.refused_by,
        learned_at=item.learned_at,
        confirmed_at=item.confirmed_at,
    )
