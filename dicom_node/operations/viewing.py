"""Who looked: every look at patients' data leaves an audit event with the user."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from storage.audit import trail
from storage.database.transactions import Database, Transaction
from storage.reading.browse import find_study


@contextmanager
def looking(
    database: Database,
    who: str,
    command: str,
    *,
    study: str | None = None,
    study_id: int | None = None,
    patient_id: str | None = None,
    accession_number: str | None = None,
    **criteria: str | int | None,
) -> Iterator[Transaction]:
    """A consistent look at the database, recorded before anything is read.

    Either at one `study`, by its UID, accession number or id, or at all that meets the criteria.

    Raises:
        NotFoundError: no such study; nobody has seen anything.
    """
    with database.write() as tx:
        if study is not None:
            study_id = find_study(tx, study)
        event = trail.Event(
            action=trail.Action.DATA_VIEWED,
            at=datetime.now(UTC),
            actor=who,
            study_id=study_id,
            patient_id=patient_id,
            accession_number=accession_number,
            detail={"command": command, **{k: v for k, v in criteria.items() if v is not None}},
        )
        trail.record(tx, event)
    with database.read() as tx:
        yield tx
