"""Keeping a rejection note that came with a study, with effect where its sender may reject."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from dicom_node.intake.rejection_note import RejectionNote
from storage.corrections import rejections
from storage.database.engine import Transaction

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NoteKeeper:
    """Keeps rejection notes; only those of the peers in `may_reject`, by name, have an effect."""

    may_reject: frozenset[str] = frozenset()

    def keep(
        self,
        tx: Transaction,
        instance_id: int,
        note: RejectionNote,
        pipelines: Sequence[str],
        now: datetime,
    ) -> None:
        """Keep a note once, however often its instance is looked at.

        Raises:
            storage.errors.NotFoundError: no such instance.
        """
        peer = rejections.sender_of(tx, instance_id)
        ignored_because = note.problem
        if not ignored_because and peer not in self.may_reject:
            ignored_because = "its sender may not reject"
        kept = rejections.Note(
            instance_id=instance_id,
            code=note.reason.value,
            rejected=note.rejected,
            ignored_because=ignored_because,
            recorded_at=now,
        )
        if rejections.record_note(tx, kept, pipelines) and ignored_because:
            log.warning("rejection note ignored", peer=peer, reason=ignored_because)
