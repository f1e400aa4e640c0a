"""What destinations accepted climbs on, each destination on a thread of its own."""

from collections.abc import Sequence
from functools import partial
from threading import Event

import structlog

from dicom_node.delivery.climbing import Climbing
from dicom_node.delivery.ladder import Ladder
from dicom_node.service import Loops, keep_stepping
from storage.database.transactions import Database

log = structlog.get_logger()


class Climber(Loops):
    """Lets the deliveries of some destinations climb until it is stopped.

    An idle thread looks at the database every `poll_s`.
    """

    def __init__(
        self, ladders: Sequence[Ladder], database: Database, *, poll_s: float = 0.5
    ) -> None:
        stopping = Event()
        super().__init__(
            stopping,
            {
                f"climb-{ladder.destination}": partial(
                    self._run, Climbing(ladder, database, stopping)
                )
                for ladder in ladders
            },
        )
        self._poll_s = poll_s

    def _run(self, climbing: Climbing) -> None:
        """Climb until stopped; nothing that happens to one delivery ends the loop."""
        keep_stepping(
            self._stopping,
            climbing.step,
            idle_s=self._poll_s,
            on_trouble=lambda code: log.warning(
                "ladder waits", destination=climbing.destination, code=code
            ),
        )
