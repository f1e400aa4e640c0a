"""`echonode run`: the processes of a node as children, restarted when they die."""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import structlog

from dicom_node.errors import PortTakenError

#: Exit status of a supervised listener that cannot have its port.
PORT_TAKEN = 3
_PORT_TRIES = 3
_FIRST_RESTART_S = 0.5
_LONGEST_RESTART_S = 30.0
_STEADY_S = 60.0
_GRACE_S = 30.0
_POLL_S = 0.1

log = structlog.get_logger()


@dataclass(slots=True)
class _Child:
    role: str
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    restart_at: float = field(default=0.0)
    was_steady: bool = False


class Supervisor:
    """Keeps its children alive until it is stopped: listeners, a worker, a deliverer.

    A child that cannot run, without a sound bundle say, is tried again at longer and longer
    intervals; the others go on: receiving never depends on analysing. Where another process holds
    the port from the beginning, that is another node, and this one ends.
    """

    def __init__(self, config: Path, listeners: int = 1) -> None:
        self._config = config
        roles = [*["listen"] * listeners, "work", "deliver"]
        self._children = [_Child(role) for role in roles]
        self._stopped_by: signal.Signals | None = None

    def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            PortTakenError: another process has held the node's port since this one began.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            while self._stopped_by is None:
                for child in self._children:
                    self._tend(child)
                time.sleep(_POLL_S)
            log.info("stopping", signal=self._stopped_by.name)
        finally:
            self._end_all()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        # No more than this: a handler may interrupt whoever holds a lock or writes the log.
        self._stopped_by = signal.Signals(number)

    def _tend(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.restart_at:
                self._start(child)
            return
        status = child.process.poll()
        if status is None:
            return
        child.process = None
        if now - child.started_at > _STEADY_S:
            child.failures, child.was_steady = 0, True
        child.failures += 1
        if status == PORT_TAKEN and not child.was_steady and child.failures >= _PORT_TRIES:
            raise PortTakenError("the port is taken: is this node running already?")
        delay_s = min(_FIRST_RESTART_S * 2 ** (child.failures - 1), _LONGEST_RESTART_S)
        child.restart_at = now + delay_s
        log.error("process died", role=child.role, status=status, delay_s=delay_s)

    def _start(self, child: _Child) -> None:
        """Start a child whose standard input is a pipe: it ends when this process does."""
        command = [sys.executable, "-m", "dicom_node", child.role, "--config", str(self._config)]
        child.process = subprocess.Popen(  # noqa: S603 - our own program and a path
            [*command, "--supervised"], stdin=subprocess.PIPE
        )
        child.started_at = time.monotonic()
        log.info("process started", role=child.role, pid=child.process.pid)

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _GRACE_S
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.exception("process did not stop in time", pid=process.pid)
                process.kill()
                process.wait()
