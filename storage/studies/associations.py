"""Associations: opened, carrying studies, and how they ended."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, insert, or_, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.states import Ending, StudyState
from storage.studies.completeness import SETTLING


@dataclass(frozen=True, slots=True)
class Association:
    """One association; `owner` is the listener process and `association_id` the UUID it gave."""

    association_id: str
    peer: str
    calling_aet: str
    called_aet: str
    address: str
    owner: str
    opened_at: datetime


def open_association(tx: Transaction, association: Association) -> None:
    """Record that an association was accepted."""
    tx.execute(insert(tables.Association), asdict(association))
    trail.record(
        tx,
        Event(
            action=Action.ASSOCIATION_OPENED,
            at=association.opened_at,
            actor=association.owner,
            peer=association.peer,
            address=association.address,
            association_id=association.association_id,
            detail={
                "calling_aet": association.calling_aet,
                "called_aet": association.called_aet,
            },
        ),
    )


def close_association(tx: Transaction, association_id: str, how: Ending, at: datetime) -> None:
    """Record how an association ended; one that has ended already stays as it was.

    The studies that it carried are judged once they have settled.
    """
    carried = _lock_studies(tx, association_id)
    closed = tx.execute(
        update(tables.Association)
        .where(
            tables.Association.association_id == association_id,
            tables.Association.closed_at.is_(None),
        )
        .values(closed_at=at, ending=how)
        .returning(tables.Association.peer, tables.Association.address, tables.Association.owner)
    ).first()
    if closed is None:
        return
    if carried:
        study = tables.Study
        tx.execute(update(study).where(study.id.in_(carried)).values(look_at=at + SETTLING))
    brought = tx.execute(
        select(func.count(), func.coalesce(func.sum(tables.AssociationStudy.instances), 0)).where(
            tables.AssociationStudy.association_id == association_id
        )
    ).one()
    trail.record(
        tx,
        Event(
            action=Action.ASSOCIATION_CLOSED,
            at=at,
            outcome="success" if how is Ending.RELEASED else "failure",
            actor=closed.owner,
            peer=closed.peer,
            address=closed.address,
            association_id=association_id,
            detail={"ending": how.value, "studies": brought[0], "instances": int(brought[1])},
        ),
    )


def _lock_studies(tx: Transaction, association_id: str) -> list[int]:
    """The studies still receiving that an association carried, in one order for everybody."""
    return list(
        tx.scalars(
            select(tables.Study.id)
            .where(
                tables.Study.state == StudyState.RECEIVING,
                tables.Study.id.in_(
                    select(tables.AssociationStudy.study_id).where(
                        tables.AssociationStudy.association_id == association_id
                    )
                ),
            )
            .order_by(tables.Study.id)
            .with_for_update(key_share=True)
        )
    )


def touch_associations(tx: Transaction, seen: Mapping[str, datetime]) -> None:
    """Record when bytes came on associations: the studies that they bring go on arriving."""
    association = tables.Association
    for association_id, at in sorted(seen.items()):
        earlier = or_(association.heard_at.is_(None), association.heard_at < at)
        tx.execute(
            update(association)
            .where(association.association_id == association_id, earlier)
            .values(heard_at=at)
        )


def lose_dead_associations(tx: Transaction, is_dead: Callable[[str], bool], at: datetime) -> int:
    """Close, as lost, what the listener processes that died left open; returns how many."""
    still_open = tx.execute(
        select(tables.Association.association_id, tables.Association.owner).where(
            tables.Association.closed_at.is_(None)
        )
    ).all()
    dead = {owner for owner in {row.owner for row in still_open} if is_dead(owner)}
    lost = [row.association_id for row in still_open if row.owner in dead]
    for association_id in lost:
        close_association(tx, association_id, Ending.LOST, at)
    return len(lost)
