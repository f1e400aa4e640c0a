"""Remove a patient's data for good, and prove it afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dicom_node.errors import OrderError
from dicom_node.study.wall_clock import clock_standing
from storage.corrections import ordered
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.keeping import purge as purging
from storage.keeping import removal
from storage.keeping.purge import Proof, Purged
from storage.studies import anchors


@dataclass(frozen=True, slots=True)
class PurgeDone:
    """What was removed; `files_waiting` will be deleted within an hour.

    `log_waits`: the database's log still holds deleted rows, until a purge while the node is idle.
    """

    purged: Sequence[Purged]
    files_waiting: int
    log_waits: bool


def studies_meant(database: Database, key: str | None, patient_id: str | None) -> Sequence[int]:
    """The numbers of the study with this UID or id, or of all studies of a patient.

    Raises:
        NotFoundError: no such study.
        OrderError: the patient has none here.
    """
    with database.read() as tx:
        if patient_id is None:
            return [ordered.study_id_of(tx, key or "")]
        found = purging.studies_of(tx, patient_id)
    if not found:
        raise OrderError("this patient has no study here")
    return found


def purge(
    database: Database,
    spool: Spool,
    studies: Sequence[int],
    *,
    who: str,
    reason: str,
    force: bool = False,
) -> PurgeDone:
    """Remove studies for good; with `force` also while they are received, analysed or sent.

    Raises:
        OrderError: no reason is given.
        StudyBusyError: one is in work; those before it are removed.
    """
    if not reason.strip():
        raise OrderError("give a reason: it is kept for ever")
    done = [
        _purge(database, number, studies, who=who, reason=reason, force=force) for number in studies
    ]
    waiting = _remove_files(database, spool)
    return PurgeDone(done, waiting, not purging.forget_deleted(database))


def proofs(database: Database, study_instance_uid: str) -> Sequence[Proof]:
    """The proof that a study was purged; it names nobody."""
    with database.read() as tx:
        return purging.proofs(tx, study_instance_uid)


def _purge(
    database: Database, number: int, studies: Sequence[int], *, who: str, reason: str, force: bool
) -> Purged:
    """Purge one of some studies; what it took part in, and stays, is reported again without it."""
    now = datetime.now(UTC)
    with database.write() as tx:
        rested_on_it = anchors.anchors_of(tx, number)
        staying = [found for found in rested_on_it if found[0] not in studies]
        done = purging.purge_study(tx, number, actor=who, reason=reason, now=now, force=force)
        anchors.revise_anchors(tx, staying, now)
    return done


def _remove_files(database: Database, spool: Spool) -> int:
    """Remove what may go at once; how many files are left to the node."""
    time_of_day, set_by = clock_standing(database)
    is_steady = time_of_day is None or (not set_by and time_of_day.is_steady(removal.YOUNG))
    with removal.holding(spool) as ours:
        if ours and is_steady:
            removal.remove_queued(database, spool, datetime.now(UTC))
    return removal.waiting(database)
