"""Group commit: instances that are ready at the same time share one transaction and its sync."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from inference.registry import quiet_s, readers
from storage.database.transactions import Database, Transaction
from storage.errors import DatabaseUnavailableError, StorageFullError
from storage.files.spool import Settling
from storage.intake.instances import record_instance
from storage.intake.received import Receipt, Received
from storage.work import roster


class _Waiting:
    """An instance to record and, once its commit was tried, what came of it."""

    def __init__(self, received: Received) -> None:
        self.received = received
        self.outcome: Receipt | Exception | None = None


class Recorder:
    """Records received instances; safe to share by threads.

    It has no thread of its own: the first caller commits at once; instances that arrive meanwhile
    are committed together by the first of them. A single instance never waits. All pipelines of
    the site that read its class get work, those that the settings of this machine name and those
    of others.
    """

    def __init__(self, database: Database, pipelines: Sequence[str]) -> None:
        self._database = database
        self._pipelines = tuple(pipelines)
        readers(self._pipelines, "")  # their packages are imported here, not at the first instance
        self._waiting: deque[_Waiting] = deque()
        self._committing = threading.Lock()

    def record(self, received: Received, settling: Settling) -> Receipt:
        """Record an instance whose file is becoming durable; returns after both are.

        Raises:
            storage.errors.StorageError: it is not recorded.
        """
        if self._committing.acquire(blocking=False):
            try:
                return self._record_alone(received, settling)
            finally:
                self._committing.release()
        settling.wait()
        return self._record_together(received)

    def _record_alone(self, received: Received, settling: Settling) -> Receipt:
        """Nobody else is at it: the database works while the disk does, and commits after it."""
        with self._database.write() as tx:
            receipt = self._recorded(tx, received, self._site(tx, received))
            settling.wait()
        return receipt

    def _site(self, tx: Transaction, received: Received) -> Sequence[str]:
        """All pipelines that work is queued for."""
        return roster.pipelines(tx, self._pipelines, received.received_at)

    @staticmethod
    def _recorded(tx: Transaction, received: Received, site: Sequence[str]) -> Receipt:
        """An instance whose pipelines need less quiet than its peer's does not wait for that."""
        enough_s = quiet_s(site, received.sop_class_uid)
        if enough_s is not None:
            received = replace(received, quiet_s=min(received.quiet_s, enough_s))
        return record_instance(tx, received, site, readers(site, received.sop_class_uid))

    def _record_together(self, received: Received) -> Receipt:
        mine = _Waiting(received)
        self._waiting.append(mine)
        with self._committing:
            if mine.outcome is None:
                self._commit(self._take())
        if isinstance(mine.outcome, Receipt):
            return mine.outcome
        raise mine.outcome or RuntimeError("an instance was forgotten")

    def _take(self) -> list[_Waiting]:
        """All that wait, in an order that is the same in every process: no two can deadlock."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        return sorted(
            taken, key=lambda one: (one.received.study_instance_uid, one.received.sop_instance_uid)
        )

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            with self._database.write() as tx:
                site = self._site(tx, batch[0].received)
                receipts = [self._recorded(tx, one.received, site) for one in batch]
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for it
            if len(batch) == 1 or isinstance(error, DatabaseUnavailableError | StorageFullError):
                for one in batch:
                    one.outcome = error
            else:  # one of them is to blame, and the others shall not suffer
                for one in batch:
                    self._commit([one])
            return
        for one, receipt in zip(batch, receipts, strict=True):
            one.outcome = receipt
