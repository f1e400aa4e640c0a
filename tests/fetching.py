"""A node that fetches, without its processes: a listener, and archives by each way."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from dicom_node.dicomweb.session import Session, WebService
from dicom_node.intake.keeping import Keeper
from dicom_node.retrieval.archive import Archive, GettingArchive, MovingArchive
from dicom_node.retrieval.carrier import Carrier
from dicom_node.retrieval.criteria import Criteria
from dicom_node.retrieval.pulling import Puller
from dicom_node.retrieval.web_archive import WebArchive
from dicom_node.scu.peer import RemoteNode
from storage.retrieval.listing import PullView, StudyView, studies_of
from storage.retrieval.pulls import held_instances
from tests.scp_listening import Node

WEEK = Criteria(first_day=date(2026, 11, 1), last_day=date(2026, 11, 7))


@dataclass
class Fetcher:
    """Pulls into a node."""

    node: Node
    stop: threading.Event = field(default_factory=threading.Event)
    standstill_s: float = 20
    reported: list[tuple[str, int, int]] = field(default_factory=list)

    def moving(self, pacs: RemoteNode) -> MovingArchive:
        return MovingArchive(
            pacs,
            standstill_s=self.standstill_s,
            database=self.node.database,
            own_ae_title="ECHONODE",
        )

    def getting(self, pacs: RemoteNode) -> GettingArchive:
        return GettingArchive(
            pacs,
            standstill_s=self.standstill_s,
            spool=self.node.spool,
            keeper=self.keeper,
            carrier=self.carrier,
        )

    def web(self, service: WebService, session: Session) -> WebArchive:
        return WebArchive(
            service, session, spool=self.node.spool, keeper=self.keeper, carrier=self.carrier
        )

    @property
    def keeper(self) -> Keeper:
        return Keeper(self.node.database, self.node.spool, pipelines=["echo_haemodynamics"])

    @property
    def carrier(self) -> Carrier:
        return Carrier(
            database=self.node.database,
            archive="pacs",
            own_ae_title="ECHONODE",
            its_ae_title="PACS",
            address="127.0.0.1",
            quiet_s=60,
        )

    def pull(self, archive: Archive, criteria: Criteria = WEEK, priors: int = 0) -> PullView:
        puller = self.puller(archive)
        return puller.run(puller.order(criteria, priors=priors, actor="jane"))

    def puller(
        self, archive: Archive, also: Callable[[str, int, int], None] = lambda *_: None
    ) -> Puller:
        def report(stage: str, done: int, total: int) -> None:
            self.reported.append((stage, done, total))
            also(stage, done, total)

        return Puller(self.node.database, archive, self.stop, report)

    def held(self, study_instance_uid: str) -> frozenset[str]:
        with self.node.database.read() as tx:
            return held_instances(tx, study_instance_uid)

    def studies(self, pull_id: int) -> list[StudyView]:
        with self.node.database.read() as tx:
            return studies_of(tx, pull_id)


def dataset_of(path: Path) -> bytes:
    """What stands behind the File Meta group of a file."""
    data = path.read_bytes()
    return data[144 + int.from_bytes(data[140:144], "little") :]
