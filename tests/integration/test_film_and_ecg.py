"""A film and ECGs of one patient come as several studies: one report, filed with the film."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from inference.phantom.ecg.decoys import DecoyKind
from inference.phantom.ecg.forms import FormKind
from inference.phantom.ecg.making import write_decoy, write_form
from inference.phantom.film.writing import FilmTags, write
from inference.phantom.writing import StudyTags
from tests.node import Destination, Node, running_node
from tests.peers import require, shared, wait_until
from tests.storescp import StoreScp, storescp
from tests.unit import ecg_phantom, films
from tests.unit.film_bundles import film_bundle

DAY = date(2024, 1, 15)
PIPELINE = '[[pipeline]]\nname = "cxr_ecg"\nbundle = "bundle"\ndevice = "cpu"'
SR = "1.2.840.10008.5.1.4.1.1.88.34"


@dataclass
class Patient:
    """What is sent of one patient, and what came back at the PACS."""

    node: Node
    pacs: StoreScp
    folder: Path
    name: str
    sent: dict[str, str] = field(default_factory=dict)

    def film(self) -> str:
        """Send a PA film; its Study Instance UID."""
        study = StudyTags(f"tests/{self.name}/film", self.name, DAY)
        file = self.folder / f"{self.name}-film.dcm"
        return self._send(write(file, study, FilmTags(1), films.greys()))

    def ecg(self, days: int, written_as: DecoyKind | None = None) -> str:
        """Send an ECG so many days after the film; its Study Instance UID."""
        study = StudyTags(f"tests/{self.name}/{days}", self.name, DAY + timedelta(days))
        file = self.folder / f"{self.name}-{days}.dcm"
        if written_as is not None:
            return self._send(write_decoy(file, study, 1, ecg_phantom.drawn(), written_as))
        return self._send(write_form(file, study, 1, ecg_phantom.drawn(), FormKind.MDC))

    def outcomes(self, study: str, revisions: int) -> list[str]:
        """What each revision of a study came to, once the last one did and was sent."""
        detail = self.node.wait_for_report(study, revisions)
        return [report.outcome for report in sorted(detail.reports, key=lambda it: it.revision)]

    def reports(self) -> list[Dataset]:
        """The structured reports that the PACS has of the patient, in their order."""
        found = [dcmread(file) for file in self.pacs.files()]
        mine = [item for item in found if item.SOPClassUID == SR and item.PatientID == self.name]
        return sorted(mine, key=lambda item: len(item.get("PredecessorDocumentsSequence", [])))

    def _send(self, file: Path) -> str:
        assert all(result.stored for result in self.node.send([file]))
        header = dcmread(file, stop_before_pixels=True)
        self.sent[str(header.StudyInstanceUID)] = str(header.SOPInstanceUID)
        return str(header.StudyInstanceUID)


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreScp]:
    with storescp(tmp_path_factory.mktemp("pacs")) as running:
        yield running


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, pacs: StoreScp) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    film_bundle(folder / "bundle")
    destinations = [Destination("pacs", pacs.port, "PACS")]
    with running_node(folder, destinations, pipelines=PIPELINE) as running:
        yield running


def evidence(report: Dataset) -> dict[str, str]:
    """Study -> instance of all that a report rests on."""
    return {
        str(study.StudyInstanceUID): str(series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for name in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in report.get(name, [])
        for series in study.ReferencedSeriesSequence
    }


def test_a_film_is_reported_once_its_ecg_is_there_and_again_for_a_nearer_one(
    node: Node, pacs: StoreScp, tmp_path: Path
) -> None:
    patient = Patient(node, pacs, tmp_path, "FILM-FIRST")
    film = patient.film()
    assert patient.outcomes(film, 1) == ["abstained"]
    assert not node.study(film).deliveries

    ecg = patient.ecg(-3)
    assert patient.outcomes(film, 2) == ["abstained", "estimated"]
    [report] = patient.reports()
    assert report.StudyInstanceUID == film
    assert evidence(report) == {uid: patient.sent[uid] for uid in (film, ecg)}

    farther = patient.ecg(5)
    assert patient.outcomes(film, 3)[2:] == ["no effect"]
    nearer = patient.ecg(1)
    assert patient.outcomes(film, 4)[3:] == ["estimated"]
    _, revised = patient.reports()
    assert evidence(revised) == {uid: patient.sent[uid] for uid in (film, nearer)}
    assert patient.outcomes(ecg, 1) == patient.outcomes(farther, 1) == ["not applicable"]


def test_where_the_ecg_came_first_there_is_one_report(
    node: Node, pacs: StoreScp, tmp_path: Path
) -> None:
    patient = Patient(node, pacs, tmp_path, "ECG-FIRST")
    ecg = patient.ecg(2, DecoyKind.PDF)
    assert patient.outcomes(ecg, 1) == ["not applicable"]
    film = patient.film()
    assert patient.outcomes(film, 1) == ["estimated"]
    [report] = patient.reports()
    assert evidence(report) == {uid: patient.sent[uid] for uid in (film, ecg)}


def test_an_ecg_that_cannot_be_used_is_told_of(node: Node, pacs: StoreScp, tmp_path: Path) -> None:
    patient = Patient(node, pacs, tmp_path, "NOISE")
    patient.ecg(1, DecoyKind.NOISE)
    assert patient.outcomes(patient.film(), 1) == ["abstained"]
    [report] = patient.reports()
    assert "Heartbeats not recognised" in report.to_json()


@pytest.mark.long
def test_what_the_pacs_has_passes_independent_validators(
    node: Node, pacs: StoreScp, tmp_path: Path
) -> None:
    validator = shared("tools", "validate-sr")
    for tool in ("dciodvfy", "dsrdump", "dsr2html", "java"):
        require(tool)
    patient = Patient(node, pacs, tmp_path, "VALID")
    patient.ecg(2)
    film = patient.film()
    patient.outcomes(film, 1)
    wait_until(lambda: len(patient.reports()) == 1, 10, "the report is there")
    of_film = [path for path in pacs.files() if dcmread(path).get("StudyInstanceUID") == film]
    paths = {str(dcmread(path).Modality): path for path in of_film}
    command = ["bash", str(validator), str(paths["SR"]), str(paths["KO"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout
    picture = subprocess.run(
        [require("dciodvfy"), str(paths["OT"])], capture_output=True, text=True, check=False
    )
    assert not [line for line in picture.stderr.splitlines() if line.startswith("Error")]
