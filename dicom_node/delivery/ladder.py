"""The ladder: what destinations accepted climbs on, each destination on a thread of its own."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

import structlog

from dicom_node.delivery.climbing import Climbing
from dicom_node.scu.peer import RemoteNode
from dicom_node.service import Loops, keep_stepping
from storage.database.engine import Database

LookIn = Callable[[str, str], Collection[str]]
"""(Study Instance UID, Series Instance UID) -> the SOP Instance UIDs that an archive names."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """How the deliveries to one destination climb.

    `node` is asked for commitment, None where it cannot be; `archive` names the archive that
    `look_in` asks. What is not reported within `report_timeout_s` is asked for again; for
    `linger_s` the association that asked stays open for a report. What is sent once more expires
    after `maximum_age_s`.
    """

    destination: str
    node: RemoteNode | None
    archive: str = ""
    look_in: LookIn | None = None
    report_timeout_s: float = 600.0
    linger_s: float = 2.0
    maximum_age_s: float = 259_200.0
    first_retry_s: float = 5.0
    maximum_retry_s: float = 600.0


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
