"""One destination's hold on the outbox: claimed, renewed, and always concluded.

A crash between sending and concluding means that the same bytes with the same UID are sent again,
which a receiver recognises; never that something is lost.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event

import structlog

from dicom_node.delivery.attempt_outcome import (
    AWAY,
    NEVER_REACHED,
    Failed,
    Outcome,
    RetryAt,
    Sent,
    decide,
)
from dicom_node.delivery.backoff import retry_delay_s
from dicom_node.delivery.destination import Destination
from dicom_node.delivery.waking import Waking
from storage.database.owner import is_dead
from storage.database.transactions import Database, Transaction
from storage.delivery import ladder, outbox
from storage.delivery.outbox import Delivery
from storage.errors import (
    ClaimLostError,
    DatabaseUnavailableError,
    StorageError,
    StorageFullError,
)
from storage.states import Rung

#: A delivery of a dead machine is taken over at most a tenth of a lease after its lease ended.
_RESCUES_PER_LEASE = 10

log = structlog.get_logger()


class Claims:
    """The outbox rows of one destination, as one thread works them off.

    A claim that is not renewed within `lease_s` is given to somebody else. While the database is
    away, conclusions wait for it, asking every `poll_s`, until `stopping` is set.
    """

    def __init__(
        self,
        destination: Destination,
        database: Database,
        stopping: Event,
        *,
        owner: str,
        lease_s: float,
        poll_s: float,
    ) -> None:
        self._destination = destination
        self._database = database
        self._stopping = stopping
        self._owner = owner
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._rescue_due_s = 0.0
        self._renewed_s = 0.0
        self._held: dict[int, Delivery] = {}
        self._waking = Waking()

    def due_in_s(self) -> float | None:
        """Seconds until the next delivery is due, 0 or less for now; None where there is none."""
        with self._database.read() as tx:
            due_at = outbox.next_available_at(tx, self._destination.name)
        return None if due_at is None else (due_at - _now()).total_seconds()

    def take(self, limit: int) -> Sequence[Delivery]:
        """Claim what is due."""
        self._renewed_s = time.monotonic()
        with self._database.write() as tx:
            claimed = outbox.claim(
                tx,
                destination=self._destination.name,
                owner=self._owner,
                now=_now(),
                lease_s=self._lease_s,
                limit=limit,
            )
        self._held = {delivery.id: delivery for delivery in claimed}
        return claimed

    def renew(self) -> None:
        """Extend the lease of all that is held, each in its own commit; forget what is lost.

        For another thread, while an object is on its way.
        """
        started_s = time.monotonic()
        for delivery in list(self._held.values()):
            try:
                with self._database.write() as tx:
                    outbox.renew(tx, [delivery], _now(), self._lease_s)
            except ClaimLostError:
                if self._held.pop(delivery.id, None):
                    log.warning("claim lost", destination=self._destination.name)
            except StorageError as error:
                code = type(error).__name__
                log.warning("lease not renewed", destination=self._destination.name, code=code)
                return
        self._renewed_s = started_s

    def still_holds(self, delivery: Delivery) -> bool:
        """Whether a delivery is still ours; asks again where this process was paused for long."""
        if time.monotonic() >= self._renewed_s + self._lease_s:
            self.renew()
        return delivery.id in self._held

    def conclude(self, delivery: Delivery, outcome: Outcome) -> bool:
        """Write down, in a transaction of its own, what follows; whether it is tried again."""
        self._held.pop(delivery.id, None)
        now = _now()
        decision = decide(
            outcome,
            attempt=delivery.attempt,
            now=now,
            expires_at=delivery.expires_at,
            delay_s=self._delay_s,
        )
        about = log.bind(
            destination=self._destination.name, kind=delivery.kind, attempt=delivery.attempt
        )
        match decision:
            case Sent(uid, status):
                self._waking.sent(delivery.id)
                self._write(lambda tx: self._accepted(tx, delivery, now, uid, status))
                about.info("delivery sent", status=status)
            case RetryAt(again_at, code, message):
                self._waking.failed(delivery.id, never_reached=code in NEVER_REACHED)
                self._write(
                    lambda tx: outbox.retry(
                        tx, delivery, at=now, available_at=again_at, code=code, message=message
                    )
                )
                about.warning("delivery retry", code=code, delay_s=(again_at - now).total_seconds())
            case Failed(code, message):
                self._waking.ended(delivery.id)
                self._write(
                    lambda tx: outbox.fail(tx, delivery, at=now, code=code, message=message)
                )
                about.error("delivery failed", code=code)
        return isinstance(decision, RetryAt)

    def hand_back(self, delivery: Delivery) -> None:
        """Return what was not attempted; it is due at once and no attempt is counted."""
        self._held.pop(delivery.id, None)
        self._write(lambda tx: outbox.hand_back(tx, delivery, _now()))

    def rescue(self) -> None:
        """Give back what dead processes and expired leases hold, looked for ten times a lease."""
        if time.monotonic() < self._rescue_due_s:
            return
        with self._database.write() as tx:
            count = outbox.rescue(tx, _now(), is_dead)
        self._rescue_due_s = time.monotonic() + self._lease_s / _RESCUES_PER_LEASE
        if count:
            log.info("deliveries rescued", count=count)

    def _accepted(
        self, tx: Transaction, delivery: Delivery, at: datetime, uid: str, status: int
    ) -> None:
        """The destination has the object, so it says; where that is not enough, it climbs on.

        It is not away: what waits for it waits no longer.
        """
        outbox.mark_sent(tx, delivery, at=at, sop_instance_uid=uid, status=status)
        destination = self._destination
        outbox.wake(tx, destination.name, at, AWAY, self._waking.not_woken)
        ladder.wake(tx, destination.name, at, AWAY)
        if destination.climb_to is not Rung.ACCEPTED:
            ladder.begin(
                tx,
                delivery.id,
                destination=destination.name,
                goal=destination.climb_to,
                at=at,
                expires_at=at + timedelta(seconds=destination.maximum_age_s),
            )

    def _write(self, change: Callable[[Transaction], object]) -> None:
        """Commit a change, however long the database is away."""
        while True:
            try:
                with self._database.write() as tx:
                    change(tx)
            except ClaimLostError:
                log.warning("claim lost", destination=self._destination.name)
            except (DatabaseUnavailableError, StorageFullError) as exc:
                code = type(exc).__name__
                log.warning("storage away", destination=self._destination.name, code=code)
                if not self._stopping.wait(self._poll_s):
                    continue
            return

    def _delay_s(self, attempt: int) -> float:
        return retry_delay_s(
            attempt, self._destination.first_retry_s, self._destination.maximum_retry_s
        )


def _now() -> datetime:
    return datetime.now(UTC)
