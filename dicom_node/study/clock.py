"""The clock: asks all the time which studies are due, and now and then what a kill left behind.

APScheduler only keeps time here; the truth is in the database, where every step is fenced, so
any number of clocks may run at once.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from dicom_node.study.completion import complete_due_studies
from storage import index, jobs, outbox
from storage.engine import Database
from storage.errors import StorageError
from storage.owner import is_dead

_SWEEP_S = 0.5
_RESCUE_S = 15.0

log = structlog.get_logger()


class Clock:
    """Completes studies and rescues abandoned work until it is stopped.

    `on_complete` is called, on the clock's thread, after studies became complete.
    """

    def __init__(
        self, database: Database, pipelines: Sequence[str], on_complete: Callable[[], None]
    ) -> None:
        self._database = database
        self._pipelines = tuple(pipelines)
        self._on_complete = on_complete
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin to tick; the first sweep and the first rescue come at once."""
        now = datetime.now(UTC)
        for task, every_s in ((self._rescue, _RESCUE_S), (self._sweep, _SWEEP_S)):
            self._scheduler.add_job(
                _calmly(task), "interval", seconds=every_s, next_run_time=now, id=task.__name__
            )
        self._scheduler.start()

    def stop(self) -> None:
        """Stop ticking; a sweep that runs is finished."""
        self._scheduler.shutdown(wait=True)

    def _sweep(self) -> None:
        if complete_due_studies(self._database, datetime.now(UTC), self._pipelines):
            self._on_complete()

    def _rescue(self) -> None:
        now = datetime.now(UTC)
        with self._database.write() as tx:
            count = jobs.rescue(tx, now, is_dead) + outbox.rescue(tx, now, is_dead)
            index.lose_dead_associations(tx, is_dead, now)
        if count:
            log.info("abandoned work rescued", count=count)


def _calmly(task: Callable[[], None]) -> Callable[[], None]:
    """A task whose storage errors are logged; the next tick tries again."""

    def run() -> None:
        try:
            task()
        except StorageError:
            log.warning("clock tick failed", exc_info=True)

    return run
