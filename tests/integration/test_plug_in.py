"""A stranger's package, installed beside the node, is run from C-STORE to a validated report."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from sqlalchemy import select, update

from dicom_node.app.pipelines import load_pipelines
from dicom_node.cli.study_lines import study_lines
from dicom_node.operations import purging, studies
from dicom_node.report import NodeIdentity
from dicom_node.settings.model import Settings
from dicom_node.work.case_report import Recipient, Reporter
from dicom_node.work.job_runner import JobRunner
from storage import tables as schema
from storage.corrections import ordered
from storage.corrections.ordered import Identification
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.reading.browse import StudyDetail, show_study
from storage.states import DueReason, JobState
from storage.studies.orders import Order
from storage.studies.revisions import complete_study
from tests import plug_ins
from tests.peers import require, shared, wait_until
from tests.phantom_model import PHANTOM_BUNDLE
from tests.scp_listening import listening, parts, send
from tests.studies import phantom, study_uid

PLUGIN = Path(__file__).resolve().parents[1] / "plugin"
MEANING = "CodeMeaning"
CHEST = "1.2.840.10008.5.1.4.1.1.1.1"
STUDY = generate_uid()
OURS, TOY, BROKEN = "echo_haemodynamics", "chest_and_beat", "broken"


class Site:
    """A node that runs our pipeline, a stranger's, and one that cannot be imported."""

    def __init__(self, folder: Path, database: Database, spool: Spool, port: int) -> None:
        self.database, self.spool, self.port = database, spool, port
        toy = folder / "toy"
        toy.mkdir()
        (toy / "toy.json").write_text('{"mild": 0.3, "severe": 0.7}')
        tables = [
            {"name": OURS, "bundle": PHANTOM_BUNDLE, "device": "cpu"},
            {"name": TOY, "bundle": toy, "options": {"decimals": 3}},
            {"name": BROKEN, "bundle": toy},
        ]
        self.pipelines = load_pipelines(Settings.model_validate({"pipeline": tables}))

    def analyse(self, *files: Path) -> StudyDetail:
        """Send a study, complete it and run all jobs to their end."""
        uid = self.receive(*files)
        self.work()
        return self.study(uid)

    def receive(self, *files: Path) -> str:
        """Send a study and complete it; its UID."""
        assert set(send(self.port, *map(parts, files))) == {0}
        uid = study_uid(files)
        with self.database.write() as tx:
            study = schema.Study
            study_id = tx.execute(select(study.id).where(study.study_instance_uid == uid)).scalar()
            at = datetime(2200, 1, 1, tzinfo=UTC)
            complete_study(tx, study_id, at, list(self.pipelines), reason=DueReason.ORDERED)
            tx.execute(update(schema.Job).values(available_at=datetime.now(UTC)))
        return uid

    def order(self, change: Callable[..., object], uid: str, *details: object) -> None:
        """Have an administrator correct a study, and run all jobs that follow to their end."""
        now = datetime.now(UTC)
        order = Order(actor="eve", at=now, reason="mixed up", pipelines=list(self.pipelines))
        with self.database.write() as tx:
            change(tx, ordered.study_id_of(tx, uid), *details, order)
        self.work()

    def work(self) -> None:
        """Run all jobs to their end."""
        engine = JobRunner(
            self.database,
            self.spool,
            self.pipelines,
            Reporter(self.spool, NodeIdentity("echonode", "echonode", "1", "ECHONODE")),
            [Recipient("pacs", frozenset({"SR", "SC", "KOS"}), 3600)],
            owner="here:1:boot.1",
            lease_s=30,
            maximum_attempts=1,
        )
        thread = threading.Thread(target=engine.run, daemon=True)
        thread.start()
        try:
            wait_until(self._is_idle, 120, "all jobs ended")
        finally:
            engine.stop()
            thread.join(10)

    def study(self, uid: str) -> StudyDetail:
        with self.database.read() as tx:
            return show_study(tx, uid)

    def _is_idle(self) -> bool:
        job = schema.Job
        with self.database.read() as tx:
            waiting = select(job.id).where(job.state.in_([JobState.QUEUED, JobState.RUNNING]))
            return tx.scalar(waiting.limit(1)) is None

    def objects(self, detail: StudyDetail, pipeline: str) -> dict[str, Path]:
        """The best rendition of each kind of object that a pipeline's report has."""
        made = [report for report in detail.reports if report.pipeline == pipeline]
        last = max((item for item in made if item.objects), key=lambda item: item.revision)
        best = [item for item in last.objects if item.preference == 0]
        return {item.kind: self.spool.path(item.digest) for item in best}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The stranger's package is installed by pip, beside one that cannot be imported."""
    packages, node = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("node")
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(PLUGIN, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(packages), str(source)], check=True
    )
    plug_ins.write(packages, "broken-reader", {BROKEN: "nowhere:PIPELINE"})
    with (
        plug_ins.installed(packages),
        listening(node, pipelines=(OURS, TOY, BROKEN)) as listener,
    ):
        yield Site(node, listener.database, listener.spool, listener.port)


@pytest.fixture(scope="module")
def reported(site: Site, tmp_path_factory: pytest.TempPathFactory) -> StudyDetail:
    folder = tmp_path_factory.mktemp("study")
    return site.analyse(
        film(folder / "front.dcm", 1, "PA"),
        film(folder / "side.dcm", 2, "LL"),
        ecg(folder / "ecg.dcm"),
    )


def film(file: Path, number: int = 1, view: str = "PA", **said: str) -> Path:
    """A film whose middle half is bright; what else is `said` of patient and study."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CHEST
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, generate_uid()
    dataset.PatientID, dataset.PatientName = "TOY-1", "Toy^Bear"
    dataset.PatientBirthDate, dataset.PatientSex = "19600101", "O"
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20260102", "101500", "A1"
    dataset.StudyID, dataset.ReferringPhysicianName = "1", ""
    dataset.Modality, dataset.InstanceNumber, dataset.ViewPosition = "DX", number, view
    for keyword, value in said.items():
        setattr(dataset, keyword, value)
    pixels = np.full((64, 64), 20, np.uint8)
    pixels[:, 16:48] = 200
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file


def ecg(file: Path, **said: str) -> Path:
    """pydicom's ECG, in the film's study unless something else is `said`."""
    dataset = dcmread(get_testdata_file("waveform_ecg.dcm"))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientID, dataset.PatientName = "TOY-1", "Toy^Bear"
    dataset.PatientBirthDate, dataset.PatientSex = "19600101", "O"
    dataset.InstanceNumber, dataset.StudyDate, dataset.StudyTime = 3, "20260102", "101500"
    for keyword, value in said.items():
        setattr(dataset, keyword, value)
    dcmwrite(file, dataset)
    return file


def test_only_the_strangers_pipeline_reports_a_study_of_its_kind(reported: StudyDetail) -> None:
    outcomes = {report.pipeline: report.outcome for report in reported.reports}
    assert outcomes == {TOY: "estimated", OURS: "not applicable"}
    looked = {made.pipeline for item in reported.instances for made in item.preparations}
    assert looked == {TOY, BROKEN}


def test_a_broken_one_fails_visibly_and_the_others_go_on(reported: StudyDetail) -> None:
    assert set(reported.revisions[-1].failures) == {BROKEN}
    assert "echonode doctor" in reported.revisions[-1].failures[BROKEN]


def test_its_report_says_its_own_words(site: Site, reported: StudyDetail) -> None:
    made = {kind: dcmread(path) for kind, path in site.objects(reported, TOY).items()}
    told = (item for item in made["SR"].iterall() if item.keyword in {"TextValue", "CodeMeaning"})
    said = " ".join(str(item.value) for item in told)
    for words in (
        "Cardiothoracic ratio",
        "Plain radiography",
        "Size of the shadow: Mild, probability 80 %",
        "Pleural effusion: not stated (the toy has seen too few).",
        "Measured by a toy; a ruler is better.",
        "film from the side",
        "0.500",  # three decimals: its option
    ):
        assert words in said, words
    assert "loop" not in said.lower()
    assert made["SC"].BodyPartExamined == "CHEST"
    assert made["SC"].NumberOfFrames == 2, "the summary, and what the stranger draws"
    assert made["KOS"].SeriesDescription.endswith("(AI key films and ECGs)")
    classes = {
        reference.ReferencedSOPClassUID
        for item in made["SR"].CurrentRequestedProcedureEvidenceSequence
        for series in item.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    assert len(classes) == 2, "film and ECG are the report's evidence"


@dataclass(frozen=True)
class Two:
    """A film, and an ECG in another study of the same patient."""

    film: Path
    ecg: Path

    @property
    def film_uid(self) -> str:
        return study_uid([self.film])

    @property
    def ecg_uid(self) -> str:
        return study_uid([self.ecg])


def two(folder: Path, **of_ecg: str) -> Two:
    """The ECG is six days younger than the film, and says `of_ecg` instead."""
    folder = folder / generate_uid()
    folder.mkdir()
    same = {"PatientID": generate_uid()[-20:]}
    other = {"StudyInstanceUID": generate_uid(), "StudyDate": "20260108", **of_ecg}
    return Two(
        film(folder / "film.dcm", **same, StudyInstanceUID=generate_uid()),
        ecg(folder / "other.dcm", **(same | other)),
    )


def revisions(site: Site, uid: str) -> list[tuple[int, str]]:
    """Revision and outcome of each report of the toy's on a study."""
    reports = site.study(uid).reports
    return sorted((item.revision, item.outcome) for item in reports if item.pipeline == TOY)


def tells_the_beat(site: Site, uid: str) -> bool:
    """Whether the last report rests on an ECG."""
    document = dcmread(site.objects(site.study(uid), TOY)["SR"])
    return "Heart rate" in {item.value for item in document.iterall() if item.keyword == MEANING}


def test_an_ecg_in_another_study_takes_part_whichever_comes_first(
    site: Site, tmp_path: Path
) -> None:
    pair = two(tmp_path)
    site.analyse(pair.ecg)
    site.analyse(pair.film)
    assert revisions(site, pair.film_uid) == [(1, "estimated")]
    assert revisions(site, pair.ecg_uid) == [(1, "not applicable")]
    later = two(tmp_path)
    site.analyse(later.film)
    assert not tells_the_beat(site, later.film_uid)
    site.analyse(later.ecg)
    assert revisions(site, later.film_uid) == [(1, "estimated"), (2, "estimated")]
    assert revisions(site, later.ecg_uid) == [(1, "not applicable")]
    assert site.study(later.film_uid).revisions[-1].reason == "companion changed"
    for each in (pair, later):
        assert tells_the_beat(site, each.film_uid)
        made = site.objects(site.study(each.film_uid), TOY)
        document = dcmread(made["SR"])
        assert document.StudyInstanceUID == each.film_uid
        assert evidence(document.CurrentRequestedProcedureEvidenceSequence) == {
            each.film_uid: {str(dcmread(each.film).SOPInstanceUID)}
        }
        assert evidence(document.PertinentOtherEvidenceSequence) == {
            each.ecg_uid: {str(dcmread(each.ecg).SOPInstanceUID)}
        }
        assert [item.StudyInstanceUID for item in evidence_of_key_objects(made)] == [each.film_uid]
        film, ecg = (
            studies.show_study(site.database, "admin", uid) for uid in (each.film_uid, each.ecg_uid)
        )
        assert film.companions == [(ecg.detail.summary.study_id, TOY)]
        assert ecg.anchors == [(film.detail.summary.study_id, TOY)]
        shown = "\n".join(study_lines(film, verbose=False))
        number = ecg.detail.summary.study_id
        assert f"study {number} takes part in the report of {TOY}" in shown


def test_a_report_waits_for_the_ecg_that_is_being_prepared(site: Site, tmp_path: Path) -> None:
    pair = two(tmp_path)
    site.receive(pair.film)
    site.receive(pair.ecg)
    site.work()
    outcomes = revisions(site, pair.film_uid)
    assert outcomes[0] == (1, "estimated")
    assert {outcome for _, outcome in outcomes[1:]} <= {"no effect"}
    assert tells_the_beat(site, pair.film_uid)


def test_a_companion_that_is_withdrawn_or_becomes_anothers_revises_the_report_once(
    site: Site, tmp_path: Path
) -> None:
    pair = two(tmp_path)
    site.analyse(pair.ecg)
    site.analyse(pair.film)
    site.order(ordered.withdraw, pair.ecg_uid)
    assert revisions(site, pair.film_uid)[1:] == [(2, "estimated")]
    assert not tells_the_beat(site, pair.film_uid)
    site.order(ordered.reinstate, pair.ecg_uid)
    assert tells_the_beat(site, pair.film_uid)
    corrected = Identification(patient_id="SOMEBODY-ELSE")
    site.order(ordered.correct_identification, pair.ecg_uid, corrected)
    assert revisions(site, pair.film_uid)[3:] == [(4, "estimated")]
    assert not tells_the_beat(site, pair.film_uid)
    site.order(ordered.correct_identification, pair.ecg_uid, Identification(patient_name="A^B"))
    assert len(revisions(site, pair.film_uid)) == 4, "it has nothing to do with the film any more"


def test_a_purged_companion_leaves_the_report(site: Site, tmp_path: Path) -> None:
    pair = two(tmp_path)
    site.analyse(pair.ecg)
    site.analyse(pair.film)
    with site.database.read() as tx:
        number = ordered.study_id_of(tx, pair.ecg_uid)
    purging.purge(site.database, site.spool, [number], who="admin", reason="the law", force=True)
    site.work()
    assert revisions(site, pair.film_uid) == [(1, "estimated"), (2, "estimated")]
    assert not tells_the_beat(site, pair.film_uid)


@pytest.mark.parametrize(
    "of_ecg",
    [
        {"PatientID": "TOY-OTHER"},
        {"StudyDate": "20260110"},
        {"PatientBirthDate": "19600102"},
    ],
)
def test_an_ecg_of_another_patient_or_time_changes_nothing(
    site: Site, tmp_path: Path, of_ecg: dict[str, str]
) -> None:
    pair = two(tmp_path, **of_ecg)
    site.analyse(pair.film)
    site.analyse(pair.ecg)
    assert revisions(site, pair.film_uid) == [(1, "estimated")]
    assert not tells_the_beat(site, pair.film_uid)


def evidence(items: Sequence[Dataset]) -> dict[str, set[str]]:
    """Study -> instances that an evidence sequence names, each study once."""
    assert len({item.StudyInstanceUID for item in items}) == len(items)
    return {
        str(item.StudyInstanceUID): {
            str(reference.ReferencedSOPInstanceUID)
            for series in item.ReferencedSeriesSequence
            for reference in series.ReferencedSOPSequence
        }
        for item in items
    }


def evidence_of_key_objects(made: dict[str, Path]) -> list[Dataset]:
    return list(dcmread(made["KOS"]).CurrentRequestedProcedureEvidenceSequence)


@pytest.mark.long
@pytest.mark.parametrize("studies", [1, 2])
def test_its_objects_pass_independent_validators(
    site: Site, reported: StudyDetail, tmp_path: Path, studies: int
) -> None:
    validator = shared("tools", "validate-sr")
    for tool in ("dciodvfy", "dsrdump", "dsr2html", "java"):
        require(tool)
    if studies == 2:
        pair = two(tmp_path)
        site.analyse(pair.ecg)
        reported = site.analyse(pair.film)
    paths = site.objects(reported, TOY)
    command = ["bash", str(validator), str(paths["SR"]), str(paths["KOS"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout
    picture = subprocess.run(
        [require("dciodvfy"), str(paths["SC"])], capture_output=True, text=True, check=False
    )
    assert not [line for line in picture.stderr.splitlines() if line.startswith("Error")]


def test_our_own_pipeline_reports_beside_it_as_ever(site: Site, tmp_path: Path) -> None:
    detail = site.analyse(*phantom(tmp_path / "study", 1))
    outcomes = {report.pipeline: report.outcome for report in detail.reports}
    assert outcomes == {OURS: "estimated", TOY: "not applicable"}
