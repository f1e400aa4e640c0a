"""The worker process: an engine that runs jobs, and the clock that makes studies complete."""

import os
import signal
import threading

import structlog

from dicom_node.study.clock import Clock
from dicom_node.work.job_runner import JobRunner

_GRACE_S = 20.0

log = structlog.get_logger()


class Worker:
    """Runs the engine and the clock in the background."""

    def __init__(self, engine: JobRunner, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Start both."""
        self._clock.start()
        self._thread.start()

    def stop(self) -> None:
        """Let the job in hand finish; one that takes too long is left to the rescuer."""
        self._engine.stop()
        self._thread.join(_GRACE_S)
        if self._thread.is_alive():
            log.warning("job not finished: its lease must expire")
        self._clock.stop()

    @property
    def unusable(self) -> bool:
        """Whether the engine halted and an operator must act."""
        return self._engine.halted is not None

    def _run(self) -> None:
        self._engine.run()
        if self.unusable:
            os.kill(os.getpid(), signal.SIGTERM)
