"""Rejections: instances that an IOCM rejection note takes back, whether they came or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, insert, select

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.states import JobState
from storage.studies.revisions import revise
from storage.tables import Rejection, RejectionNote
from storage.tables.upsert import insert_once

#: Codes of the titles (DCM) that take an instance back, weakest first: of several, the last holds.
#: 113039 (retention expired) says nothing about the instance, so it takes nothing back.
TAKING_BACK = ("113001", "113038", "113037")


@dataclass(frozen=True, slots=True)
class Note:
    """One rejection note; `rejected` maps SOP Instance UIDs to the Study Instance UID named.

    A note with `ignored_because` is kept without effect.
    """

    code: str
    rejected: Mapping[str, str]
    ignored_because: str = ""


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note about a study as an admin sees it."""

    code: str
    peer: str
    instances: int
    ignored_because: str
    recorded_at: datetime


def record_note(
    tx: Transaction, instance_id: int, note: Note, at: datetime, pipelines: Sequence[str]
) -> bool:
    """Record the note that an instance is, once.

    Each other complete study that it takes instances from gets a new revision. Its own study was
    reopened by its coming, and takes it in when it is complete.

    Returns:
        whether it was recorded now; False where it is there already.
    """
    is_new = insert_once(
        tx,
        RejectionNote,
        instance_id=instance_id,
        code=note.code,
        ignored_because=note.ignored_because,
        recorded_at=at,
    )
    if not is_new:
        return False
    note_id = tx.execute(
        select(RejectionNote.id).where(RejectionNote.instance_id == instance_id)
    ).scalar_one()
    if note.rejected:
        tx.execute(
            insert(Rejection),
            [
                {"note_id": note_id, "sop_instance_uid": uid, "study_instance_uid": study_uid}
                for uid, study_uid in note.rejected.items()
            ],
        )
    own_study_id = _audit(tx, instance_id, note, at)
    if not note.ignored_because and note.code in TAKING_BACK:
        for study_id in _studies(tx, note_id):
            if study_id != own_study_id:
                revise(tx, study_id, at, pipelines)
    return True


class WaitingNote(NamedTuple):
    """An instance that may be a note nobody has read yet; `digest` names its file."""

    instance_id: int
    digest: str
    peer: str


def waiting_notes(tx: Transaction, sop_class_uid: str) -> list[WaitingNote]:
    """Instances of the class of notes whose `prepare` job, which read them once, has not run."""
    instance, job = tables.Instance, tables.Job
    rows = tx.execute(
        select(instance.id, instance.digest, instance.peer)
        .join(job, job.instance_id == instance.id)
        .outerjoin(RejectionNote, RejectionNote.instance_id == instance.id)
        .where(
            job.state.in_([JobState.QUEUED, JobState.RUNNING]),
            instance.sop_class_uid == sop_class_uid,
            instance.removed_at.is_(None),
            RejectionNote.id.is_(None),
        )
        .distinct()
        .order_by(instance.id)
    )
    return [WaitingNote(*row) for row in rows]


def rejected_in(tx: Transaction, study_id: int) -> dict[str, str]:
    """SOP Instance UID -> code of the strongest reason it is rejected for, in one study."""
    rows = tx.execute(
        select(Rejection.sop_instance_uid, RejectionNote.code)
        .join(RejectionNote, RejectionNote.id == Rejection.note_id)
        .join(tables.Study, tables.Study.study_instance_uid == Rejection.study_instance_uid)
        .where(
            tables.Study.id == study_id,
            RejectionNote.ignored_because == "",
            RejectionNote.code.in_(TAKING_BACK),
        )
    ).all()
    weakest_first = sorted(rows, key=lambda row: TAKING_BACK.index(row.code))
    return {row.sop_instance_uid: row.code for row in weakest_first}


def notes_of(tx: Transaction, study_id: int) -> list[NoteView]:
    """The notes that name instances of a study, in the order they came, ignored ones too."""
    rows = tx.execute(
        select(
            RejectionNote.code,
            tables.Instance.peer,
            func.count(),
            RejectionNote.ignored_because,
            RejectionNote.recorded_at,
        )
        .join(Rejection, Rejection.note_id == RejectionNote.id)
        .join(tables.Instance, tables.Instance.id == RejectionNote.instance_id)
        .join(tables.Study, tables.Study.study_instance_uid == Rejection.study_instance_uid)
        .where(tables.Study.id == study_id)
        .group_by(RejectionNote.id, tables.Instance.peer)
        .order_by(RejectionNote.id)
    )
    return [NoteView(*row) for row in rows]


def ignored_since(tx: Transaction, since: datetime) -> dict[str, int]:
    """Peer -> how many of its notes had no effect since then."""
    rows = tx.execute(
        select(tables.Instance.peer, func.count())
        .join(RejectionNote, RejectionNote.instance_id == tables.Instance.id)
        .where(RejectionNote.ignored_because != "", RejectionNote.recorded_at >= since)
        .group_by(tables.Instance.peer)
        .order_by(tables.Instance.peer)
    )
    return {row[0]: row[1] for row in rows}


def _studies(tx: Transaction, note_id: int) -> list[int]:
    """The studies that a note names and that are here; in one order, so that no two deadlock."""
    study = tables.Study
    return list(
        tx.scalars(
            select(study.id)
            .join(Rejection, Rejection.study_instance_uid == study.study_instance_uid)
            .where(Rejection.note_id == note_id)
            .distinct()
            .order_by(study.id)
        )
    )


def _audit(tx: Transaction, instance_id: int, note: Note, at: datetime) -> int:
    """Leave the event with the study of the note itself; returns that study's id."""
    sent = tx.execute(
        select(
            tables.Instance.study_id, tables.Instance.peer, tables.Instance.sop_instance_uid
        ).where(tables.Instance.id == instance_id)
    ).one()
    applied = not note.ignored_because
    trail.record(
        tx,
        Event(
            action=Action.REJECTION_NOTE_APPLIED if applied else Action.REJECTION_NOTE_IGNORED,
            at=at,
            outcome="success" if applied else "failure",
            peer=sent.peer,
            study_id=sent.study_id,
            sop_instance_uid=sent.sop_instance_uid,
            detail={
                "code": note.code,
                "instances": len(note.rejected),
                **({} if applied else {"reason": note.ignored_because}),
            },
        ),
    )
    return int(sent.study_id)
