"""The worker process: a job runner, and the clock that makes studies complete."""

import os
import signal
import threading

import structlog

from dicom_node.study.clock import Clock
from dicom_node.work.job_runner import JobRunner

_GRACE_S = 20.0

log = structlog.get_logger()


class Worker:
    """Runs the job runner and the clock in the background."""

    def __init__(self, runner: JobRunner, clock: Clock) -> None:
        self._runner = runner
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Start both."""
        self._clock.start()
        self._thread.start()

    def stop(self) -> None:
        """Let the job in hand finish; one that takes too long is left to the rescuer."""
        self._runner.stop()
        self._thread.join(_GRACE_S)
        if self._thread.is_alive():
            log.warning("job not finished: its lease must expire")
        self._clock.stop()

    @property
    def unusable(self) -> bool:
        """Whether the runner halted and an operator must act."""
        return self._runner.halted is not None

    def _run(self) -> None:
        self._runner.run()
        if self.unusable:
            os.kill(os.getpid(), signal.SIGTERM)
