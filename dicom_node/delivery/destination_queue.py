"""The queue of one destination: what is due goes out, a batch over one association."""

from collections import deque
from collections.abc import Sequence
from threading import Event

import structlog

from dicom_node.delivery.alternatives import best_accepted, refused_by, renditions
from dicom_node.delivery.claims import Claims
from dicom_node.delivery.destination import Destination
from dicom_node.delivery.policy import Outcome
from dicom_node.scu.errors import NoAcceptedContextError, ScuError
from dicom_node.scu.outgoing import OutgoingObject
from dicom_node.scu.storing import StoreAssociation
from storage.outbox import Delivery
from storage.spool import Spool

#: Deliveries sent over one association before the outbox is asked again.
BATCH = 16

Offer = tuple[Delivery, tuple[OutgoingObject, ...]]

log = structlog.get_logger()


class DestinationQueue:
    """Works off one destination until told to stop; `poll_s` bounds its sleep when idle."""

    def __init__(
        self,
        destination: Destination,
        claims: Claims,
        spool: Spool,
        stopping: Event,
        poll_s: float,
    ) -> None:
        self._destination = destination
        self._claims = claims
        self._spool = spool
        self._stopping = stopping
        self._poll_s = poll_s
        self._association: StoreAssociation | None = None

    def run(self) -> None:
        """Deliver until stopped; nothing that happens to one delivery ends the loop."""
        while not self._stopping.is_set():
            try:
                self._claims.rescue()
                due_in_s = self._claims.due_in_s()
                if due_in_s is not None and due_in_s <= 0:
                    self._deliver(self._claims.take(BATCH))
                else:
                    self._stopping.wait(min(due_in_s or self._poll_s, self._poll_s))
            except Exception as exc:  # noqa: BLE001 - the database may be away: wait and go on
                # The type alone: a text may quote a dataset.
                code = type(exc).__name__
                log.warning("delivery waits", destination=self._destination.name, code=code)
                self._stopping.wait(self._poll_s)

    def renew(self) -> None:
        """From another thread: keep what is held, however long a send takes."""
        self._claims.renew()

    def interrupt(self) -> None:
        """From another thread: cut the connection of a send that does not end."""
        if association := self._association:
            association.interrupt()

    def _deliver(self, claimed: Sequence[Delivery]) -> None:
        waiting: deque[Offer] = deque()
        for delivery in claimed:
            try:
                waiting.append((delivery, renditions(delivery, self._spool)))
            except Exception as exc:  # noqa: BLE001 - the policy decides about every error
                self._claims.conclude(delivery, exc)
        if waiting:
            self._send_all(waiting)

    def _send_all(self, waiting: deque[Offer]) -> None:
        """Send over one association; what it did not come to is handed back."""
        objects = [item for _, renditions in waiting for item in renditions]
        self._association = StoreAssociation(self._destination.node, objects)
        try:
            with self._association as association:
                self._send_over(association, waiting)
        except ScuError as exc:
            if not self._stopping.is_set():
                self._opening_failed(exc, waiting)
        finally:
            self._association = None
        for delivery, _ in waiting:
            self._claims.hand_back(delivery)

    def _send_over(self, association: StoreAssociation, waiting: deque[Offer]) -> None:
        while waiting and association.is_open and not self._stopping.is_set():
            delivery, offered = waiting[0]
            if not self._claims.still_holds(delivery):
                waiting.popleft()
                continue
            outcome = self._attempt(association, offered)
            if self._stopping.is_set() and isinstance(outcome, ScuError):
                return  # we cut it off ourselves
            self._claims.conclude(delivery, outcome)
            waiting.popleft()

    def _attempt(
        self, association: StoreAssociation, offered: tuple[OutgoingObject, ...]
    ) -> Outcome:
        try:
            return association.send(best_accepted(association, offered, self._destination.node))
        except Exception as exc:  # noqa: BLE001 - the policy decides about every error
            return exc

    def _opening_failed(self, error: ScuError, waiting: deque[Offer]) -> None:
        """Without an association, every delivery of the batch shares its outcome."""
        while waiting:
            delivery, offered = waiting.popleft()
            refused = isinstance(error, NoAcceptedContextError)
            outcome = refused_by(self._destination.node, offered) if refused else error
            self._claims.conclude(delivery, outcome)
