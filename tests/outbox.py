"""A database and a spool with deliveries queued, as a worker leaves them behind."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import update

from dicom_node.delivery.destination import Destination
from dicom_node.delivery.worker import Deliverer
from dicom_node.scu.peer import RemoteNode
from storage import tables
from storage.database.owner import this_process
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.delivery.listing import DeliveryView, listing
from storage.files.spool import Spool
from storage.intake.instances import record_instance
from storage.intake.received import Received
from storage.migrations.upgrading import upgrade
from storage.reading.browse import show_study
from storage.states import Outcome, ResultKind
from storage.studies.associations import Association, open_association
from storage.work.results import Report, ResultObject, record_report
from tests.objects import COMPREHENSIVE_3D, write_object


class Outbox:
    """What a node holds between concluding a study and delivering its report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'node.db'}"
        (folder / "node.db").write_bytes(_tables())
        self.database = Database(self.url)
        self.spool = Spool(folder / "spool")

    def queue(
        self,
        destination: str,
        kind: ResultKind = "SR",
        classes: Sequence[str] = (COMPREHENSIVE_3D,),
        *,
        pixels: bytes = b"",
        expires_in_s: float = 3600,
        beside: Sequence[tuple[ResultKind, str]] = (),
    ) -> tuple[str, ...]:
        """Queue one object, in one rendition per class; returns their SOP Instance UIDs.

        `beside` are objects of the same report that are queued for nobody: kind and class.
        """
        study_uid = str(generate_uid())
        objects = [
            self._spooled(kind, preference, uid, pixels, study_uid)
            for preference, uid in enumerate(classes)
        ]
        objects += [self._spooled(other, 0, uid, b"", study_uid) for other, uid in beside]
        self._queue(destination, kind, objects, self._study(study_uid), 1, expires_in_s)
        return tuple(item.sop_instance_uid for item in objects)

    def queue_message(
        self,
        destination: str,
        text: str,
        control_id: str = "",
        *,
        study_id: int = 0,
        revision: int = 1,
    ) -> int:
        """Queue HL7 messages that are stored together; returns the number of their study."""
        kept = self.spool.put(text.encode())
        control_id = control_id or text.split("|")[9]
        message = ResultObject("ORU", 0, "", control_id, "", kept.digest, kept.size_bytes)
        study_id = study_id or self._study()
        self._queue(destination, "ORU", [message], study_id, revision, 3600)
        return study_id

    def postpone(self, destination: str, seconds: float) -> None:
        """Let what waits for a destination be due in so many seconds."""
        with self.database.write() as tx:
            tx.execute(
                update(tables.Delivery)
                .where(tables.Delivery.destination == destination)
                .values(available_at=datetime.now(UTC) + timedelta(seconds=seconds))
            )

    def deliveries(self, destination: str | None = None) -> list[DeliveryView]:
        """All deliveries, newest first."""
        with self.database.read() as tx:
            return listing(tx, destination=destination, limit=1000)

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

    def _queue(
        self,
        destination: str,
        kind: str,
        objects: Sequence[ResultObject],
        study_id: int,
        revision: int,
        expires_in_s: float,
    ) -> None:
        now = datetime.now(UTC)
        report = Report(
            study_id=study_id,
            revision=revision,
            pipeline="test",
            pipeline_version="1",
            bundle_digest="0" * 64,
            input_digest="0" * 64,
            outcome=Outcome.ESTIMATED,
            supersedes=None,
            findings_json="{}",
            made_at=now,
            objects=tuple(objects),
        )
        with self.database.write() as tx:
            outbox.enqueue(
                tx,
                record_report(tx, report),
                kind=kind,
                destination=destination,
                now=now,
                expires_at=now + timedelta(seconds=expires_in_s),
            )

    def _study(self, study_uid: str = "") -> int:
        now = datetime.now(UTC)
        association_id, study_uid = uuid.uuid4().hex, study_uid or str(generate_uid())
        with self.database.write() as tx:
            open_association(
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
            record_instance(
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
                ),
                pipelines=(),
            )
            return show_study(tx, study_uid).summary.study_id

    def _spooled(
        self, kind: ResultKind, preference: int, sop_class_uid: str, pixels: bytes, study_uid: str
    ) -> ResultObject:
        path = write_object(
            self.folder / "object.dcm",
            sop_class_uid,
            pixels=pixels,
            study_instance_uid=study_uid,
        )
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


@cache
def _tables() -> bytes:
    """An SQLite file with all tables and no rows."""
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/node.db")
        upgrade(database)
        database.close()
        return Path(folder, "node.db").read_bytes()


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
