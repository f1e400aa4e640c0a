"""What destinations were asked to commit, and what they reported.

A question is written down before it is asked, since the answer may come before the asking is over:
on another association, to another process. Whoever hears it writes it down; the ladder finds it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update

from storage.database.transactions import Transaction
from storage.states import ClimbState, Rung
from storage.tables import Climb, CommitmentAsked


@dataclass(frozen=True, slots=True)
class Answer:
    """What a destination reported on an object that it was asked to commit.

    `failure_reason` is the Failure Reason (0008,1197), None where it committed.
    """

    transaction_uid: str
    by: str
    at: datetime
    failure_reason: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a destination was asked to commit an object since its climb began, and the answer.

    That it was committed counts whichever time it was asked; a failure only as the last answer.
    """

    times: int
    answer: Answer | None


class Question(NamedTuple):
    """An object that a destination is asked to commit, and the beginning of its climb."""

    delivery_id: int
    sop_instance_uid: str
    beginning: int


def ask(
    tx: Transaction, questions: Iterable[Question], *, transaction_uid: str, at: datetime
) -> None:
    """Write down that a destination is asked to commit objects."""
    tx.execute(
        insert(CommitmentAsked),
        [
            {"transaction_uid": transaction_uid, "asked_at": at, **question._asdict()}
            for question in questions
        ],
    )


def record_answer(
    tx: Transaction,
    transaction_uid: str,
    *,
    committed: Collection[str],
    failed: Mapping[str, int],
    by: str,
    at: datetime,
) -> bool:
    """Record what a destination reported on a transaction, by SOP Instance UID; the first counts.

    Whatever waits for it is due at once, even what had stalled for want of a commitment. Says
    whether we asked for this transaction.
    """
    asked = tx.execute(
        select(CommitmentAsked).where(CommitmentAsked.transaction_uid == transaction_uid)
    ).all()
    outcomes: dict[int | None, list[int]] = {}
    for row in asked:
        uid = row.sop_instance_uid
        if row.answered_at is None and (uid in failed or uid in committed):
            outcomes.setdefault(failed.get(uid), []).append(row.delivery_id)
    for failure_reason, delivery_ids in outcomes.items():
        tx.execute(
            update(CommitmentAsked)
            .where(
                CommitmentAsked.transaction_uid == transaction_uid,
                CommitmentAsked.delivery_id.in_(delivery_ids),
            )
            .values(answered_at=at, answered_by=by, failure_reason=failure_reason)
        )
        _wake(tx, delivery_ids, at, even_stalled=failure_reason is None)
    return bool(asked)


def asked_about(tx: Transaction, delivery_ids: Sequence[int]) -> dict[int, Asked]:
    """What was asked about the objects of these deliveries since their climbs began."""
    asked = CommitmentAsked
    rows = tx.execute(
        select(
            asked.delivery_id,
            asked.transaction_uid,
            asked.answered_by,
            asked.answered_at,
            asked.failure_reason,
        )
        .join(
            Climb,
            (Climb.delivery_id == asked.delivery_id) & (Climb.beginning == asked.beginning),
        )
        .where(asked.delivery_id.in_(delivery_ids))
        .order_by(asked.delivery_id, asked.asked_at, asked.transaction_uid)
    ).all()
    return {
        number: _summed([row for row in rows if row.delivery_id == number])
        for number in delivery_ids
    }


def _summed(rows: Sequence[Any]) -> Asked:
    committed = [row for row in rows if row.answered_at and row.failure_reason is None]
    answers = [
        Answer(row.transaction_uid, row.answered_by, row.answered_at, row.failure_reason)
        for row in (committed or rows)[-1:]
        if row.answered_at
    ]
    return Asked(len(rows), answers[0] if answers else None)


def _wake(
    tx: Transaction, delivery_ids: Sequence[int], at: datetime, *, even_stalled: bool
) -> None:
    """Make due what waits for an answer."""
    # In one order, as everybody locks them who changes several.
    of_deliveries = select(Climb.id).where(Climb.delivery_id.in_(delivery_ids))
    tx.execute(of_deliveries.order_by(Climb.id).with_for_update())
    states = [ClimbState.CLIMBING, *([ClimbState.STALLED] if even_stalled else [])]
    tx.execute(
        update(Climb)
        .where(
            Climb.delivery_id.in_(delivery_ids),
            Climb.rung == Rung.ACCEPTED,
            Climb.state.in_(states),
        )
        .values(state=ClimbState.CLIMBING, available_at=at, finished_at=None)
    )
