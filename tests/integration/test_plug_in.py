"""A stranger's package, installed beside the node, is run from C-STORE to a validated report."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from storage.index import StudyDetail
from tests.node import Destination, Node
from tests.orthanc import Orthanc, running_orthanc
from tests.peers import require, shared
from tests.studies import held, phantom, study_uid

pytestmark = pytest.mark.long

PLUGIN = Path(__file__).resolve().parents[1] / "plugin"
CHEST = "1.2.840.10008.5.1.4.1.1.1.1"
STUDY = generate_uid()
TOY = '{"mild": 0.3, "severe": 0.7}'


@dataclass
class Site(Node):
    """A node that runs our pipeline, a stranger's, and one that is broken."""

    def configure(self) -> None:
        super().configure()
        bundle = self.folder / "toy"
        bundle.mkdir(exist_ok=True)
        (bundle / "toy.json").write_text(TOY)
        others = [f'[[pipeline]]\nname = "{name}"\nbundle = "toy"' for name in ("chest_and_beat",)]
        others.append('[[pipeline]]\nname = "broken"\nbundle = "toy"')
        self.settings_file.write_text("\n".join([self.settings_file.read_text(), *others]))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package as pip installs it, and one that cannot be imported, on the node's path."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(PLUGIN, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(folder), str(source)], check=True)
    about = folder / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[echonode.pipelines]\nbroken = nowhere:PIPELINE\n")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [before, str(folder)]))
    yield folder
    os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("pacs")) as orthanc:
        yield orthanc


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, installed: Path, pacs: Orthanc
) -> Iterator[Node]:
    site = Site(
        tmp_path_factory.mktemp("node"), [Destination("pacs", pacs.dicom_port, pacs.ae_title)]
    )
    site.start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def reported(node: Node, tmp_path_factory: pytest.TempPathFactory) -> StudyDetail:
    folder = tmp_path_factory.mktemp("study")
    files = [
        film(folder / "front.dcm", 1, "PA"),
        film(folder / "side.dcm", 2, "LL"),
        ecg(folder / "ecg.dcm"),
    ]
    assert all(result.stored for result in node.send(files))
    return node.wait_for_report(STUDY)


def film(file: Path, number: int, view: str) -> Path:
    """A film whose middle half is bright."""
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
    pixels = np.full((64, 64), 20, np.uint8)
    pixels[:, 16:48] = 200
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file


def ecg(file: Path) -> Path:
    """pydicom's ECG, in the film's study."""
    dataset = dcmread(get_testdata_file("waveform_ecg.dcm"))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.PatientID, dataset.PatientName = "TOY-1", "Toy^Bear"
    dataset.PatientBirthDate, dataset.PatientSex = "19600101", "O"
    dataset.InstanceNumber = 3
    dcmwrite(file, dataset)
    return file


def objects(pacs: Orthanc) -> dict[str, Dataset]:
    return {item.Modality: item for item in held(pacs, STUDY)}


def test_only_the_strangers_pipeline_reports_a_study_of_its_kind(reported: StudyDetail) -> None:
    outcomes = {report.pipeline: report.outcome for report in reported.reports}
    assert outcomes == {"chest_and_beat": "estimated", "echo_haemodynamics": "not applicable"}
    looked = {
        item.modality: [made.pipeline for made in item.preparations] for item in reported.instances
    }
    assert all("echo_haemodynamics" not in names for names in looked.values())


def test_a_broken_one_fails_visibly_and_the_others_go_on(node: Node, reported: StudyDetail) -> None:
    assert set(reported.revisions[-1].failures) == {"broken"}
    lines = node.command("doctor", check=False).stdout.splitlines()
    [line] = [line for line in lines if "bundle of broken" in line]
    assert line.startswith("BAD")
    assert "ModuleNotFoundError" in line
    assert any(line.startswith("good") and "bundle of chest_and_beat" in line for line in lines)


def test_its_report_says_its_own_words(reported: StudyDetail, pacs: Orthanc) -> None:
    report = objects(pacs)["SR"]
    said = str(report)
    for words in (
        "Cardiothoracic ratio",
        "Plain radiography",
        "Size of the shadow: Mild, probability 80 %",
        "Pleural effusion: not stated (the toy has seen too few).",
        "Measured by a toy; a ruler is better.",
        "film from the side",
    ):
        assert words in said, words
    assert "loop" not in said.lower()
    assert objects(pacs)["OT"].BodyPartExamined == "CHEST"
    assert objects(pacs)["KO"].SeriesDescription.endswith("(AI key films and ECGs)")


def test_its_objects_pass_independent_validators(
    reported: StudyDetail, pacs: Orthanc, tmp_path: Path
) -> None:
    validator = shared("tools", "validate-sr")
    for tool in ("dciodvfy", "dsrdump", "dsr2html", "java"):
        require(tool)
    paths = {}
    for modality, item in objects(pacs).items():
        if modality in {"SR", "KO", "OT"}:
            paths[modality] = tmp_path / f"{modality}.dcm"
            dcmwrite(paths[modality], item)
    command = ["bash", str(validator), str(paths["SR"]), str(paths["KO"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout
    picture = subprocess.run(
        [require("dciodvfy"), str(paths["OT"])], capture_output=True, text=True, check=False
    )
    assert not [line for line in picture.stderr.splitlines() if line.startswith("Error")]


def test_our_own_pipeline_reports_beside_it_as_ever(node: Node, tmp_path: Path) -> None:
    files = phantom(tmp_path / "study", 1)
    node.send(files)
    detail = node.wait_for_report(study_uid(files))
    outcomes = {report.pipeline: report.outcome for report in detail.reports}
    assert outcomes == {"echo_haemodynamics": "estimated", "chest_and_beat": "not applicable"}
