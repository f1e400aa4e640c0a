"""Instances: what was received, and what that means for their studies."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, case, func, insert, or_, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.corrections.rejections import record_note
from storage.database.transactions import Transaction
from storage.errors import NotFoundError
from storage.intake.received import Receipt, Received, audit_received
from storage.intake.resent import with_other_bytes
from storage.keeping import retention
from storage.person_names import name_key
from storage.states import StudyState
from storage.studies import named_patients, preparing, refused_instances
from storage.studies.announcements import claim_announcements
from storage.studies.completeness import SETTLING
from storage.tables.upsert import each_dialect, insert_once, table_of
from storage.work import jobs

# Built once: an instance costs a dozen statements, and building one costs more than running it.
_instance, _study_table, _carried, _announcement, _announced = (
    table_of(model)
    for model in (
        tables.Instance,
        tables.Study,
        tables.AssociationStudy,
        tables.Announcement,
        tables.AnnouncedInstance,
    )
)
_STORED = select(
    _instance.c.id, _instance.c.study_id, _instance.c.digest, _instance.c.removed_at
).where(_instance.c.sop_instance_uid == bindparam("uid"))
_OURS = (
    select(tables.ResultObject.id)
    .where(tables.ResultObject.sop_instance_uid == bindparam("uid"))
    .limit(1)
)
_LOCKED_STUDY = (
    select(_study_table)
    .where(_study_table.c.study_instance_uid == bindparam("uid"))
    .with_for_update(key_share=True)
)
_IS_WAITED_FOR = (
    select(_announced.c.announcement_id)
    .join(_announcement, _announcement.c.id == _announced.c.announcement_id)
    .where(
        _announcement.c.study_id == _study_table.c.id,
        _announced.c.sop_instance_uid == bindparam("uid"),
    )
    .exists()
)
#: The clock looks soon at a study that begins again, or that may be whole now. Any other that it
#: finds still receiving when it looks is looked at again in time.
_TOUCH = (
    update(_study_table)
    .where(_study_table.c.id == bindparam("touched"))
    .values(
        look_at=case(
            (
                or_(_study_table.c.state == StudyState.COMPLETE, _IS_WAITED_FOR),
                bindparam("settled_at", type_=_study_table.c.look_at.type),
            ),
            else_=_study_table.c.look_at,
        )
    )
)
_INSERT = insert(_instance).returning(_instance.c.id)
_CARRY = each_dialect(
    _carried,
    lambda row: row.on_conflict_do_update(
        index_elements=[_carried.c.association_id, _carried.c.study_id],
        set_={
            "instances": _carried.c.instances + 1,
            # What it brought before may need more quiet than what it brings now.
            "quiet_s": case(
                (row.excluded.quiet_s > _carried.c.quiet_s, row.excluded.quiet_s),
                else_=_carried.c.quiet_s,
            ),
            "last_received_at": row.excluded.last_received_at,
        },
    ),
)


def record_instance(
    tx: Transaction,
    received: Received,
    pipelines: Sequence[str],
    readers: Sequence[str] | None = None,
) -> Receipt:
    """Record an instance with all that follows: its study, its jobs and its audit events.

    Its association must have been opened. A new instance opens its study, keeps it receiving, or
    reopens it, and queues one `prepare` job for each of the `pipelines` that reads it; None: all.
    """
    _take_turn(tx, received.sop_instance_uid)
    stored = tx.execute(_STORED, {"uid": received.sop_instance_uid}).first()
    if stored is not None:
        return _repeated(tx, received, stored, pipelines)
    if _is_ours(tx, received.sop_instance_uid):
        audit_received(tx, Action.OWN_RESULT_RETURNED, received)
        return Receipt.OWN_RESULT
    study = _study(tx, received)
    differs = named_patients.join_study(tx, study.id, received.patient)
    _touch(tx, study, received, differs)
    if not study.instances:
        refused_instances.claim(tx, study.id, received.study_instance_uid)
        claim_announcements(tx, study.id, received.study_instance_uid)
    _carry(tx, study.id, received)
    instance_id = _insert(tx, study.id, received, differs)
    looking = pipelines if readers is None else readers
    jobs.queue_prepare(tx, study.id, instance_id, received.received_at, looking)
    refused_instances.forget(tx, received.sop_instance_uid)
    audit_received(tx, Action.INSTANCE_STORED, received, study.id)
    if received.note is not None:
        record_note(tx, instance_id, received.note, received.received_at, pipelines)
    if differs:
        audit_received(tx, Action.PATIENT_DIFFERS, received, study.id, outcome="failure")
    return Receipt.STORED


def record_refusal(  # noqa: PLR0913 - each is one thing that is known of it
    tx: Transaction,
    *,
    at: datetime,
    peer: str,
    address: str,
    association_id: str | None,
    sop_instance_uid: str | None,
    status: int,
    reason: str,
    study_instance_uid: str = "",
    is_missing: bool = True,
) -> None:
    """Record that an instance was refused; `status` is the C-STORE status that was answered.

    It counts as missing until it comes, unless it is none that its sender might send.
    """
    if sop_instance_uid and is_missing:
        refused_instances.remember(
            tx,
            sop_instance_uid=sop_instance_uid,
            study_instance_uid=study_instance_uid,
            peer=peer,
            status=status,
            reason=reason,
            at=at,
        )
    trail.record(
        tx,
        Event(
            action=Action.INSTANCE_REFUSED,
            at=at,
            outcome="failure",
            peer=peer,
            address=address,
            association_id=association_id,
            sop_instance_uid=sop_instance_uid,
            detail={"status": f"0x{status:04X}", "reason": reason},
        ),
    )


def _take_turn(tx: Transaction, sop_instance_uid: str) -> None:
    """Let two transactions with one UID pass in turn, so that the second sees the first.

    SQLite lets only one writer in anyway.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(sop_instance_uid, 0))))


def _repeated(
    tx: Transaction,
    received: Received,
    stored: Row[int, int, str, datetime | None],
    pipelines: Sequence[str],
) -> Receipt:
    if stored.digest == received.digest:
        if stored.removed_at is not None:
            retention.is_back(tx, stored.study_id, stored.id)
        preparing.retry_instance(tx, stored.id, received.received_at)
        audit_received(tx, Action.INSTANCE_DUPLICATE, received, stored.study_id)
        return Receipt.DUPLICATE
    if received.resent is None and received.may_compare and stored.removed_at is None:
        return Receipt.TO_COMPARE
    return with_other_bytes(tx, received, stored, pipelines)


def _is_ours(tx: Transaction, sop_instance_uid: str) -> bool:
    return tx.scalar(_OURS, {"uid": sop_instance_uid}) is not None


def _study(tx: Transaction, received: Received) -> Row[Any]:
    """The study of an instance, made if it is new, locked until the transaction ends."""
    found = _locked_study(tx, received.study_instance_uid)
    if found is not None:
        return found
    opened = insert_once(
        tx,
        tables.Study,
        study_instance_uid=received.study_instance_uid,
        patient_id=received.patient_id,
        patient_name=received.patient_name,
        patient_name_key=name_key(received.patient_name),
        accession_number=received.accession_number,
        study_date=received.study_date,
        study_time=received.study_time,
        issuer_of_patient_id=received.issuer_of_patient_id,
        patient_birth_date=received.patient_birth_date,
        patient_sex=received.patient_sex,
        patient_conflict=False,
        state=StudyState.RECEIVING,
        revision=0,
        instances=0,
        opened_at=received.received_at,
        last_received_at=received.received_at,
        revision_began_at=received.received_at,
        look_at=received.received_at + SETTLING,
    )
    study = _locked_study(tx, received.study_instance_uid)
    if study is None:
        raise NotFoundError("a study vanished while an instance of it was recorded")
    if opened:
        audit_received(tx, Action.STUDY_OPENED, received, study.id)
    return study


def _locked_study(tx: Transaction, study_instance_uid: str) -> Row[Any] | None:
    return tx.execute(_LOCKED_STUDY, {"uid": study_instance_uid}).first()


def _touch(tx: Transaction, study: Row[Any], received: Received, differs: bool) -> None:
    """Count a new instance in, and keep its study receiving or make it so again."""
    changes: dict[str, Any] = {} if differs else named_patients.completed(study, received.patient)
    if study.state is StudyState.COMPLETE:
        changes["revision_began_at"] = received.received_at
        audit_received(tx, Action.STUDY_REOPENED, received, study.id)
    tx.execute(
        _TOUCH,
        {
            "touched": study.id,
            "uid": received.sop_instance_uid,
            "settled_at": received.received_at + SETTLING,
            "state": StudyState.RECEIVING,
            "instances": study.instances + 1,
            "last_received_at": max(study.last_received_at, received.received_at),
            "patient_conflict": study.patient_conflict or differs,
            "removed_at": None,
            **changes,
        },
    )


def _carry(tx: Transaction, study_id: int, received: Received) -> None:
    """Record that this association carries this study."""
    tx.execute(
        _CARRY[tx.dialect.name],
        {
            "association_id": received.association_id,
            "study_id": study_id,
            "instances": 1,
            "quiet_s": received.quiet_s,
            "first_received_at": received.received_at,
            "last_received_at": received.received_at,
        },
    )


def _insert(tx: Transaction, study_id: int, received: Received, differs: bool) -> int:
    return int(
        tx.execute(
            _INSERT,
            {
                "study_id": study_id,
                "sop_class_uid": received.sop_class_uid,
                "sop_instance_uid": received.sop_instance_uid,
                "series_instance_uid": received.series_instance_uid,
                "transfer_syntax_uid": received.transfer_syntax_uid,
                "modality": received.modality,
                "instance_number": received.instance_number,
                "patient_differs": differs,
                "names_patient": bool(received.patient_id),
                "digest": received.digest,
                "size_bytes": received.size_bytes,
                "peer": received.peer,
                "association_id": received.association_id,
                "received_at": received.received_at,
            },
        ).scalar_one()
    )


def digest_of_uid(tx: Transaction, sop_instance_uid: str) -> str | None:
    """The digest that the spool keeps an instance under; None: there is none of this UID."""
    stored = tx.execute(_STORED, {"uid": sop_instance_uid}).first()
    return None if stored is None else str(stored.digest)


def instance_digest(tx: Transaction, instance_id: int) -> str:
    """The digest that the spool keeps an instance under.

    Raises:
        NotFoundError: no such instance.
    """
    digest = tx.scalar(select(tables.Instance.digest).where(tables.Instance.id == instance_id))
    if digest is None:
        raise NotFoundError(f"no instance {instance_id}")
    return str(digest)


def instance_peer(tx: Transaction, instance_id: int) -> str:
    """The name of the peer that sent an instance first.

    Raises:
        NotFoundError: no such instance.
    """
    peer = tx.scalar(select(tables.Instance.peer).where(tables.Instance.id == instance_id))
    if peer is None:
        raise NotFoundError(f"no instance {instance_id}")
    return str(peer)
