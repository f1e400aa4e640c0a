"""A database and a spool with deliveries queued, as a worker leaves them behind."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydicom import dcmread
from pydicom.uid import generate_uid

from dicom_node.delivery.destination import Destination
from dicom_node.delivery.worker import Deliverer
from dicom_node.scu.peer import RemoteNode
from storage import index, outbox
from storage.engine import Database, upgrade
from storage.index import Association, Received
from storage.outbox import DeliveryView
from storage.owner import this_process
from storage.results import Outcome, Report, ResultObject, record_report
from storage.spool import Spool
from tests.objects import COMPREHENSIVE_3D, write_object

Kind = Literal["SR", "SC", "KOS"]


class Outbox:
    """What a node holds between concluding a study and delivering its report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'node.db'}"
        self.database = Database(self.url)
        upgrade(self.database)
        self.spool = Spool(folder / "spool")

    def queue(
        self,
        destination: str,
        kind: Kind = "SR",
        classes: Sequence[str] = (COMPREHENSIVE_3D,),
        *,
        pixels: bytes = b"",
        expires_in_s: float = 3600,
    ) -> tuple[str, ...]:
        """Queue one object, in one rendition per class; returns their SOP Instance UIDs."""
        objects = tuple(
            self._spooled(kind, preference, uid, pixels) for preference, uid in enumerate(classes)
        )
        study_id, now = self._study(), datetime.now(UTC)
        with self.database.write() as tx:
            report_id = record_report(
                tx,
                Report(
                    study_id=study_id,
                    revision=1,
                    pipeline="test",
                    pipeline_version="1",
                    bundle_digest="0" * 64,
                    input_digest="0" * 64,
                    outcome=Outcome.ESTIMATED,
                    supersedes=None,
                    findings_json="{}",
                    made_at=now,
                    objects=objects,
                ),
            )
            outbox.enqueue(
                tx,
                report_id,
                kind=kind,
                destination=destination,
                now=now,
                expires_at=now + timedelta(seconds=expires_in_s),
            )
        return tuple(item.sop_instance_uid for item in objects)

    def deliveries(self, destination: str | None = None) -> list[DeliveryView]:
        """All deliveries, newest first."""
        with self.database.read() as tx:
            return outbox.listing(tx, destination=destination, limit=1000)

    def states(self, destination: str | None = None) -> set[str]:
        """The states that deliveries are in."""
        return {delivery.state.value for delivery in self.deliveries(destination)}

    @contextmanager
    def delivering(
        self, *destinations: Destination, database: Database | None = None
    ) -> Iterator[Deliverer]:
        """A deliverer at work, for the length of a block; on `database` where one is given."""
        database = database or self.database
        deliverer = Deliverer(destinations, database, self.spool, owner=this_process(), poll_s=0.1)
        deliverer.start()
        try:
            yield deliverer
        finally:
            deliverer.stop(5)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def _study(self) -> int:
        now = datetime.now(UTC)
        association_id, study_uid = uuid.uuid4().hex, str(generate_uid())
        with self.database.write() as tx:
            index.open_association(
                tx,
                Association(
                    association_id=association_id,
                    peer="cart",
                    calling_aet="CART",
                    called_aet="ECHONODE",
                    address="127.0.0.1",
                    owner=this_process(),
                    opened_at=now,
                ),
            )
            index.record_instance(
                tx,
                Received(
                    sop_class_uid="1.2.840.10008.5.1.4.1.1.3.1",
                    sop_instance_uid=str(generate_uid()),
                    study_instance_uid=study_uid,
                    series_instance_uid=str(generate_uid()),
                    transfer_syntax_uid="1.2.840.10008.1.2.1",
                    patient_id="TEST",
                    patient_name="Test^Object",
                    accession_number="",
                    study_date="20261121",
                    modality="US",
                    instance_number="1",
                    digest="1" * 64,
                    size_bytes=1,
                    association_id=association_id,
                    peer="cart",
                    received_at=now,
                    quiet_s=60,
                    hard_limit_s=3600,
                ),
                pipelines=(),
            )
            return index.show_study(tx, study_uid).summary.study_id

    def _spooled(
        self, kind: Kind, preference: int, sop_class_uid: str, pixels: bytes
    ) -> ResultObject:
        path = write_object(self.folder / "object.dcm", sop_class_uid, pixels=pixels)
        kept = self.spool.put(path.read_bytes())
        header = dcmread(path, stop_before_pixels=True)
        return ResultObject(
            kind=kind,
            preference=preference,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=str(header.SOPInstanceUID),
            series_instance_uid=str(header.SeriesInstanceUID),
            digest=kept.digest,
            size_bytes=kept.size_bytes,
        )


def destination(
    name: str,
    port: int,
    ae_title: str = "PACS",
    *,
    dimse_timeout_s: float = 10,
    maximum_retry_s: float = 0.5,
) -> Destination:
    """A destination on this machine that is tried again quickly."""
    node = RemoteNode(
        name,
        "127.0.0.1",
        port,
        ae_title,
        "ECHONODE",
        connect_timeout_s=1,
        acse_timeout_s=1,
        dimse_timeout_s=dimse_timeout_s,
    )
    return Destination(name, node, first_retry_s=0.1, maximum_retry_s=maximum_retry_s)
