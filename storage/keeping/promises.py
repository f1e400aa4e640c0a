"""Storage commitment that peers ask for: what they asked, what is held of it, what they were told.

A request is durable before it is acknowledged. What is held is looked up when the report is made,
not before: it tells the truth of that moment. How long it stays true is up to `[retention]`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, insert, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.errors import ClaimLostError
from storage.states import PromiseState
from storage.tables import CommitmentItem, CommitmentRequest, InstanceConflict
from storage.tables.columns import storable

#: UIDs in one statement; a request may name thousands.
_AT_ONCE = 500


class FailureReason(IntEnum):
    """Why an instance is not committed (0008,1197), PS3.3 section C.14.1.1."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION_UID = 0x0131
    RESOURCE_LIMITATION = 0x0213


class Reference(NamedTuple):
    """One item of a Referenced SOP Sequence (0008,1199)."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A request whose report somebody is about to send; `attempt` fences what becomes of it."""

    id: int
    transaction_uid: str
    peer: str
    attempt: int
    reuses_uid: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a report says: what is held, and why not, by SOP Instance UID."""

    committed: tuple[Reference, ...]
    failed: Mapping[Reference, FailureReason]

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: all that was asked about was purged since, its UIDs too."""
        return not self.committed and not self.failed


def record_request(
    tx: Transaction,
    references: Collection[Reference],
    *,
    transaction_uid: str,
    peer: str,
    association_id: str,
    at: datetime,
    expires_at: datetime,
) -> int:
    """Record a request, whose report is owed from now on; returns its number.

    The same request again, of one whose sender missed the report, is owed again. Other instances
    under the same Transaction UID are reported as failed, all of them.
    """
    give_up_expired(tx, at)
    wanted = {storable(item.sop_instance_uid): storable(item.sop_class_uid) for item in references}
    request = CommitmentRequest
    earlier = tx.scalars(
        select(request.id)
        .where(request.transaction_uid == transaction_uid, request.peer == peer)
        .order_by(request.id)
    ).all()
    owed: dict[str, Any] = {
        "association_id": association_id,
        "state": PromiseState.OWED,
        "attempt": 0,
        "created_at": at,
        "available_at": at,
        "expires_at": expires_at,
        "finished_at": None,
        "error_message": None,
    }
    again = next((number for number in earlier if _items(tx, number) == wanted), None)
    if again is not None:
        tx.execute(update(request).where(request.id == again).values(**owed))
        number = again
    else:
        number = tx.execute(
            insert(request)
            .values(transaction_uid=transaction_uid, peer=peer, reuses_uid=bool(earlier), **owed)
            .returning(request.id)
        ).scalar_one()
        _insert_items(tx, number, wanted)
    detail = {"request": number, "instances": len(wanted), "again": again is not None}
    _audit(tx, Action.COMMITMENT_REQUESTED, at, peer, association_id=association_id, detail=detail)
    return number


def is_due(tx: Transaction, peer: str, now: datetime) -> bool:
    """Whether a report to a peer is due."""
    request = CommitmentRequest
    due = select(request.id).where(
        request.state == "owed", request.available_at <= now, request.peer == peer
    )
    return tx.scalar(due.limit(1)) is not None


def claim_owed(
    tx: Transaction,
    *,
    now: datetime,
    again_at: datetime,
    peer: str | None = None,
    request_id: int | None = None,
    limit: int = 8,
) -> list[Owed]:
    """Take reports that are due, those to a peer or one alone; they are due again at `again_at`."""
    request = CommitmentRequest
    due: list[ColumnElement[bool]] = [request.state == "owed", request.available_at <= now]
    if peer is not None:
        due.append(request.peer == peer)
    if request_id is not None:
        due.append(request.id == request_id)
    found = tx.scalars(
        select(request.id)
        .where(*due)
        .order_by(request.available_at, request.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    rows = tx.execute(
        update(request)
        .where(request.id.in_(found))
        .values(attempt=request.attempt + 1, available_at=again_at)
        .returning(
            request.id,
            request.transaction_uid,
            request.peer,
            request.attempt,
            request.reuses_uid,
            request.expires_at,
        )
    ).all()
    return [Owed(*row) for row in sorted(rows, key=lambda row: row.id)]


def holdings(tx: Transaction, owed: Owed, is_there: Callable[[str], bool]) -> Holdings:
    """What of a request is held now; `is_there` says whether the spool has a file, by digest."""
    instance, conflict = tables.Instance, InstanceConflict
    other_bytes = (
        select(conflict.id)
        .where(conflict.instance_id == instance.id, conflict.peer == owed.peer)
        .exists()
    )
    rows = tx.execute(
        select(
            CommitmentItem.sop_class_uid,
            CommitmentItem.sop_instance_uid,
            instance.sop_class_uid.label("stored_class_uid"),
            instance.digest,
            instance.removed_at,
            other_bytes.label("other_bytes"),
        )
        .outerjoin(instance, instance.sop_instance_uid == CommitmentItem.sop_instance_uid)
        .where(CommitmentItem.request_id == owed.id)
        .order_by(CommitmentItem.sop_instance_uid)
    ).all()
    committed: list[Reference] = []
    failed: dict[Reference, FailureReason] = {}
    for row in rows:
        reference = Reference(row.sop_class_uid, row.sop_instance_uid)
        reason = _failure(row, owed, is_there)
        if reason is None:
            committed.append(reference)
        else:
            failed[reference] = reason
    return Holdings(tuple(committed), failed)


def _failure(row: Any, owed: Owed, is_there: Callable[[str], bool]) -> FailureReason | None:
    """Why an instance is not committed.

    Where the peer sent other bytes under the UID, what is held is not what it may think.
    """
    if owed.reuses_uid:
        return FailureReason.DUPLICATE_TRANSACTION_UID
    if row.digest is None or row.removed_at is not None or row.other_bytes:
        return FailureReason.NO_SUCH_INSTANCE
    if row.stored_class_uid != row.sop_class_uid:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    return None if is_there(row.digest) else FailureReason.NO_SUCH_INSTANCE


def mark_reported(tx: Transaction, owed: Owed, told: Holdings, at: datetime) -> None:
    """The peer took the report.

    Raises:
        ClaimLostError: somebody else took the request up since.
    """
    _change(tx, owed, {"state": PromiseState.REPORTED, "finished_at": at, "error_message": None})
    reasons: dict[FailureReason, list[str]] = {}
    for reference, reason in told.failed.items():
        reasons.setdefault(reason, []).append(reference.sop_instance_uid)
    item = CommitmentItem
    tx.execute(update(item).where(item.request_id == owed.id).values(failure_reason=None))
    for reason, uids in reasons.items():
        for some in _by_hundreds(uids):
            tx.execute(
                update(item)
                .where(item.request_id == owed.id, item.sop_instance_uid.in_(some))
                .values(failure_reason=int(reason))
            )
    detail = {
        "request": owed.id,
        "committed": len(told.committed),
        **{f"0x{reason:04X}": len(uids) for reason, uids in reasons.items()},
    }
    _audit(tx, Action.COMMITMENT_REPORTED, at, owed.peer, detail=detail, failed=bool(told.failed))


def report_later(tx: Transaction, owed: Owed, available_at: datetime, message: str) -> None:
    """The report could not be sent; it is sent again, not before a time.

    Raises:
        ClaimLostError: somebody else took the request up since.
    """
    _change(tx, owed, {"available_at": available_at, "error_message": message})


def give_up(tx: Transaction, owed: Owed, at: datetime) -> None:
    """There is nothing to be reported any more.

    Raises:
        ClaimLostError: somebody else took the request up since.
    """
    _change(tx, owed, {"state": PromiseState.GIVEN_UP, "finished_at": at})
    detail = {"request": owed.id, "attempt": owed.attempt}
    _audit(tx, Action.COMMITMENT_GIVEN_UP, at, owed.peer, detail=detail, failed=True)


def give_up_expired(tx: Transaction, now: datetime) -> int:
    """Give up the reports that could not be sent for too long; returns how many."""
    request = CommitmentRequest
    ended = tx.execute(
        update(request)
        .where(request.state == "owed", request.expires_at <= now)
        .values(state=PromiseState.GIVEN_UP, finished_at=now)
        .returning(request.id, request.peer, request.attempt)
    ).all()
    for row in ended:
        detail = {"request": row.id, "attempt": row.attempt}
        _audit(tx, Action.COMMITMENT_GIVEN_UP, now, row.peer, detail=detail, failed=True)
    return len(ended)


def unreported(tx: Transaction, *, since: datetime, before: datetime) -> dict[str, int]:
    """How many reports were given up since a time or are owed since before one, by peer."""
    request = CommitmentRequest
    rows = tx.scalars(
        select(request.peer).where(request.state == "owed", request.created_at < before)
    )
    events = trail.search(tx, action=Action.COMMITMENT_GIVEN_UP, since=since, limit=1000)
    return dict(Counter([*rows, *(event.peer or "" for event in events)]))


def _items(tx: Transaction, request_id: int) -> dict[str, str]:
    item = CommitmentItem
    rows = tx.execute(
        select(item.sop_instance_uid, item.sop_class_uid).where(item.request_id == request_id)
    )
    return {row.sop_instance_uid: row.sop_class_uid for row in rows}


def _insert_items(tx: Transaction, request_id: int, wanted: Mapping[str, str]) -> None:
    """Write the items, linked to the instances that are known, so that a purge finds them."""
    known = {uid: number for some in _by_hundreds(wanted) for uid, number in _known(tx, some)}
    tx.execute(
        insert(CommitmentItem),
        [
            {
                "request_id": request_id,
                "sop_instance_uid": uid,
                "sop_class_uid": class_uid,
                "instance_id": known.get(uid),
            }
            for uid, class_uid in wanted.items()
        ],
    )


def _by_hundreds(uids: Iterable[str]) -> Iterator[list[str]]:
    """So many UIDs at once as a statement can take."""
    left = list(uids)
    for first in range(0, len(left), _AT_ONCE):
        yield left[first : first + _AT_ONCE]


def _known(tx: Transaction, uids: Sequence[str]) -> list[tuple[str, int]]:
    instance = tables.Instance
    rows = tx.execute(
        select(instance.sop_instance_uid, instance.id).where(instance.sop_instance_uid.in_(uids))
    )
    return [(uid, number) for uid, number in rows]


def _change(tx: Transaction, owed: Owed, values: dict[str, Any]) -> None:
    request = CommitmentRequest
    changed = tx.execute(
        update(request)
        .where(request.id == owed.id, request.state == "owed", request.attempt == owed.attempt)
        .values(values)
    )
    if changed.rowcount == 0:
        raise ClaimLostError(f"commitment request {owed.id} was taken up by another process")


def _audit(
    tx: Transaction,
    action: Action,
    at: datetime,
    peer: str,
    *,
    detail: trail.Detail,
    association_id: str | None = None,
    failed: bool = False,
) -> None:
    trail.record(
        tx,
        Event(
            action=action,
            at=at,
            outcome="failure" if failed else "success",
            peer=peer,
            association_id=association_id,
            detail=detail,
        ),
    )
