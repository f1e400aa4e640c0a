"""What a destination accepts, remembered in the database from one line to the next."""

from datetime import UTC, datetime

import structlog

from dicom_node.delivery.acceptance import Acceptance
from storage.database.transactions import Database
from storage.delivery import destinations
from storage.delivery.outbox import Delivery
from storage.errors import StorageError

log = structlog.get_logger()


class Memory:
    """The memory about one destination; what it said at another `address` is not believed.

    Nothing depends on it but how soon the right rendition is found: while the database is away
    the memory is empty, and nothing is added to it.
    """

    def __init__(self, database: Database, destination: str, address: str) -> None:
        self._database = database
        self._destination = destination
        self._address = address

    def recall(self) -> Acceptance:
        """What is known now."""
        now = datetime.now(UTC)
        try:
            with self._database.read() as tx:
                return Acceptance(destinations.recall(tx, self._destination, self._address), now)
        except StorageError as exc:
            self._warn(exc)
            return Acceptance({}, now)

    def keep(self, before: Acceptance, after: Acceptance) -> None:
        """Write down what a line added."""
        learned = destinations.worth_remembering(before.answers, after.answers)
        if not learned:
            return
        try:
            with self._database.write() as tx:
                destinations.remember(tx, self._destination, self._address, learned)
        except StorageError as exc:
            self._warn(exc)

    def has_later(self, delivery: Delivery) -> bool:
        """Whether the destination has what replaces this object.

        Raises:
            StorageError: the database cannot be asked.
        """
        with self._database.read() as tx:
            return destinations.has_later(tx, delivery)

    def _warn(self, error: StorageError) -> None:
        code = type(error).__name__
        log.warning("destination not remembered", destination=self._destination, code=code)
