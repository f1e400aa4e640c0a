"""Periodic retry of instances that could not be analysed for want of files, memory or a worker."""

from datetime import UTC, datetime

import structlog

from dicom_node.retry_decision import LIES_IN_THE_INSTANCE
from storage.database.transactions import Database
from storage.studies.preparing import give_second_chances as requeue

#: How often to look, in seconds.
SECOND_CHANCES_EVERY_S = 60.0

log = structlog.get_logger()


def give_second_chances(database: Database) -> None:
    """Queue them again; a study is reported again when its instance has been analysed.

    Raises:
        storage.errors.StorageError: the database is away.
    """
    with database.write() as tx:
        count = requeue(tx, datetime.now(UTC), LIES_IN_THE_INSTANCE)
    if count:
        log.info("failed instances are tried again", count=count)
