"""A thread that does one thing every few seconds."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Heartbeat:
    """Calls something every so many seconds in a thread of its own, until it is stopped."""

    def __init__(self, beat: Callable[[], None], every_s: float) -> None:
        self._beat = beat
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scp-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the last beat is over."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._beat()
            except Exception:  # the next beat must come whatever befell this one
                log.exception("heartbeat failed")
