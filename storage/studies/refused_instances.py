"""Instances that were refused and not sent again: the study's report and list name them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select, update

from storage import tables
from storage.database.transactions import Transaction
from storage.tables import RefusedInstance
from storage.tables.upsert import insert_for, table_of

_refused = table_of(RefusedInstance)
_FORGET = delete(_refused).where(_refused.c.sop_instance_uid == bindparam("uid"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One instance that is not here because it was refused; `status` is of its C-STORE."""

    sop_instance_uid: str
    peer: str
    status: int
    reason: str
    times: int
    refused_at: datetime


def remember(
    tx: Transaction,
    *,
    sop_instance_uid: str,
    study_instance_uid: str,
    peer: str,
    status: int,
    reason: str,
    at: datetime,
) -> None:
    """Remember a refusal, unless the instance is here already; an empty study is not known."""
    instance, study = tables.Instance, tables.Study
    if tx.scalar(select(instance.id).where(instance.sop_instance_uid == sop_instance_uid)):
        return
    study_id = tx.scalar(select(study.id).where(study.study_instance_uid == study_instance_uid))
    changing = {"peer": peer, "status": status, "reason": reason, "refused_at": at}
    row = insert_for(tx, RefusedInstance).values(
        sop_instance_uid=sop_instance_uid,
        study_instance_uid=study_instance_uid,
        study_id=study_id,
        times=1,
        **changing,
    )
    tx.execute(
        row.on_conflict_do_update(
            index_elements=["sop_instance_uid"],
            set_={"times": RefusedInstance.times + 1, **changing},
        )
    )


def forget(tx: Transaction, sop_instance_uid: str) -> None:
    """The instance has come."""
    tx.execute(_FORGET, {"uid": sop_instance_uid})


def do_without(tx: Transaction, study_id: int) -> None:
    """Forget what was refused of a study: nobody waits for it."""
    tx.execute(delete(RefusedInstance).where(RefusedInstance.study_id == study_id))


def claim(tx: Transaction, study_id: int, study_instance_uid: str) -> None:
    """Take what was refused before a study was opened for it."""
    row = RefusedInstance
    tx.execute(
        update(row)
        .where(row.study_instance_uid == study_instance_uid, row.study_id.is_(None))
        .values(study_id=study_id)
    )


def forget_unclaimed(tx: Transaction, before: datetime) -> None:
    """Forget what was refused before a time of studies that never came."""
    row = RefusedInstance
    tx.execute(delete(row).where(row.study_id.is_(None), row.refused_at < before))


def refused_of(tx: Transaction, study_id: int) -> Sequence[Refused]:
    """What of a study was refused and has not come, in the order of the UIDs."""
    row = RefusedInstance
    rows = tx.execute(
        select(row.sop_instance_uid, row.peer, row.status, row.reason, row.times, row.refused_at)
        .where(row.study_id == study_id)
        .order_by(row.sop_instance_uid)
    )
    return [Refused(**each._asdict()) for each in rows]


def unclaimed(tx: Transaction) -> int:
    """How many refused instances belong to no study that is here."""
    row = RefusedInstance
    return tx.execute(select(func.count()).where(row.study_id.is_(None))).scalar_one()
