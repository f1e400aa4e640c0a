"""That a process of the node started and stopped, as the audit has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog

from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.owner import this_process
from storage.database.transactions import Database
from storage.errors import StorageError

log = structlog.get_logger()


@contextmanager
def recorded(database: Database, role: str) -> Iterator[None]:
    """Record the beginning and the end of a block; a process that is killed leaves no end.

    A database that is away is no reason not to run.
    """
    _record(database, Action.NODE_STARTED, role)
    try:
        yield
    finally:
        _record(database, Action.NODE_STOPPED, role)


def _record(database: Database, action: Action, role: str) -> None:
    event = Event(action=action, at=datetime.now(UTC), actor=this_process(), detail={"role": role})
    try:
        with database.write() as tx:
            trail.record(tx, event)
    except StorageError as error:
        log.warning("start or stop not recorded", role=role, exc_info=error)
