"""The jobs that this process holds: claimed, kept under lease, and always let go of."""

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from dicom_node.retry_decision import Decision, Fail, Forget, Halt, Retry, Wait
from storage.database.transactions import Database, Transaction
from storage.errors import StorageError
from storage.states import Backfill, JobKind
from storage.work import jobs
from storage.work.jobs import Job

log = structlog.get_logger()

_HANDED_BACK = Wait(0.0, "")


class Holding:
    """Claims jobs of some pipelines for `lease_s` and renews what is held until it is let go of."""

    def __init__(
        self, database: Database, owner: str, lease_s: float, pipelines: Collection[str]
    ) -> None:
        self._database = database
        self._owner = owner
        self._pipelines = tuple(pipelines)
        self._lease_s = lease_s
        self._held: dict[int, Job] = {}

    @property
    def held(self) -> list[Job]:
        """What is held now."""
        return list(self._held.values())

    def claim(
        self,
        limit: int,
        kinds: Sequence[JobKind] = jobs.URGENCY,
        lanes: Sequence[Backfill | None] = jobs.LANES,
    ) -> list[Job]:
        """Claim what is due, live work first, the first kind first.

        To each preparation that was not tried before come those of the other pipelines, beyond
        `limit`.

        Raises:
            storage.errors.StorageError: the database is away; nothing is held.
        """
        now, lease_s, pipelines = now_utc(), self._lease_s, self._pipelines
        with self._database.write() as tx:
            claimed = jobs.claim(
                tx,
                owner=self._owner,
                now=now,
                lease_s=lease_s,
                limit=limit,
                kinds=kinds,
                lanes=lanes,
                pipelines=pipelines,
            )
            if len(pipelines) > 1:
                fresh = [job for job in claimed if job.attempt == 1]
                claimed += jobs.claim_beside(
                    tx, fresh, owner=self._owner, now=now, lease_s=lease_s, pipelines=pipelines
                )
        self._held |= {job.id: job for job in claimed}
        return claimed

    def let_go(self, job: Job, change: Callable[[Transaction], None]) -> None:
        """End the hold on a job with one commit.

        Raises:
            storage.errors.StorageError: nothing was written; the rescuer will find the job.
        """
        try:
            with self._database.write() as tx:
                change(tx)
        finally:
            self._held.pop(job.id, None)

    def hand_back(self, held: Sequence[Job]) -> None:
        """Queue jobs again that were not finished; no attempt counts."""
        for job in held:
            self.record(job, _HANDED_BACK, "")

    def record(self, job: Job, decision: Decision, message: str) -> None:
        """Write down what follows from a failure; what cannot be written is left to the rescuer."""
        now = now_utc()

        def change(tx: Transaction) -> None:
            match decision:
                case Fail(code):
                    jobs.fail(tx, job, at=now, code=code, message=message)
                case Retry(after_s, code):
                    later = now + timedelta(seconds=after_s)
                    jobs.retry(tx, job, at=now, available_at=later, code=code, message=message)
                case Wait() | Halt():
                    jobs.hand_back(tx, job, now)
                case Forget():
                    pass

        try:
            self.let_go(job, change)
        except StorageError:
            log.warning("job not released: its lease must expire", job=job.id, exc_info=True)

    def renew_until(self, stopped: threading.Event) -> None:
        """Renew all leases, each in its own commit, every third of a lease."""
        while not stopped.wait(self._lease_s / 3):
            for job in self.held:
                self._renew(job)

    def _renew(self, job: Job) -> None:
        try:
            with self._database.write() as tx:
                jobs.renew(tx, [job], now_utc(), self._lease_s)
        except StorageError:
            if job.id in self._held:
                log.warning("lease not renewed", job=job.id, exc_info=True)


def now_utc() -> datetime:
    """The time that claims are reckoned in."""
    return datetime.now(UTC)
