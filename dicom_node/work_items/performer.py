"""Works off work lists until it is stopped, each on a thread of its own."""

import time
from collections.abc import Sequence
from threading import Event, Thread

import structlog

from dicom_node.work_items.performing import Performing, WorkListRules
from storage.engine import Database

#: How often the database is asked whether an item is due, in seconds.
_POLL_S = 0.5

log = structlog.get_logger()


class Performer:
    """The node as the performer of the items of work lists."""

    def __init__(self, work_lists: Sequence[WorkListRules], database: Database) -> None:
        self._stopping = Event()
        # Daemons: a thread that hangs in the network must not keep a stopped process alive.
        self._threads = [
            Thread(
                target=self._run,
                args=(Performing(rules, database, self._stopping), rules.interval_s),
                name=f"work-list-{rules.name}",
                daemon=True,
            )
            for rules in work_lists
        ]

    def start(self) -> None:
        """Start, first of all with what a killed process left."""
        for thread in self._threads:
            thread.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Let the steps in flight finish within a time; one that was cut off is done again."""
        self._stopping.set()
        deadline = time.monotonic() + grace_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, performing: Performing, interval_s: float) -> None:
        find_at = time.monotonic()
        while not self._stopping.is_set():
            busy = False
            try:
                if time.monotonic() >= find_at:
                    find_at = time.monotonic() + interval_s
                    performing.find()
                busy = performing.step()
            except Exception as exc:  # noqa: BLE001 - the network or the database may be away
                # The type alone: a text may quote a dataset.
                log.warning("work list waits", peer=performing.name, code=type(exc).__name__)
            if not busy:
                self._stopping.wait(_POLL_S)
