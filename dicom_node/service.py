"""The life of one process of the node: start, wait for the signal, stop."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import structlog

log = structlog.get_logger()


class Service(Protocol):
    """Something that runs in the background until it is stopped."""

    def start(self) -> None:
        """Begin; returns when the service is ready."""

    def stop(self) -> None:
        """Finish or hand back what is in flight, then return."""


def serve(role: str, service: Service, *, supervised: bool) -> None:
    """Run a service until SIGTERM, SIGINT or, when supervised, the end of the parent."""
    stopping = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    if supervised:
        _stop_with_parent(stopping.set)
    service.start()
    log.info("started", role=role, pid=os.getpid())
    stopping.wait()
    log.info("stopping", role=role)
    service.stop()
    log.info("stopped", role=role)


def _stop_with_parent(stop: Callable[[], None]) -> None:
    """Standard input is a pipe from the supervisor: when that dies, the pipe ends."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        stop()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
