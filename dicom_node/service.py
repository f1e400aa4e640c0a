"""The life of one process of the node: start, wait for the signal, stop."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

log = structlog.get_logger()


class Service(Protocol):
    """Something that runs in the background until it is stopped."""

    def start(self) -> None:
        """Begin; returns when the service is ready."""

    def stop(self) -> None:
        """Finish or hand back what is in flight, then return."""


class Loops:
    """A service of loops that go on until it is stopped, each on a thread of its own.

    A loop returns soon after `stopping` is set.
    """

    def __init__(self, stopping: threading.Event, loops: Mapping[str, Callable[[], None]]) -> None:
        self._stopping = stopping
        # Daemons: a thread that hangs in the network must not keep a stopped process alive.
        self._threads = [
            threading.Thread(target=loop, name=name, daemon=True) for name, loop in loops.items()
        ]

    def start(self) -> None:
        """Start, first of all with what a killed process left."""
        for thread in self._threads:
            thread.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Let the steps in flight finish within a time; what was cut off is done again."""
        self._stopping.set()
        deadline = time.monotonic() + grace_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def keep_stepping(
    stopping: threading.Event,
    step: Callable[[], bool],
    *,
    idle_s: float,
    on_trouble: Callable[[str], object],
) -> None:
    """Take steps until stopped, after one that found nothing to do or failed a while later.

    Nothing that a step meets ends the loop: network or database may be away. `on_trouble` is told
    the type of the error alone, since its text may quote a dataset.
    """
    while not stopping.is_set():
        found = False
        try:
            found = step()
        except Exception as exc:  # noqa: BLE001 - see above
            on_trouble(type(exc).__name__)
        if not found:
            stopping.wait(idle_s)


class Together:
    """Services of one process: started in order, stopped in the opposite one."""

    def __init__(self, *services: Service) -> None:
        self._services = services

    def start(self) -> None:
        """Start them all."""
        for service in self._services:
            service.start()

    def stop(self) -> None:
        """Stop them all."""
        for service in reversed(self._services):
            service.stop()


#: Blocked and waited for: a handler runs only when the main thread comes by, which may have gone
#: to sleep an instant before.
_ENDING = {signal.SIGTERM, signal.SIGINT}


def serve(role: str, service: Service, *, supervised: bool) -> None:
    """Run a service until SIGTERM, SIGINT or, when supervised, the end of the parent."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    if supervised:
        threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    service.start()
    log.info("started", role=role, pid=os.getpid())
    signal.sigwait(_ENDING)
    log.info("stopping", role=role)
    service.stop()
    log.info("stopped", role=role)


def _end_with_parent() -> None:
    """Standard input is a pipe from the supervisor: when that dies, the pipe ends."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
