"""How long a worker pauses while something that every job needs is unavailable."""

import threading

import structlog

from dicom_node.retry_decision import Wait, explain

log = structlog.get_logger()


class Pauses:
    """Pauses as the policy says, longer each time where it says so; logs the first and the last."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._wanted: Wait | None = None
        self._code = ""
        self._times = 0

    def want(self, wait: Wait) -> None:
        """Pause after the current step."""
        self._wanted = wait

    def rest(self) -> None:
        """Pause if that is wanted; otherwise the cause is over."""
        wait, self._wanted = self._wanted, None
        if wait is None:
            if self._times:
                log.info("work resumed", code=self._code, count=self._times)
            self._code, self._times = "", 0
            return
        if wait.code != self._code:
            log.error("work paused", code=wait.code, reason=explain(wait.code))
            self._times = 0
        self._code = wait.code
        self._times += 1
        grown_s = wait.after_s * 2.0 ** min(self._times - 1, 16)
        self._stopping.wait(max(wait.after_s, min(grown_s, wait.longest_s)))
