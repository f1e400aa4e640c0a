"""Who looked: every command that prints a patient's data leaves an audit event with the user."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from dicom_node import app
from dicom_node.settings import Settings
from storage import audit
from storage.engine import Transaction


@contextmanager
def looking(settings: Settings, command: str, study_id: int | None = None) -> Iterator[Transaction]:
    """A consistent look at the database, recorded before anything is read."""
    database = app.open_database(settings)
    try:
        with database.write() as tx:
            event = audit.Event(
                action=audit.Action.DATA_VIEWED,
                at=datetime.now(UTC),
                actor=getpass.getuser(),
                study_id=study_id,
                detail={"command": command},
            )
            audit.record(tx, event)
        with database.read() as tx:
            yield tx
    finally:
        database.close()
