"""Associations: opened, carrying studies, and how they ended."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, insert, or_, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.engine import Transaction
from storage.states import DueReason, Ending, StudyState


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


def close_association(
    tx: Transaction, association_id: str, how: Ending, at: datetime, release_quiet_s: float
) -> None:
    """Record how an association ended; one that has ended already stays as it was.

    After a normal release, a study that it carried is due `release_quiet_s` later, or sooner as it
    was, unless another association that carried it is open or, since the study's revision began,
    ended in another way.
    """
    # The studies are locked first, so that of two associations that end at once the second sees
    # that the first has.
    carried = _lock_studies(tx, [association_id])
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
    if how is Ending.RELEASED and carried:
        _shorten(tx, carried, at + timedelta(seconds=release_quiet_s))
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


def _lock_studies(tx: Transaction, association_ids: list[str]) -> list[int]:
    """The studies still receiving that these associations carried, in one order for everybody."""
    return list(
        tx.scalars(
            select(tables.Study.id)
            .where(
                tables.Study.state == StudyState.RECEIVING,
                tables.Study.id.in_(
                    select(tables.AssociationStudy.study_id).where(
                        tables.AssociationStudy.association_id.in_(association_ids)
                    )
                ),
            )
            .order_by(tables.Study.id)
            .with_for_update(key_share=True)
        )
    )


def _shorten(tx: Transaction, study_ids: list[int], due_at: datetime) -> None:
    """Bring these studies' due time forward where nothing more is to be expected."""
    more_to_come = (
        select(tables.Association.association_id)
        .join(
            tables.AssociationStudy,
            tables.AssociationStudy.association_id == tables.Association.association_id,
        )
        .where(
            tables.AssociationStudy.study_id == tables.Study.id,
            or_(
                tables.Association.closed_at.is_(None),
                and_(
                    tables.Association.ending != Ending.RELEASED,
                    tables.Association.closed_at >= tables.Study.revision_began_at,
                ),
            ),
        )
        .exists()
    )
    tx.execute(
        update(tables.Study)
        .where(tables.Study.id.in_(study_ids), tables.Study.due_at > due_at, ~more_to_come)
        .values(due_at=due_at, due_reason=DueReason.ASSOCIATION_RELEASED)
    )


def touch_associations(tx: Transaction, seen: Mapping[str, datetime]) -> None:
    """Record that bytes are flowing: the studies that these associations carry are not due yet.

    Each is due no sooner than its peer's quiet period from then, within its hard limit. A study
    that an association left for others longer than a quiet period ago is not held up by it.
    """
    for association_id, at in seen.items():
        ids = _lock_studies(tx, [association_id])
        for study_id, quiet_s in _current(tx, association_id, ids):
            _postpone(tx, study_id, at + timedelta(seconds=quiet_s))


def _current(tx: Transaction, association_id: str, study_ids: list[int]) -> list[tuple[int, float]]:
    carried = tables.AssociationStudy
    rows = tx.execute(
        select(carried.study_id, carried.quiet_s, carried.last_received_at).where(
            carried.association_id == association_id
        )
    ).all()
    latest = max((row.last_received_at for row in rows), default=None)
    return [
        (row.study_id, row.quiet_s)
        for row in rows
        if row.study_id in study_ids
        and latest - row.last_received_at <= timedelta(seconds=row.quiet_s)
    ]


def _postpone(tx: Transaction, study_id: int, due_at: datetime) -> None:
    """Make a receiving study due no sooner than this, within its hard limit."""
    study = tables.Study
    later = (study.id == study_id, study.state == StudyState.RECEIVING, study.due_at < due_at)
    tx.execute(
        update(study)
        .where(*later, study.hard_limit_at > due_at)
        .values(due_at=due_at, due_reason=DueReason.QUIET_PERIOD)
    )
    tx.execute(
        update(study)
        .where(*later, study.hard_limit_at <= due_at)
        .values(due_at=study.hard_limit_at, due_reason=DueReason.HARD_LIMIT)
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
        close_association(tx, association_id, Ending.LOST, at, release_quiet_s=0)
    return len(lost)
