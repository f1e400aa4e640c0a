"""The forwarder: one thread an audit repository, so one that is away delays nobody else."""

from collections.abc import Sequence
from threading import Event

from dicom_node.audit_messages.message import AuditSource
from dicom_node.audit_messages.repository import Repository, Teller
from dicom_node.service import Loops
from storage.database.transactions import Database


class Forwarder(Loops):
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
        stopping = Event()
        super().__init__(
            stopping,
            {
                f"audit-{item.name}": Teller(item, database, source, ae_title, stopping, poll_s).run
                for item in repositories
            },
        )
