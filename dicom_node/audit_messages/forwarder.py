"""The forwarder: one thread an audit repository, so one that is away delays nobody else."""

import time
from collections.abc import Sequence
from threading import Event, Thread

from dicom_node.audit_messages.message import AuditSource
from dicom_node.audit_messages.repository import Repository, Teller
from storage.engine import Database


class Forwarder:
    """Tells every repository what happens, until it is stopped.

    `ae_title` is the node's own. An idle thread looks at the database every `poll_s`.
    """

    def __init__(
        self,
        repositories: Sequence[Repository],
        database: Database,
        source: AuditSource,
        ae_title: str,
        *,
        poll_s: float = 1.0,
    ) -> None:
        self._stopping = Event()
        # Daemons: a thread that hangs in the network must not keep a stopped process alive.
        self._threads = [
            Thread(
                target=Teller(item, database, source, ae_title, self._stopping, poll_s).run,
                name=f"audit-{item.name}",
                daemon=True,
            )
            for item in repositories
        ]

    def start(self) -> None:
        """Begin to tell."""
        for thread in self._threads:
            thread.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Finish what is being sent; what was not is told after the next start."""
        self._stopping.set()
        deadline = time.monotonic() + grace_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
