"""A node without its network: what was received is prepared, concluded and put into the outbox."""

import threading
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from sqlalchemy import select

from dicom_node.intake.note_keeping import note_in
from dicom_node.report import NodeIdentity
from dicom_node.study.completing import complete_due_studies
from dicom_node.study.decision import Rules
from dicom_node.work.case_report import Recipient, Reporter
from dicom_node.work.job_runner import JobRunner
from inference.pipeline import Pipeline
from storage import tables
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.files.spool import Spool
from storage.intake.instances import record_instance
from storage.intake.received import Received
from storage.migrations.upgrading import upgrade
from storage.reading.browse import show_study
from storage.states import JobState, Outcome
from storage.studies.associations import Association, open_association
from storage.studies.orders import Order
from tests.peers import wait_until

PIPELINE = "echo_haemodynamics"


class Node:
    """A database, a spool and an engine that sends to one PACS and obeys one archive."""

    def __init__(self, folder: Path, pipeline: Pipeline, database: Database | None = None) -> None:
        """Begin with an empty database, or go on with one that holds something."""
        self.database = database or Database(f"sqlite:///{folder / 'node.db'}")
        self.spool = Spool(folder / "spool", low_water_bytes=0)
        self.pipeline = pipeline
        if database is not None:
            return
        upgrade(self.database)
        with self.database.write() as tx:
            for name in ("archive", "cart"):
                opened = Association(
                    name, name, "AE", "ECHONODE", "10.0.0.7", "here:1:boot.1", datetime.now(UTC)
                )
                open_association(tx, opened)

    def receive(self, *files: bytes, peer: str = "cart") -> None:
        for data in files:
            header = dcmread(BytesIO(data), stop_before_pixels=True)
            file = self.spool.put(data)
            received = Received(
                sop_class_uid=header.SOPClassUID,
                sop_instance_uid=header.SOPInstanceUID,
                study_instance_uid=header.StudyInstanceUID,
                series_instance_uid=header.SeriesInstanceUID,
                transfer_syntax_uid=header.file_meta.TransferSyntaxUID,
                patient_id=str(header.get("PatientID", "")),
                patient_name=str(header.get("PatientName", "")),
                issuer_of_patient_id=str(header.get("IssuerOfPatientID", "")),
                patient_birth_date=str(header.get("PatientBirthDate", "")),
                accession_number=str(header.get("AccessionNumber", "")),
                study_date=str(header.get("StudyDate", "")),
                modality=header.Modality,
                instance_number=str(header.get("InstanceNumber", "")),
                digest=file.digest,
                size_bytes=file.size_bytes,
                association_id=peer,
                peer=peer,
                received_at=datetime.now(UTC) - timedelta(seconds=2),
                quiet_s=1,
                note=note_in(
                    self.spool.path(file.digest),
                    header.SOPClassUID,
                    may_reject=peer == "archive",
                ),
            )
            with self.database.write() as tx:
                record_instance(tx, received, [PIPELINE])

    def work(self) -> None:
        """Complete what is due and run all jobs to their end."""
        complete_due_studies(self.database, datetime.now(UTC), [PIPELINE], Rules())
        engine = JobRunner(
            self.database,
            self.spool,
            {PIPELINE: self.pipeline},
            Reporter(self.spool, NodeIdentity("echonode", "echonode", "1", "ECHONODE")),
            [Recipient("pacs", frozenset({"SR", "SC", "KOS", "RN"}), 3600)],
            owner="here:1:boot.1",
            lease_s=30,
            maximum_attempts=2,
        )
        thread = threading.Thread(target=engine.run, daemon=True)
        thread.start()
        try:
            wait_until(self._is_idle, 30, "all jobs ended")
        finally:
            engine.stop()
            thread.join(10)

    def _is_idle(self) -> bool:
        job = tables.Job
        with self.database.read() as tx:
            open_ = select(job.id).where(job.state.in_([JobState.QUEUED, JobState.RUNNING]))
            return tx.scalar(open_.limit(1)) is None

    def deliver(self) -> None:
        """The PACS takes the best rendition of everything."""
        now = datetime.now(UTC)
        with self.database.write() as tx:
            for held in outbox.claim(
                tx, destination="pacs", owner="here:1:b.1", now=now, lease_s=9, limit=99
            ):
                best = held.alternatives[0]
                outbox.mark_sent(tx, held, at=now, sop_instance_uid=best.sop_instance_uid, status=0)

    def outcomes(self, study_id: int = 1) -> list[Outcome]:
        with self.database.read() as tx:
            return [report.outcome for report in show_study(tx, str(study_id)).reports]

    def newest(self, kind: str = "SR", study_id: int = 1) -> Dataset:
        """The best rendition of one kind of object in the last report that has it."""
        with self.database.read() as tx:
            reports = show_study(tx, str(study_id)).reports
        made = [item for report in reports for item in report.objects if item.kind == kind]
        best = [item for item in made if item.preference == 0]
        return dcmread(self.spool.path(best[-1].digest))

    def order(self, reason: str = "wrong probe") -> Order:
        return Order(actor="eve", at=datetime.now(UTC), reason=reason, pipelines=[PIPELINE])

    def actions(self) -> list[Action]:
        with self.database.read() as tx:
            return [event.action for event in trail.search(tx, limit=1000)]
