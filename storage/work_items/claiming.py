"""Work items: which the node claims, with which Transaction UID, and what became of them.

A Transaction UID is durable before it is sent, so that whoever comes after a crash can still speak
for the item. To take an item up is to postpone it; what its holder writes is fenced by `attempt`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.errors import ClaimLostError
from storage.states import WorkItemState
from storage.tables import WorkItem as WorkItemRow
from storage.tables.upsert import insert_once


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """An item that somebody is at; `input_uids` are instances, none: the whole study."""

    id: int
    work_list: str
    sop_instance_uid: str
    transaction_uid: str
    state: WorkItemState
    study_instance_uid: str
    input_uids: tuple[str, ...]
    attempt: int
    claimed_by: str
    expires_at: datetime
    started_at: datetime | None


def note(
    tx: Transaction,
    work_list: str,
    sop_instance_uid: str,
    *,
    transaction_uid: str,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """Write down an item that is to be claimed; False where it is known already."""
    return insert_once(
        tx,
        WorkItemRow,
        work_list=work_list,
        sop_instance_uid=sop_instance_uid,
        transaction_uid=transaction_uid,
        state=WorkItemState.CLAIMING,
        study_instance_uid="",
        input_json="[]",
        attempt=0,
        created_at=now,
        available_at=now,
        expires_at=expires_at,
    )


def count_open(tx: Transaction, work_list: str) -> int:
    """How many items of a work list are not ended."""
    row = WorkItemRow
    some = select(func.count()).where(row.work_list == work_list, row.finished_at.is_(None))
    return tx.execute(some).scalar_one()


def next_available_at(tx: Transaction, work_list: str) -> datetime | None:
    """When the next item of a work list may be taken up; None where none is open."""
    row = WorkItemRow
    return tx.scalar(
        select(func.min(row.available_at)).where(
            row.work_list == work_list, row.finished_at.is_(None)
        )
    )


def take(
    tx: Transaction, work_list: str, *, owner: str, now: datetime, again_at: datetime
) -> WorkItem | None:
    """Take up the item that waits longest; where its holder dies it is available at `again_at`."""
    row = WorkItemRow
    found = tx.scalar(
        select(row.id)
        .where(row.work_list == work_list, row.finished_at.is_(None), row.available_at <= now)
        .order_by(row.available_at, row.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if found is None:
        return None
    taken = tx.execute(
        update(row)
        .where(row.id == found)
        .values(attempt=row.attempt + 1, claimed_by=owner, available_at=again_at)
        .returning(row)
    ).one()
    return WorkItem(
        id=taken.id,
        work_list=taken.work_list,
        sop_instance_uid=taken.sop_instance_uid,
        transaction_uid=taken.transaction_uid,
        state=taken.state,
        study_instance_uid=taken.study_instance_uid,
        input_uids=tuple(json.loads(taken.input_json)),
        attempt=taken.attempt,
        claimed_by=owner,
        expires_at=taken.expires_at,
        started_at=taken.started_at,
    )


def begin(
    tx: Transaction,
    item: WorkItem,
    *,
    study_instance_uid: str,
    input_uids: Sequence[str],
    now: datetime,
) -> None:
    """The item is ours, and this is its input; it is available at once.

    Raises:
        ClaimLostError: somebody else took it up meanwhile; so do all that follow.
    """
    _change(
        tx,
        item,
        state=WorkItemState.IN_PROGRESS,
        study_instance_uid=study_instance_uid,
        input_json=json.dumps(list(input_uids)),
        claimed_by=None,
        available_at=now,
        started_at=now,
        error_code=None,
        error_message=None,
    )
    _audit(tx, Action.WORK_ITEM_CLAIMED, item, now, "success", {"inputs": len(input_uids)})


def postpone(
    tx: Transaction,
    item: WorkItem,
    available_at: datetime,
    *,
    study_id: int | None = None,
    code: str | None = None,
    message: str | None = None,
) -> None:
    """Nothing more can be done about an item now; `code` and `message` where something failed."""
    link = {} if study_id is None else {"study_id": study_id}
    _change(
        tx,
        item,
        claimed_by=None,
        available_at=available_at,
        error_code=code,
        error_message=message,
        **link,
    )


def end(
    tx: Transaction,
    item: WorkItem,
    state: WorkItemState,
    now: datetime,
    *,
    outputs: int = 0,
    code: str | None = None,
    message: str | None = None,
) -> None:
    """The item is over for us: its work list heard so, or said so itself."""
    _change(
        tx,
        item,
        state=state,
        claimed_by=None,
        finished_at=now,
        error_code=code,
        error_message=message,
    )
    outcome = "success" if state is WorkItemState.COMPLETED else "failure"
    _audit(tx, _ENDINGS[state], item, now, outcome, {"outputs": outputs, "code": code})


def rescue(tx: Transaction, work_list: str, now: datetime, is_dead: Callable[[str], bool]) -> int:
    """Make available what dead processes were at; returns how many."""
    row = WorkItemRow
    held = tx.execute(
        select(row.id, row.claimed_by)
        .where(row.work_list == work_list, row.finished_at.is_(None), row.claimed_by.isnot(None))
        .with_for_update(skip_locked=True)
    ).all()
    stranded = [number for number, owner in held if owner and is_dead(owner)]
    if stranded:
        waits: dict[str, Any] = {"claimed_by": None, "available_at": now}
        tx.execute(update(row).where(row.id.in_(stranded)).values(**waits))
    return len(stranded)


_ENDINGS = {
    WorkItemState.COMPLETED: Action.WORK_ITEM_COMPLETED,
    WorkItemState.CANCELED: Action.WORK_ITEM_CANCELED,
    WorkItemState.LET_GO: Action.WORK_ITEM_LET_GO,
}


def _change(tx: Transaction, item: WorkItem, **values: Any) -> None:
    row = WorkItemRow
    fence = (row.id == item.id, row.attempt == item.attempt, row.state == item.state)
    if tx.execute(update(row).where(*fence).values(**values)).rowcount == 0:
        raise ClaimLostError(f"work item {item.id} is no longer held by this process")


def _audit(
    tx: Transaction,
    action: Action,
    item: WorkItem,
    at: datetime,
    outcome: Any,
    detail: dict[str, Any],
) -> None:
    study = tables.Study
    study_id = tx.scalar(
        select(study.id).where(study.study_instance_uid == item.study_instance_uid)
    )
    trail.record(
        tx,
        Event(
            action=action,
            at=at,
            outcome=outcome,
            actor=item.claimed_by,
            peer=item.work_list,
            study_id=study_id,
            sop_instance_uid=item.sop_instance_uid,
            detail={"work_item": item.id, "attempt": item.attempt, **detail},
        ),
    )
