"""Rejection notes, told from other instances as they arrive, whatever way they come."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from dicom_node.intake.rejection_note import REJECTION_NOTE_CLASS, read_rejection_note
from inference.dicom.header import read_header
from inference.errors import InstanceUnreadableError
from storage.corrections import rejections
from storage.corrections.rejections import Note
from storage.database.transactions import Database
from storage.errors import SpoolDamagedError
from storage.files.spool import Spool

log = structlog.get_logger()


def note_in(file: Path, sop_class_uid: str, *, may_reject: bool) -> Note | None:
    """The rejection note that an instance is; None where it is none or cannot be read.

    It has no effect unless its sender `may_reject`.

    Raises:
        OSError: the file cannot be read.
    """
    if sop_class_uid != REJECTION_NOTE_CLASS:
        return None
    try:
        note = read_rejection_note(read_header(file))
    except InstanceUnreadableError:
        return None
    if note is None:
        return None
    denied = "" if may_reject else "its sender may not reject"
    return Note(note.reason.value, note.rejected, note.problem or denied)


def tell_ignored(note: Note, peer: str) -> None:
    """Log that a note that was recorded has no effect, if so."""
    if note.ignored_because:
        log.warning("rejection note ignored", peer=peer, reason=note.ignored_because)


def read_waiting_notes(
    database: Database, spool: Spool, may_reject: Collection[str], pipelines: Sequence[str]
) -> None:
    """Read the notes that a version before 0.6.0 received and left to a job that has not run.

    `may_reject` are the peers whose notes have an effect, by name.

    Raises:
        storage.errors.StorageError: the database or the spool is away.
    """
    with database.read() as tx:
        waiting = rejections.waiting_notes(tx, REJECTION_NOTE_CLASS)
    for instance_id, digest, peer in waiting:
        note = None
        try:
            with spool.reading(digest) as path:
                note = note_in(path, REJECTION_NOTE_CLASS, may_reject=peer in may_reject)
        except SpoolDamagedError as error:
            log.warning("rejection note cannot be read", peer=peer, exc_info=error)
        if note is not None:
            with database.write() as tx:
                rejections.record_note(tx, instance_id, note, datetime.now(UTC), pipelines)
            tell_ignored(note, peer)
