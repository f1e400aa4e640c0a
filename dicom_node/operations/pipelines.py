"""Which pipelines workers run, and removal of one that none runs."""

from collections.abc import Sequence
from datetime import UTC, datetime

from storage.database.transactions import Database
from storage.work import roster
from storage.work.roster import Place


def list_pipelines(database: Database) -> Sequence[Place]:
    """The pipelines that workers ran, and where."""
    with database.read() as tx:
        return roster.places(tx)


def forget(database: Database, who: str, name: str) -> int:
    """Remove a pipeline that no worker runs any more; how many waiting jobs are given up.

    Raises:
        StudyBusyError: a worker runs it.
    """
    with database.write() as tx:
        return roster.forget(tx, name, who, datetime.now(UTC))
