"""How long a worker rests while something that every job needs is away."""

import threading

import structlog

from dicom_node.policy import Wait, explain

log = structlog.get_logger()


class Pauses:
    """Rests as the policy says, longer each time where it says so; told at its begin and end."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._wanted: Wait | None = None
        self._code = ""
        self._times = 0

    def want(self, wait: Wait) -> None:
        """Rest after the step in hand."""
        self._wanted = wait

    def rest(self) -> None:
        """Rest if that is wanted; otherwise what was away is back."""
        wait, self._wanted = self._wanted, None
        if wait is None:
            if self._times:
                log.info("work goes on", code=self._code, count=self._times)
            self._code, self._times = "", 0
            return
        if wait.code != self._code:
            log.error("work pauses", code=wait.code, reason=explain(wait.code))
            self._times = 0
        self._code = wait.code
        self._times += 1
        grown_s = wait.after_s * 2.0 ** min(self._times - 1, 16)
        self._stopping.wait(max(wait.after_s, min(grown_s, wait.longest_s)))
