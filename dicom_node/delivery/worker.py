"""The deliverer: one queue and one thread per destination, so a dead peer delays nobody else."""

import time
from collections.abc import Sequence
from threading import Event, Thread

import structlog

from dicom_node.delivery.claims import Claims
from dicom_node.delivery.destination import Destination
from dicom_node.delivery.destination_queue import DestinationQueue
from dicom_node.delivery.memory import Memory
from dicom_node.delivery.ways import transport_to
from storage.database.transactions import Database
from storage.files.spool import Spool

#: How long an interrupted send may take to hand back what it holds.
_HAND_BACK_S = 5.0

log = structlog.get_logger()


class Deliverer:
    """Sends what the outbox holds for the given destinations.

    `owner` names this process in claims (`storage.database.owner.this_process`). A claim lasts
    `lease_s` and is renewed by a thread of its own, however long a send takes. An idle queue looks
    at the database every `poll_s`.
    """

    def __init__(
        self,
        destinations: Sequence[Destination],
        database: Database,
        spool: Spool,
        *,
        owner: str,
        lease_s: float = 60.0,
        poll_s: float = 0.2,
    ) -> None:
        self._stopping = Event()
        self._lease_s = lease_s
        self._queues = {
            destination.name: DestinationQueue(
                destination,
                transport_to(destination.node),
                Claims(
                    destination,
                    database,
                    self._stopping,
                    owner=owner,
                    lease_s=lease_s,
                    poll_s=poll_s,
                ),
                Memory(database, destination.name, str(destination.node)),
                spool,
                self._stopping,
                poll_s,
            )
            for destination in destinations
        }
        # Daemons: a thread that hangs in the network must not keep a stopped process alive.
        self._threads = [
            Thread(target=queue.run, name=f"deliver-{name}", daemon=True)
            for name, queue in self._queues.items()
        ]
        self._threads.append(Thread(target=self._renew, name="deliver-lease", daemon=True))

    def start(self) -> None:
        """Start delivering, first of all what a killed process left."""
        for thread in self._threads:
            thread.start()
        log.info("delivery started", count=len(self._queues))

    def stop(self, grace_s: float = 10.0) -> None:
        """Let the object in flight finish, cut it off after `grace_s`, hand back the rest."""
        self._stopping.set()
        self._join(grace_s)
        for queue in self._queues.values():
            queue.interrupt()
        self._join(_HAND_BACK_S)
        log.info("delivery stopped")

    def _renew(self) -> None:
        while not self._stopping.wait(self._lease_s / 3):
            for queue in self._queues.values():
                queue.renew()

    def _join(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
