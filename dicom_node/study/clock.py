"""The clock: asks all the time which studies are due, and now and then what a kill left behind.

APScheduler only keeps time here; the truth is in the database, where every step is fenced, so
any number of clocks may run at once. It goes by the time of day, and would not tick for an hour
that is set back: a thread that does not goes beside it and looks out for that.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from socket import gethostname

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from dicom_node.study.completing import complete_due_studies
from dicom_node.study.decision import Rules
from dicom_node.study.wall_clock import WallClock
from storage.audit.seals import seal_new
from storage.clock.readings import TimeOfDay
from storage.database.owner import is_dead
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.errors import StorageError
from storage.studies import refused_instances
from storage.studies.announcements import forget_unclaimed
from storage.studies.associations import lose_dead_associations
from storage.work import jobs, roster

_SWEEP_S = 0.5
_RESCUE_S = 15.0
_ENROL_S = 15.0
_SEAL_S = 1.0
_SEAL_LATE_COMERS_S = 600.0
_FORGET_S = 3600.0
#: What was announced so long ago will not come.
_ANNOUNCED_IN_VAIN = timedelta(days=30)
#: After a jump of the clock nothing is forgotten for this long.
_CONFIRMED_AFTER = timedelta(days=1)

log = structlog.get_logger()


class Clock:
    """Completes studies, rescues abandoned work and seals the audit until it is stopped.

    `on_complete` is called, on the clock's thread, after studies became complete. When the time of
    day jumps, what waits is moved along before anything is judged by the new time. `chores` are run
    in addition, each at its interval in seconds. `ask_archive` has a thread of its own, since an
    archive may answer slowly. `place` identifies the worker that runs these `pipelines`; empty: the
    name of this machine.
    """

    def __init__(
        self,
        database: Database,
        pipelines: Sequence[str],
        on_complete: Callable[[], None],
        wall: WallClock | None = None,
        chores: Sequence[tuple[Callable[[], None], float]] = (),
        rules: Rules | None = None,
        ask_archive: Callable[[], None] | None = None,
        place: str = "",
    ) -> None:
        self._database = database
        self._pipelines = tuple(pipelines)
        self._place = place or gethostname()
        self._on_complete = on_complete
        self._chores = tuple(chores)
        self._rules = rules or Rules()
        self._ask_archive = ask_archive
        self._wall = wall or WallClock(database)
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # Chores may take their time: nobody's report waits for them.
            executors={"default": ThreadPoolExecutor(1), "chores": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin to tick; the first sweep and the first rescue come at once.

        Before anything is judged, the clock is held against the last known time.
        """
        _calmly(self._look)()
        now = datetime.now(UTC)
        for task, every_s in (
            (self._enrol, _ENROL_S),
            (self._rescue, _RESCUE_S),
            (self._sweep, _SWEEP_S),
            (self._seal, _SEAL_S),
            (self._seal_late_comers, _SEAL_LATE_COMERS_S),
            (self._forget, _FORGET_S),
        ):
            self._scheduler.add_job(
                _calmly(task), "interval", seconds=every_s, next_run_time=now, id=task.__name__
            )
        for chore, every_s in self._chores:
            self._scheduler.add_job(_calmly(chore), "interval", seconds=every_s, executor="chores")
        self._scheduler.start()
        self._repeat(self._look, "clock-watch")
        if self._ask_archive is not None:
            self._repeat(self._ask_archive, "clock-archive")

    def stop(self) -> None:
        """Stop ticking; a sweep that runs is finished."""
        self._stopping.set()
        self._scheduler.shutdown(wait=True)

    def _enrol(self) -> None:
        """Say that this worker runs its pipelines; other machines queue work by that."""
        now = self._look().at
        with self._database.write() as tx:
            roster.run_here(tx, self._place, self._pipelines, now)

    def _sweep(self) -> None:
        time = self._look()
        if not time.in_step:
            return  # by a time that another machine does not share, studies would be judged wrong
        with self._database.read() as tx:
            pipelines = roster.pipelines(tx, self._pipelines, time.at)
        if complete_due_studies(self._database, time.at, pipelines, self._rules):
            self._on_complete()

    def _rescue(self) -> None:
        now = self._look().at
        with self._database.write() as tx:
            count = jobs.rescue(tx, now, is_dead) + outbox.rescue(tx, now, is_dead)
            lose_dead_associations(tx, is_dead, now)
        if count:
            log.info("abandoned work rescued", count=count)

    def _seal(self) -> None:
        seal_new(self._database, datetime.now(UTC))

    def _seal_late_comers(self) -> None:
        seal_new(self._database, datetime.now(UTC), thorough=True)

    def _forget(self) -> None:
        time = self._look()
        if not time.is_confirmed(_CONFIRMED_AFTER):
            return
        with self._database.write() as tx:
            forget_unclaimed(tx, time.at - _ANNOUNCED_IN_VAIN)
            refused_instances.forget_unclaimed(tx, time.at - _ANNOUNCED_IN_VAIN)

    def _look(self) -> TimeOfDay:
        """The time to judge by; where the clock has jumped, all that waits was moved along."""
        time = self._wall.look()
        if time.has_jumped:
            for task in self._scheduler.get_jobs():
                task.modify(next_run_time=datetime.now(UTC))
        return time

    def _repeat(self, task: Callable[[], object], name: str) -> None:
        """Do something all the time on a thread of its own, which nobody waits for at the end."""
        run = _calmly(task)

        def repeat() -> None:
            while not self._stopping.wait(_SWEEP_S):
                run()

        threading.Thread(target=repeat, name=name, daemon=True).start()


def _calmly(task: Callable[[], object]) -> Callable[[], None]:
    """A task whose storage errors are logged; the next tick tries again."""

    def run() -> None:
        try:
            task()
        except StorageError:
            log.warning("clock tick failed", exc_info=True)

    return run
