"""How many instances an archive says that studies have: whom to ask about, and what it answered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from storage import tables
from storage.database.transactions import Transaction
from storage.states import AnnouncementKind, StepState, StudyState
from storage.studies.announcements import Announcement, replace_archived
from storage.tables import ArchiveCount
from storage.tables.upsert import insert_for


@dataclass(frozen=True, slots=True)
class Question:
    """A study to ask about; `instances` are here, `failures` times in a row nobody answered."""

    study_id: int
    study_instance_uid: str
    instances: int
    failures: int


def studies_to_ask_about(
    tx: Transaction, now: datetime, *, quiet: timedelta, limit: int
) -> list[Question]:
    """Studies that are received, but quiet for a while, and not asked about since they are.

    Where the archive did not answer, the time is up to `record_no_answer`.
    """
    study, count = tables.Study, ArchiveCount
    rows = tx.execute(
        select(study.id, study.study_instance_uid, study.instances, count.failures)
        .outerjoin(count, count.study_id == study.id)
        .where(
            study.state == StudyState.RECEIVING,
            study.last_received_at <= now - quiet,
            or_(
                count.study_id.is_(None),
                (count.ask_at <= now)
                & ((count.asked_at < study.last_received_at) | (count.failures > 0)),
            ),
        )
        .order_by(study.last_received_at, study.id)
        .limit(limit)
    )
    return [Question(*row[:3], row.failures or 0) for row in rows]


def record_count(
    tx: Transaction,
    question: Question,
    archive: str,
    asked_at: datetime,
    instances: int | None,
    named: frozenset[str],
) -> None:
    """Record how many instances an archive has (None: it does not say), and what it named.

    `named` is empty where it has no more than we.
    """
    _set(tx, question, asked_at, instances=instances, failures=0, ask_at=asked_at)
    said = Announcement(
        kind=AnnouncementKind.ARCHIVE,
        sop_instance_uid="",
        state=StepState.COMPLETED,
        instance_uids=named,
        peer=archive,
        at=asked_at,
    )
    replace_archived(tx, said, question.study_id, question.study_instance_uid)


def record_no_answer(
    tx: Transaction, question: Question, asked_at: datetime, ask_at: datetime
) -> None:
    """Record that an archive did not answer, and when it may be asked again."""
    failures = question.failures + 1
    _set(tx, question, asked_at, instances=None, failures=failures, ask_at=ask_at)


def _set(tx: Transaction, question: Question, asked_at: datetime, **answer: Any) -> None:
    """Write down an answer, and have the study judged by it."""
    values = {"asked_at": asked_at, **answer}
    row = insert_for(tx, ArchiveCount).values(study_id=question.study_id, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["study_id"], set_=values))
    study = tables.Study
    tx.execute(update(study).where(study.id == question.study_id).values(look_at=asked_at))
