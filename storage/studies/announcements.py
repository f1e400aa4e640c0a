"""Announcements: what is said about a study before, while or after its instances come.

A study may be announced before its first instance; `claim_announcements` finds what was said then.
Whatever is said makes the clock look at the study.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.states import AnnouncementKind, StepState
from storage.tables import AnnouncedInstance
from storage.tables import Announcement as _Announcement
from storage.tables.upsert import insert_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is said, by whom and when.

    `sop_instance_uid` is the one of the procedure step or notification; empty for an archive. None
    leaves the state, or the instances, as they are.
    """

    kind: AnnouncementKind
    sop_instance_uid: str
    state: StepState | None
    instance_uids: frozenset[str] | None
    peer: str
    at: datetime
    association_id: str | None = None


class Change(StrEnum):
    """What became of the change of a step: UNKNOWN to this peer, TOO_LATE when it had ended."""

    DONE = "done"
    UNKNOWN = "unknown"
    TOO_LATE = "too late"


def announce(tx: Transaction, said: Announcement, study_instance_uids: Iterable[str]) -> bool:
    """Record a new step or notification that names these studies; whether it is new."""
    if _rows(tx, said.sop_instance_uid):
        return False
    for uid in sorted(set(study_instance_uids)):
        if not _add(tx, said, uid):
            return False
    _say(tx, said, _rows(tx, said.sop_instance_uid))
    return True


def change_step(tx: Transaction, said: Announcement) -> Change:
    """Record what the peer that began a step says of it now."""
    rows = [row for row in _rows(tx, said.sop_instance_uid) if row.peer == said.peer]
    if not rows:
        return Change.UNKNOWN
    for row in rows:
        _lock_study(tx, row.study_instance_uid)
    changed = tx.execute(
        update(_Announcement)
        .where(
            _Announcement.id.in_([row.id for row in rows]),
            _Announcement.state == StepState.IN_PROGRESS,
        )
        .values(state=said.state or StepState.IN_PROGRESS, updated_at=said.at)
    )
    if not changed.rowcount:
        return Change.TOO_LATE
    _say(tx, said, rows)
    return Change.DONE


def replace_archived(
    tx: Transaction, said: Announcement, study_id: int, study_instance_uid: str
) -> None:
    """Record which instances an archive has of a study; what one said before is forgotten."""
    before = tx.scalars(
        select(_Announcement.id).where(
            _Announcement.study_id == study_id, _Announcement.kind == AnnouncementKind.ARCHIVE
        )
    ).all()
    for announcement_id in before:
        _name(tx, announcement_id, frozenset())
        tx.execute(delete(_Announcement).where(_Announcement.id == announcement_id))
    if said.instance_uids:
        _add(tx, said, study_instance_uid)
        _say(tx, said, _archived(tx, study_instance_uid))


def claim_announcements(tx: Transaction, study_id: int, study_instance_uid: str) -> bool:
    """Take what was announced before a study was opened for it; whether there was anything."""
    claimed = tx.execute(
        update(_Announcement)
        .where(
            _Announcement.study_instance_uid == study_instance_uid,
            _Announcement.study_id.is_(None),
        )
        .values(study_id=study_id)
    )
    return claimed.rowcount > 0


def forget_unclaimed(tx: Transaction, before: datetime) -> None:
    """Forget what was said before a time of studies that never came."""
    old = (_Announcement.study_id.is_(None), _Announcement.updated_at < before)
    tx.execute(
        delete(AnnouncedInstance).where(
            AnnouncedInstance.announcement_id.in_(select(_Announcement.id).where(*old))
        )
    )
    tx.execute(delete(_Announcement).where(*old))


def _rows(tx: Transaction, sop_instance_uid: str) -> Sequence[Row[Any]]:
    return tx.execute(
        select(_Announcement)
        .where(_Announcement.sop_instance_uid == sop_instance_uid)
        .order_by(_Announcement.study_instance_uid)
    ).all()


def _archived(tx: Transaction, study_instance_uid: str) -> Sequence[Row[Any]]:
    return tx.execute(
        select(_Announcement).where(
            _Announcement.sop_instance_uid == "",
            _Announcement.study_instance_uid == study_instance_uid,
        )
    ).all()


def _add(tx: Transaction, said: Announcement, study_instance_uid: str) -> bool:
    return insert_once(
        tx,
        _Announcement,
        kind=said.kind,
        sop_instance_uid=said.sop_instance_uid,
        study_instance_uid=study_instance_uid,
        study_id=_lock_study(tx, study_instance_uid),
        state=said.state or StepState.COMPLETED,
        peer=said.peer,
        announced_at=said.at,
        updated_at=said.at,
    )


def _lock_study(tx: Transaction, study_instance_uid: str) -> int | None:
    study = tables.Study
    return tx.scalar(
        select(study.id)
        .where(study.study_instance_uid == study_instance_uid)
        .with_for_update(key_share=True)
    )


def _say(tx: Transaction, said: Announcement, rows: Sequence[Row[Any]]) -> None:
    """Name the instances in each of an announcement's rows, and have their studies looked at."""
    for row in rows:
        if said.instance_uids is not None:
            _name(tx, row.id, said.instance_uids)
        if row.study_id is not None:
            study = tables.Study
            tx.execute(update(study).where(study.id == row.study_id).values(look_at=said.at))
        trail.record(
            tx,
            Event(
                action=Action.STUDY_ANNOUNCED,
                at=said.at,
                peer=said.peer,
                association_id=said.association_id,
                study_id=row.study_id,
                sop_instance_uid=said.sop_instance_uid or None,
                detail={
                    "kind": said.kind.value,
                    "state": said.state.value if said.state else None,
                    "instances": len(said.instance_uids or ()),
                },
            ),
        )


def _name(tx: Transaction, announcement_id: int, instance_uids: frozenset[str]) -> None:
    tx.execute(
        delete(AnnouncedInstance).where(AnnouncedInstance.announcement_id == announcement_id)
    )
    if instance_uids:
        tx.execute(
            insert(AnnouncedInstance),
            [
                {"announcement_id": announcement_id, "sop_instance_uid": uid}
                for uid in sorted(instance_uids)
            ],
        )
