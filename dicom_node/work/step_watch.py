"""Steps of pipelines that do not come back: their time limit, and what ends them.

No thread can be ended from outside, so the process is: the supervisor starts another. What hung has
used up an attempt, and is given up after as many as any job has.
"""

import faulthandler
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from inference.errors import PipelineUnusableError
from storage.work.jobs import Job

#: Exit status of a worker that was ended because a step hung.
HUNG = 4
#: How often to look, as a share of the limit, and at the longest.
_SHARE, _LONGEST_S = 0.1, 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """A call of a pipeline that has not come back."""

    jobs: Sequence[Job]
    name: str
    begun_at: float

    @property
    def pipeline(self) -> str:
        """Whose step it is."""
        return self.jobs[0].pipeline


class StepWatch:
    """Knows which steps run, and ends the process when one has run for more than `limit_s`.

    Code that holds Python's interpreter lock stops this watch too. With `last_resort` the C library
    ends the process then, after twice the limit.
    """

    def __init__(
        self,
        limit_s: float,
        end: Callable[[], object] = lambda: os._exit(HUNG),
        *,
        last_resort: bool = False,
    ) -> None:
        self.limit_s = limit_s
        self._end = end
        self._last_resort = last_resort
        self._running: dict[int, Step] = {}

    @contextmanager
    def step(self, name: str, jobs: Sequence[Job]) -> Iterator[None]:
        """A step of some jobs of one pipeline; several may run at once, on other threads.

        Raises:
            PipelineUnusableError: it tried to end the process.
        """
        step = Step(jobs, name, time.monotonic())
        self._running[id(step)] = step
        try:
            yield
        except SystemExit as error:
            why = f"its step {name} tried to end the process"
            raise PipelineUnusableError(step.pipeline, why) from error
        finally:
            del self._running[id(step)]

    def watch_until(
        self, stopped: threading.Event, let_go: Callable[[Sequence[Job]], object]
    ) -> None:
        """Look at the steps until one hangs: then let go of the jobs, and end the process.

        `let_go` gets the jobs whose step hangs.
        """
        every_s = min(_SHARE * self.limit_s, _LONGEST_S)
        while not stopped.wait(every_s):
            if self._last_resort:
                faulthandler.dump_traceback_later(2 * self.limit_s, exit=True)
            if hung := self._hung():
                let_go([job for step in hung for job in step.jobs])
                self._end()
                break
        if self._last_resort:
            faulthandler.cancel_dump_traceback_later()

    def _hung(self) -> list[Step]:
        latest = time.monotonic() - self.limit_s
        hung = [step for step in list(self._running.values()) if step.begun_at < latest]
        for step in hung:
            log.error(
                "step did not return: worker restarts",
                step=step.name,
                pipeline=step.pipeline,
                job=step.jobs[0].id,
                study=step.jobs[0].study_id,
                count=len(step.jobs),
                duration_s=time.monotonic() - step.begun_at,
            )
        return hung
