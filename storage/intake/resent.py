"""An instance that was sent again with other bytes: what is recorded and what follows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row

from storage.alarms import about_studies
from storage.audit.trail import Action
from storage.corrections import ordered
from storage.corrections.ordered import Identification
from storage.database.transactions import Transaction
from storage.intake.received import Receipt, Received, Resent, audit_received
from storage.keeping import removal
from storage.states import AlarmKind
from storage.studies.orders import Order
from storage.tables import InstanceConflict
from storage.tables.upsert import insert_once


def with_other_bytes(
    tx: Transaction,
    received: Received,
    stored: Row[int, int, str, datetime | None],
    pipelines: Sequence[str],
) -> Receipt:
    """Record an instance whose UID is here with other bytes; `stored` is the row of those."""
    found = received.resent or Resent()
    study_id, peer, at = stored.study_id, received.peer, received.received_at
    if found.is_same or _is_known(tx, study_id, found):
        removal.queue(tx, [received.digest])  # nobody will ask for the other bytes
        audit_received(tx, Action.INSTANCE_DUPLICATE, received, study_id, detail=found.detail())
        return Receipt.SAME_CONTENT
    insert_once(
        tx,
        InstanceConflict,
        instance_id=stored.id,
        digest=received.digest,
        size_bytes=received.size_bytes,
        peer=peer,
        association_id=received.association_id,
        received_at=at,
    )
    if found.corrects and received.may_correct:
        _correct(tx, study_id, found, peer=peer, at=at, pipelines=pipelines)
        audit_received(tx, Action.INSTANCE_EDITED, received, study_id, detail=found.detail())
        return Receipt.CORRECTED
    if found.edited:
        _alarm(tx, study_id, found, peer=peer, at=at)
    audit_received(
        tx, Action.INSTANCE_CONFLICT, received, study_id, outcome="failure", detail=found.detail()
    )
    return Receipt.CONFLICT


def _is_known(tx: Transaction, study_id: int, resent: Resent) -> bool:
    """Whether a correction says already what an edited instance says."""
    standing = ordered.standing_of(tx, study_id).identification
    return bool(resent.corrects) and all(
        standing.get(name) == value for name, value in resent.corrects.items()
    )


def _correct(
    tx: Transaction,
    study_id: int,
    resent: Resent,
    *,
    peer: str,
    at: datetime,
    pipelines: Sequence[str],
) -> None:
    """Take what an edited instance says as a correction of its study, by order of its sender."""
    order = Order(
        actor=f"peer {peer}",
        at=at,
        reason="sent again with corrected values",
        pipelines=pipelines,
    )
    ordered.correct_identification(tx, study_id, Identification(**resent.corrects), order)


def _alarm(tx: Transaction, study_id: int, resent: Resent, *, peer: str, at: datetime) -> None:
    """Raise an alarm: the node cannot decide which of the two is right."""
    names = ", ".join(resent.edited)
    about = f"{peer} sent instances again with other values of {names}; the first values are kept"
    about_studies.raise_alarm(tx, study_id, AlarmKind.EDITED, about, at)
