"""What was reported is taken back: rejection notes, corrected identification, withdrawn studies."""

import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID

from inference.pipeline import Pipeline, load_pipeline
from storage.audit.trail import Action
from storage.corrections import ordered
from storage.corrections.ordered import Identification
from storage.delivery import outbox
from storage.states import Outcome
from tests.peers import require
from tests.phantom_model import PHANTOM_BUNDLE
from tests.rejection_notes import encoded, note
from tests.reporting_node import PIPELINE, Node
from tests.studies import phantom


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline(PIPELINE, PHANTOM_BUNDLE, "cpu")


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Three loops and what else lies in a study."""
    files = phantom(tmp_path_factory.mktemp("exam"), 1, decoys=True)
    return [file.read_bytes() for file in files[:5]]


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
        ordered.withdraw(tx, 1, node.order())
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
        ordered.correct_identification(tx, 1, corrected, reported.order())
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
        ordered.withdraw(tx, 1, reported.order("the study was deleted at the archive"))
    reported.work()
    first_line = sentences(reported.newest())[0]
    assert first_line.startswith(
        "WITHDRAWN: The study was withdrawn: the study was deleted at the archive."
    )
    reported.receive(encoded(note("113039", headers(exam))), peer="archive")
    reported.work()
    with reported.database.write() as tx:
        ordered.reinstate(tx, 1, reported.order())
    reported.work()
    assert reported.outcomes() == [
        Outcome.ESTIMATED,
        Outcome.WITHDRAWN,
        Outcome.NO_EFFECT,
        Outcome.ESTIMATED,
    ]
    assert "WITHDRAWN" not in str(reported.newest())
