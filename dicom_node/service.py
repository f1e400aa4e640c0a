"""The life of one process of the node: start, wait for the signal, stop."""

import os
import signal
import sys
import threading
from typing import Protocol

import structlog

log = structlog.get_logger()


class Service(Protocol):
    """Something that runs in the background until it is stopped."""

    def start(self) -> None:
        """Begin; returns when the service is ready."""

    def stop(self) -> None:
        """Finish or hand back what is in flight, then return."""


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
