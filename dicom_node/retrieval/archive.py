"""An archive as a pull sees it, and the two that are asked by DIMSE."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dicom_node.intake.keeping import Keeper
from dicom_node.retrieval.carrier import Carrier
from dicom_node.retrieval.wanted import Wanted
from dicom_node.scu.errors import RequestRefusedError
from dicom_node.scu.finding import find_instances, find_studies
from dicom_node.scu.getting import Intake, get
from dicom_node.scu.moving import move
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.query import FoundInstance, FoundStudy, StudyQuery
from dicom_node.scu.retrieving import Part, Patience, Retrieval, SubOperations
from storage.database.transactions import Database
from storage.errors import StorageError
from storage.files.spool import Spool
from storage.retrieval.pulls import held_instances


@dataclass(frozen=True, slots=True)
class Fetching:
    """How a fetch is told to stop, and whom it tells how many instances have come."""

    stop: threading.Event
    on_progress: Callable[[int], None]


class Archive(Protocol):
    """Where studies are found and fetched; all but `name` raise ScuError or WebError."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    def find_studies(self, query: StudyQuery) -> list[FoundStudy]:
        """The studies that meet a query."""

    def find_instances(self, study_instance_uid: str) -> list[FoundInstance]:
        """What it lists of a study."""

    def fetch(self, wanted: Wanted, fetching: Fetching) -> int:
        """Bring instances here, each recorded when it is acknowledged.

        Returns:
            how many the archive, or the node, refused.
        """


class DimseArchive:
    """An archive that is asked by C-FIND."""

    def __init__(self, node: RemoteNode, *, standstill_s: float) -> None:
        self.node = node
        self.standstill_s = standstill_s

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self.node.name

    def find_studies(self, query: StudyQuery) -> list[FoundStudy]:
        """The studies that meet a query."""
        return find_studies(self.node, query)

    def find_instances(self, study_instance_uid: str) -> list[FoundInstance]:
        """What it lists of a study."""
        return find_instances(self.node, study_instance_uid)


class MovingArchive(DimseArchive):
    """An archive that sends to our listener (C-MOVE), which is another process."""

    def __init__(
        self, node: RemoteNode, *, standstill_s: float, database: Database, own_ae_title: str
    ) -> None:
        super().__init__(node, standstill_s=standstill_s)
        self._database = database
        self._own_ae_title = own_ae_title

    def fetch(self, wanted: Wanted, fetching: Fetching) -> int:
        """Bring instances here; they come by the listener's own path."""
        patience = Patience(
            standstill_s=self.standstill_s,
            stop=fetching.stop,
            arrived=lambda: self._arrived(wanted.study_instance_uid),
        )
        return _each_part(
            wanted,
            fetching,
            lambda part, told: move(self.node, part, self._own_ae_title, patience, told),
        )

    def _arrived(self, study_instance_uid: str) -> int | None:
        try:
            with self._database.read() as tx:
                return len(held_instances(tx, study_instance_uid))
        except StorageError:
            return None  # who cannot look does not know that nothing moves


class GettingArchive(DimseArchive):
    """An archive that sends on the association that we open (C-GET)."""

    def __init__(
        self,
        node: RemoteNode,
        *,
        standstill_s: float,
        spool: Spool,
        keeper: Keeper,
        carrier: Carrier,
    ) -> None:
        super().__init__(node, standstill_s=standstill_s)
        self._spool = spool
        self._keeper = keeper
        self._carrier = carrier

    def fetch(self, wanted: Wanted, fetching: Fetching) -> int:
        """Bring instances here, on one association for each part."""
        return _each_part(
            wanted, fetching, lambda part, told: self._get(part, wanted, fetching, told)
        )

    def _get(
        self,
        part: Part,
        wanted: Wanted,
        fetching: Fetching,
        told: Callable[[SubOperations], None],
    ) -> Retrieval:
        intake = Intake(self._spool, self._keeper)
        with self._carrier.bringing(lambda: intake.received_bytes) as origin:
            patience = Patience(
                standstill_s=self.standstill_s,
                stop=fetching.stop,
                arrived=lambda: intake.received_bytes,
            )
            classes = wanted.sop_class_uids
            return get(self.node, part, classes, intake, origin, patience, told)


Ask = Callable[[Part, Callable[[SubOperations], None]], Retrieval]


def _each_part(wanted: Wanted, fetching: Fetching, ask: Ask) -> int:
    """Ask for part after part; how many instances the archive says it could not send."""
    refused = came = 0
    for part in wanted.parts:
        if fetching.stop.is_set():
            break

        def told(counts: SubOperations, before: int = came) -> None:
            fetching.on_progress(before + (counts.completed or 0))

        ended = _ask(part, ask, told)
        came += ended.counts.completed or 0
        refused += max(ended.counts.failed or 0, len(ended.failed_uids))
    return refused


def _ask(part: Part, ask: Ask, told: Callable[[SubOperations], None]) -> Retrieval:
    """An archive that gives no single instances may give the series that they are in."""
    try:
        return ask(part, told)
    except RequestRefusedError:
        if not part.sop_instance_uids:
            raise
    return ask(Part(part.study_instance_uid, part.series_instance_uid), told)
