"""What waits to be sent on an association, bounded.

pynetdicom queues a whole object before its first byte leaves: memory would grow with the object,
and the wait for the answer would begin while most of it is still here.
"""

from queue import Queue
from typing import Any

from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA

#: 8 MiB at the largest PDU that is met in practice.
MAXIMUM_PDUS = 64


class Backlog(Queue[Any]):
    """Takes the place of pynetdicom's queue; who adds data waits while it is full."""

    def __init__(self, reactor: DULServiceProvider) -> None:
        super().__init__()
        self._reactor = reactor

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add a primitive; control primitives, such as an abort, never wait."""
        with self.not_full:
            while isinstance(item, P_DATA) and self._qsize() >= MAXIMUM_PDUS:
                if not self._reactor.is_alive():
                    return  # nobody will send it; the wait for the response then tells why
                self.not_full.wait(0.1)
        super().put(item, block, timeout)
