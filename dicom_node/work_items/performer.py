"""Works off work lists until it is stopped, each on a thread of its own."""

import time
from collections.abc import Sequence
from functools import partial
from threading import Event

import structlog

from dicom_node.service import Loops, keep_stepping
from dicom_node.work_items.performing import Performing, WorkListRules
from storage.database.transactions import Database

#: How often the database is asked whether an item is due, in seconds.
_POLL_S = 0.5

log = structlog.get_logger()


class Performer(Loops):
    """The node as the performer of the items of work lists."""

    def __init__(self, work_lists: Sequence[WorkListRules], database: Database) -> None:
        stopping = Event()
        super().__init__(
            stopping,
            {
                f"work-list-{rules.name}": partial(
                    self._run, Performing(rules, database, stopping), rules.interval_s
                )
                for rules in work_lists
            },
        )

    def _run(self, performing: Performing, interval_s: float) -> None:
        find_at = time.monotonic()

        def step() -> bool:
            nonlocal find_at
            if time.monotonic() >= find_at:
                find_at = time.monotonic() + interval_s
                performing.find()
            return performing.step()

        keep_stepping(
            self._stopping,
            step,
            idle_s=_POLL_S,
            on_trouble=lambda code: log.warning("work list waits", peer=performing.name, code=code),
        )
