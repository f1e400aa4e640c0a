"""How instances that we fetched ourselves come into the index: as an association brought them."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from dicom_node.intake.keeping import Origin
from dicom_node.scp.heartbeat import Heartbeat
from storage.database.owner import this_process
from storage.database.transactions import Database
from storage.states import Ending
from storage.studies.associations import (
    Association,
    close_association,
    open_association,
    touch_associations,
)

_HEARTBEAT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Whose instances they are, and how long a study of theirs must be quiet to be complete.

    `archive` is the peer of origin; the AE titles are empty for a DICOMweb service. `quiet_s` is
    in seconds. With `may_reject` its rejection notes have an effect.
    """

    database: Database
    archive: str
    own_ae_title: str
    its_ae_title: str
    address: str
    quiet_s: float
    may_reject: bool = False

    @contextmanager
    def bringing(self, received_bytes: Callable[[], int]) -> Iterator[Origin]:
        """An association's row for the length of a block; while bytes come, studies are not due.

        Raises:
            storage.errors.StorageError: it cannot be written; nothing may be brought.
        """
        association_id = uuid.uuid4().hex
        with self.database.write() as tx:
            open_association(tx, self._row(association_id))
        heartbeat = Heartbeat(self._beat(association_id, received_bytes), _HEARTBEAT_S)
        heartbeat.start()
        ending = Ending.ABORTED
        try:
            yield Origin(association_id, self.archive, self.quiet_s, may_reject=self.may_reject)
            ending = Ending.RELEASED
        finally:
            heartbeat.stop()
            with self.database.write() as tx:
                at = datetime.now(UTC)
                close_association(tx, association_id, ending, at)

    def _beat(self, association_id: str, received_bytes: Callable[[], int]) -> Callable[[], None]:
        seen = 0

        def beat() -> None:
            nonlocal seen
            before, seen = seen, received_bytes()
            if seen != before:
                with self.database.write() as tx:
                    touch_associations(tx, {association_id: datetime.now(UTC)})

        return beat

    def _row(self, association_id: str) -> Association:
        return Association(
            association_id=association_id,
            peer=self.archive,
            calling_aet=self.own_ae_title,
            called_aet=self.its_ae_title,
            address=self.address,
            owner=this_process(),
            opened_at=datetime.now(UTC),
        )
