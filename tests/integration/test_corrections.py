"""What was reported is taken back: rejection notes, corrected identification, withdrawn studies."""

import subprocess
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from sqlalchemy import select

from dicom_node.corrections.receiving import NoteKeeper
from dicom_node.report import NodeIdentity
from dicom_node.work.engine import Engine
from dicom_node.work.reporting import Recipient, Reporter
from inference.pipeline import Pipeline, load_pipeline
from storage import audit, corrections, index, outbox, schema
from storage.audit import Action
from storage.corrections import Identification, Order
from storage.engine import Database, upgrade
from storage.index import Association, Received
from storage.jobs import JobState
from storage.results import Outcome
from storage.spool import Spool
from tests.peers import require, wait_until
from tests.rejection_notes import encoded, note
from tests.studies import phantom

PIPELINE = "echo_haemodynamics"
DEMONSTRATION = Path(__file__).resolve().parents[2] / "inference" / "bundle" / "demonstration"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(PIPELINE, DEMONSTRATION, "cpu")


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Three loops and what else lies in a study."""
    files = phantom(tmp_path_factory.mktemp("exam"), 1, decoys=True)
    return [file.read_bytes() for file in files[:5]]


class Node:
    """A database, a spool and an engine that sends to one PACS and obeys one archive."""

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        upgrade(self.database)
        self.spool = Spool(folder / "spool", low_water_bytes=0)
        self.pipeline = pipeline
        with self.database.write() as tx:
            for name in ("archive", "cart"):
                opened = Association(
                    name, name, "AE", "ECHONODE", "10.0.0.7", "here:1:boot.1", datetime.now(UTC)
                )
                index.open_association(tx, opened)

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
                hard_limit_s=60,
            )
            with self.database.write() as tx:
                index.record_instance(tx, received, [PIPELINE])

    def work(self) -> None:
        """Complete what is due and run all jobs to their end."""
        with self.database.write() as tx:
            for due in index.due_studies(tx, datetime.now(UTC), 10):
                index.complete_study(tx, due.study_id, datetime.now(UTC), [PIPELINE])
        engine = Engine(
            self.database,
            self.spool,
            {PIPELINE: self.pipeline},
            Reporter(self.spool, NodeIdentity("echonode", "echonode", "1", "ECHONODE")),
            [Recipient("pacs", frozenset({"SR", "SC", "KOS", "RN"}), 3600)],
            owner="here:1:boot.1",
            lease_s=30,
            maximum_attempts=2,
            notes=NoteKeeper(frozenset({"archive"})),
        )
        thread = threading.Thread(target=engine.run, daemon=True)
        thread.start()
        try:
            wait_until(self._is_idle, 30, "all jobs ended")
        finally:
            engine.stop()
            thread.join(10)

    def _is_idle(self) -> bool:
        job = schema.Job
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
            return [report.outcome for report in index.show_study(tx, str(study_id)).reports]

    def newest(self, kind: str = "SR", study_id: int = 1) -> Dataset:
        """The best rendition of one kind of object in the last report that has it."""
        with self.database.read() as tx:
            reports = index.show_study(tx, str(study_id)).reports
        made = [item for report in reports for item in report.objects if item.kind == kind]
        best = [item for item in made if item.preference == 0]
        return dcmread(self.spool.path(best[-1].digest))

    def order(self, reason: str = "wrong probe") -> Order:
        return Order(actor="eve", at=datetime.now(UTC), reason=reason, pipelines=[PIPELINE])

    def actions(self) -> list[Action]:
        with self.database.read() as tx:
            return [event.action for event in audit.search(tx, limit=1000)]


@pytest.fixture
def node(tmp_path: Path, pipeline: Pipeline) -> Iterator[Node]:
    made = Node(tmp_path, pipeline)
    yield made
    made.database.close()


@pytest.fixture
def reported(node: Node, exam: Sequence[bytes]) -> Node:
    """A node that has reported the exam and sent all of it."""
    node.receive(*exam)
    node.work()
    node.deliver()
    assert node.outcomes() == [Outcome.ESTIMATED]
    return node


def headers(files: Sequence[bytes]) -> list[Dataset]:
    return [dcmread(BytesIO(data), stop_before_pixels=True) for data in files]


def sentences(report: Dataset) -> list[str]:
    """The lines of a report's summary, then the comments of its evaluations."""
    [summary] = [
        item
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Summary"
    ]
    [evaluations] = [
        item
        for item in report.ContentSequence
        if item.ValueType == "CONTAINER"
        and item.ConceptNameCodeSequence[0].CodeMeaning == "Qualitative Evaluations"
    ]
    comments = [item for item in evaluations.ContentSequence if item.ValueType == "TEXT"]
    return [*summary.TextValue.splitlines(), *(item.TextValue for item in comments)]


def evidence(document: Dataset) -> set[str]:
    return {
        instance.ReferencedSOPInstanceUID
        for study in document.get("CurrentRequestedProcedureEvidenceSequence", [])
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


def predecessors(report: Dataset) -> set[str]:
    return {
        instance.ReferencedSOPInstanceUID
        for study in report.get("PredecessorDocumentsSequence", [])
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


def test_a_loop_of_poor_quality_leaves_and_the_new_report_says_so(
    reported: Node, exam: Sequence[bytes]
) -> None:
    first = reported.newest()
    loop = headers(exam)[0]
    reported.receive(encoded(note("113001", [loop])), peer="archive")
    reported.work()
    assert reported.outcomes() == [Outcome.ESTIMATED, Outcome.ESTIMATED]
    second = reported.newest()
    assert predecessors(second) == {first.SOPInstanceUID}
    told = "Withdrawn from this study. Rejected for Quality Reasons: instance"
    assert f"{told} {loop.InstanceNumber}." in sentences(second)
    assert loop.SOPInstanceUID in evidence(second)
    assert Action.REJECTION_NOTE_APPLIED in reported.actions()


def test_a_loop_that_is_unsafe_is_never_pointed_at_again(
    reported: Node, exam: Sequence[bytes]
) -> None:
    loop = headers(exam)[1]
    reported.receive(encoded(note("113037", [loop])), peer="archive")
    reported.work()
    for kind in ("SR", "SC", "KOS"):
        assert loop.SOPInstanceUID not in str(reported.newest(kind))
    assert "Rejected for Patient Safety Reasons: instance" in " ".join(sentences(reported.newest()))


def test_with_all_its_loops_the_report_is_withdrawn_once(
    reported: Node, exam: Sequence[bytes], tmp_path: Path
) -> None:
    first = reported.newest()
    sent = {reported.newest(kind).SOPInstanceUID for kind in ("SR", "SC", "KOS")}
    reported.receive(encoded(note("113038", headers(exam))), peer="archive")
    reported.work()
    reported.receive(encoded(note("113038", headers(exam))), peer="archive")
    reported.work()
    assert reported.outcomes() == [Outcome.ESTIMATED, Outcome.WITHDRAWN, Outcome.NO_EFFECT]
    withdrawn = reported.newest()
    assert sentences(withdrawn)[0].startswith("WITHDRAWN: The images that it rests on were")
    assert predecessors(withdrawn) == {first.SOPInstanceUID}
    assert not evidence(withdrawn)
    assert (withdrawn.CompletionFlag, withdrawn.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    own = reported.newest("RN")
    assert own.ConceptNameCodeSequence[0].CodeValue == "113038"
    assert evidence(own) == sent
    _judge(reported, tmp_path)


def _judge(node: Node, folder: Path) -> None:
    """Independent readers take the withdrawal and the rejection note, and show them."""
    paths = {}
    for kind in ("SR", "RN"):
        paths[kind] = folder / f"{kind}.dcm"
        node.newest(kind).save_as(paths[kind])
        done = subprocess.run(
            [require("dciodvfy"), "-new", str(paths[kind])],
            capture_output=True,
            text=True,
            check=False,
        )
        assert not [line for line in done.stderr.splitlines() if line.startswith("Error")]
    page = subprocess.run(
        [require("dsr2html"), str(paths["SR"])], capture_output=True, text=True, check=True
    )
    assert "WITHDRAWN" in page.stdout


def test_what_was_not_sent_before_it_was_withdrawn_is_never_sent(
    node: Node, exam: Sequence[bytes]
) -> None:
    node.receive(*exam)
    node.work()
    with node.database.write() as tx:
        corrections.withdraw(tx, 1, node.order())
    node.work()
    now = datetime.now(UTC)
    with node.database.write() as tx:
        outbox.requeue(tx, now=now, expires_at=now + timedelta(hours=1))
        due = outbox.claim(tx, destination="pacs", owner="here:1:b.1", now=now, lease_s=9, limit=99)
        assert sorted((held.report_id, held.kind) for held in due) == [(2, "SC"), (2, "SR")]


def test_expired_retention_changes_no_result(reported: Node, exam: Sequence[bytes]) -> None:
    reported.receive(encoded(note("113039", headers(exam))), peer="archive")
    reported.work()
    assert reported.outcomes() == [Outcome.ESTIMATED, Outcome.NO_EFFECT]


def test_a_note_of_a_peer_that_may_not_reject_is_kept_without_effect(
    reported: Node, exam: Sequence[bytes]
) -> None:
    reported.receive(encoded(note("113001", headers(exam))), peer="cart")
    reported.work()
    assert reported.outcomes() == [Outcome.ESTIMATED, Outcome.NO_EFFECT]
    assert Action.REJECTION_NOTE_IGNORED in reported.actions()


def test_what_was_rejected_before_it_came_is_born_rejected(
    node: Node, exam: Sequence[bytes]
) -> None:
    loops = headers(exam)[:3]
    node.receive(encoded(note("113037", loops[:1])), peer="archive")
    node.work()
    node.receive(*exam)
    node.work()
    assert node.outcomes() == [Outcome.NOT_APPLICABLE, Outcome.ESTIMATED]
    assert loops[0].SOPInstanceUID not in str(node.newest())


def test_a_note_in_another_study_reaches_the_study_that_it_names(
    reported: Node, exam: Sequence[bytes]
) -> None:
    made = note("113001", headers(exam)[:3])
    made.StudyInstanceUID = "1.2.3.4"
    reported.receive(encoded(made), peer="archive")
    reported.work()
    assert reported.outcomes(1) == [Outcome.ESTIMATED, Outcome.WITHDRAWN]
    assert reported.outcomes(2) == [Outcome.NOT_APPLICABLE]


def test_a_study_that_the_archive_sent_anew_is_reported_under_its_new_identification(
    reported: Node, exam: Sequence[bytes]
) -> None:
    former = {reported.newest(kind).SOPInstanceUID for kind in ("SR", "SC", "KOS")}
    reported.receive(encoded(note("113038", headers(exam))), peer="archive")
    reported.receive(*(resent(data, "ACC-NEW") for data in exam), peer="archive")
    reported.work()
    assert reported.outcomes() == [Outcome.ESTIMATED, Outcome.ESTIMATED]
    report = reported.newest()
    assert report.AccessionNumber == "ACC-NEW"
    assert "Earlier revisions bear another identification and are withdrawn." in sentences(report)
    assert evidence(reported.newest("RN")) == former


def resent(data: bytes, accession_number: str) -> bytes:
    """A corrected copy of an instance, as an archive makes it: with a UID of its own."""
    dataset = dcmread(BytesIO(data))
    dataset.AccessionNumber = accession_number
    dataset.SOPInstanceUID += ".2"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_a_corrected_identification_is_issued_anew_and_the_former_taken_back(
    reported: Node, exam: Sequence[bytes]
) -> None:
    former = reported.newest()
    with reported.database.write() as tx:
        corrected = Identification(patient_id="MERGED-1", patient_name="Doe^Jane")
        corrections.correct_identification(tx, 1, corrected, reported.order())
    reported.work()
    report = reported.newest()
    assert (report.PatientID, str(report.PatientName)) == ("MERGED-1", "Doe^Jane")
    assert report.PatientBirthDate == former.PatientBirthDate
    assert predecessors(report) == {former.SOPInstanceUID}
    assert former.SOPInstanceUID in evidence(reported.newest("RN"))
    assert former.PatientID not in str(report)
    assert Action.DEMOGRAPHICS_CORRECTED in reported.actions()

    # The cart goes on with what it has in its worklist.
    late = dcmread(BytesIO(exam[0]))
    late.SOPInstanceUID = late.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.5")
    buffer = BytesIO()
    late.save_as(buffer)
    reported.receive(buffer.getvalue())
    reported.work()
    assert reported.outcomes() == [Outcome.ESTIMATED] * 3
    assert reported.newest().PatientID == "MERGED-1"


def test_a_withdrawn_study_stays_so_until_it_is_reinstated(
    reported: Node, exam: Sequence[bytes]
) -> None:
    with reported.database.write() as tx:
        corrections.withdraw(tx, 1, reported.order("the study was deleted at the archive"))
    reported.work()
    first_line = sentences(reported.newest())[0]
    assert first_line.startswith(
        "WITHDRAWN: The study was withdrawn: the study was deleted at the archive."
    )
    reported.receive(encoded(note("113039", headers(exam))), peer="archive")
    reported.work()
    with reported.database.write() as tx:
        corrections.reinstate(tx, 1, reported.order())
    reported.work()
    assert reported.outcomes() == [
        Outcome.ESTIMATED,
        Outcome.WITHDRAWN,
        Outcome.NO_EFFECT,
        Outcome.ESTIMATED,
    ]
    assert "WITHDRAWN" not in str(reported.newest())
