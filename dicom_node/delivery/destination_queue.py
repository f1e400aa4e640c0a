"""The queue of one destination: what is due goes out, a batch over one line."""

from collections import Counter, deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from threading import Event

import structlog

from dicom_node.delivery.acceptance import Acceptance
from dicom_node.delivery.alternatives import offer_of
from dicom_node.delivery.attempt_outcome import Outcome
from dicom_node.delivery.best_rendition import is_of_object
from dicom_node.delivery.claims import Claims
from dicom_node.delivery.destination import Destination
from dicom_node.delivery.errors import OvertakenError
from dicom_node.delivery.memory import Memory
from dicom_node.delivery.transport import Line, Offer, Transport
from storage.delivery.outbox import Delivery
from storage.files.spool import Spool

#: Deliveries sent over one line before the outbox is asked again.
BATCH = 16

#: Of these kinds the destination keeps what came last, so that an earlier one must not follow.
_IN_ORDER = frozenset({"ORU"})

Waiting = deque[tuple[Delivery, Offer]]

log = structlog.get_logger()


class DestinationQueue:
    """Works off one destination until told to stop; `poll_s` bounds its sleep when idle."""

    def __init__(
        self,
        destination: Destination,
        transport: Transport,
        claims: Claims,
        memory: Memory,
        spool: Spool,
        stopping: Event,
        poll_s: float,
    ) -> None:
        self._destination = destination
        self._transport = transport
        self._claims = claims
        self._memory = memory
        self._spool = spool
        self._stopping = stopping
        self._poll_s = poll_s
        #: How often deliveries that go on were refused. Forgotten with the process: then later.
        self._refusals: Counter[int] = Counter()

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
        self._transport.interrupt()

    def _deliver(self, claimed: Sequence[Delivery]) -> None:
        waiting: Waiting = deque()
        for delivery in claimed:
            try:
                waiting.append((delivery, offer_of(delivery, self._spool)))
            except Exception as exc:  # noqa: BLE001 - the policy decides about every error
                self._claims.conclude(delivery, exc)
        if waiting:
            known = self._memory.recall()
            taken = replace(known)
            self._send_all(waiting, taken)
            self._memory.keep(known, taken)

    def _send_all(self, waiting: Waiting, taken: Acceptance) -> None:
        """Send over one line; what it did not come to is handed back."""
        with ExitStack() as stack:
            try:
                offers = [offer for _, offer in waiting]
                line = stack.enter_context(self._transport.open(offers, taken))
            except Exception as exc:  # noqa: BLE001 - the policy decides about every error
                self._opening_failed(exc, waiting)
            else:
                self._send_over(line, waiting)
        for delivery, _ in waiting:
            self._claims.hand_back(delivery)

    def _send_over(self, line: Line, waiting: Waiting) -> None:
        while waiting and line.is_open and not self._stopping.is_set():
            delivery, offer = waiting[0]
            if not self._claims.still_holds(delivery):
                waiting.popleft()
                continue
            outcome = self._attempt(line, delivery, offer)
            if self._stopping.is_set() and isinstance(outcome, Exception):
                return  # we may have cut it off ourselves
            goes_on = self._claims.conclude(delivery, outcome)
            if not goes_on:
                del self._refusals[delivery.id]
            elif is_of_object(outcome):
                self._refusals[delivery.id] += 1
            waiting.popleft()

    def _opening_failed(self, error: Exception, waiting: Waiting) -> None:
        """Without a line, every delivery of the batch shares its outcome."""
        while waiting and not self._stopping.is_set():
            delivery, _ = waiting.popleft()
            self._claims.conclude(delivery, error)

    def _attempt(self, line: Line, delivery: Delivery, offer: Offer) -> Outcome:
        try:
            if delivery.kind in _IN_ORDER and self._memory.has_later(delivery):
                return OvertakenError("the destination has a later message about the same study")
            return line.send(replace(offer, refusals=self._refusals[delivery.id]))
        except Exception as exc:  # noqa: BLE001 - the policy decides about every error
            return exc
