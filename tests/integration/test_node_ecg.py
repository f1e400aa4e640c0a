"""An ECG goes in, a report on it comes back, though its cart keeps the association open."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE

from inference.ecg.sop_classes import TWELVE_LEAD
from inference.phantom.ecg import write_decoy, write_form
from inference.phantom.ecg.decoys import DecoyKind
from inference.phantom.ecg.forms import FormKind
from tests.mllp import Ris
from tests.mllp import ris as running_ris
from tests.node import CART, Destination, Node, running_node
from tests.peers import require, shared
from tests.storescp import StoreScp, storescp
from tests.unit.ecg_bundles import BOTH, ecg_bundle, presence
from tests.unit.ecg_phantom import STUDY, drawn

PIPELINE = """[[pipeline]]
name = "ecg_ph"
bundle = "ecg-bundle"
device = "cpu"
[pipeline.options]
mains_hz = 60"""


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreScp]:
    with storescp(tmp_path_factory.mktemp("pacs")) as running:
        yield running


@pytest.fixture(scope="module")
def ris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ris]:
    with running_ris(tmp_path_factory.mktemp("ris")) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, pacs: StoreScp, ris: Ris) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    sure = tuple(presence(name, slope=1000.0) for name in BOTH)
    ecg_bundle(folder / "ecg-bundle", targets=sure)
    destinations = [Destination("pacs", pacs.port, "PACS"), Destination("ris", ris.port)]
    with running_node(folder, destinations, pipelines=PIPELINE, quiet_s=600.0) as running:
        yield running


@pytest.fixture(scope="module")
def received(node: Node, pacs: StoreScp, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the PACS got of a study of an ECG and of one that was cut short."""
    folder = tmp_path_factory.mktemp("study")
    short = write_decoy(folder / "2.dcm", STUDY, 2, drawn(), DecoyKind.SHORT)
    ecg = write_form(folder / "1.dcm", STUDY, 1, drawn(), FormKind.MDC)
    cart = AE(CART)
    cart.add_requested_context(TWELVE_LEAD)
    association = cart.associate("127.0.0.1", node.port, ae_title="ECHONODE")
    try:
        for file in (short, ecg):
            assert association.send_c_store(dcmread(file)).Status == 0
        detail = node.wait_for_report(STUDY.uid)
    finally:
        association.release()
    assert [item.outcome for item in detail.reports] == ["estimated"]
    assert detail.revisions[0].reason == "quiet period"
    return pacs.files()


def of(received: list[Path], modality: str) -> Path:
    (found,) = [path for path in received if dcmread(path).Modality == modality]
    return found


def flat(item: Dataset) -> list[Dataset]:
    children = list(item.get("ContentSequence", []))
    return [*children, *(below for child in children for below in flat(child))]


def test_the_report_names_the_ecg_with_its_channels(received: list[Path]) -> None:
    report = dcmread(of(received, "SR"))
    items = flat(report)
    (waveform,) = [item for item in items if item.ValueType == "WAVEFORM"]
    (reference,) = waveform.ReferencedSOPSequence
    assert len(reference.ReferencedWaveformChannels) == 24
    said = " ".join(str(item.TextValue) for item in items if item.ValueType == "TEXT")
    assert "Estimated from 12 leads of one ECG." in said
    assert "5.0 s, at least 8 s needed" in said
    meanings = {item.value for item in report.iterall() if item.keyword == "CodeMeaning"}
    assert {"Pulmonary hypertension", "12-Lead ECG", "Certainty of Finding"} <= meanings


def test_the_picture_shows_the_leads_and_what_the_model_looked_at(received: list[Path]) -> None:
    picture = dcmread(of(received, "OT"))
    assert picture.NumberOfFrames == 3
    assert (
        picture.SeriesDescription == "PHANTOM - PH estimated from the ECG (AI picture, unverified)"
    )


def test_the_ris_hears_of_it_as_an_ecg(received: list[Path], ris: Ris) -> None:
    assert received
    (message,) = ris.messages()
    assert message["OBR.F24"] == "EC"
    assert "70995007" in {str(line[3][0][0]) for line in message.segments("OBX")}


@pytest.mark.long
def test_both_pass_independent_validators(received: list[Path]) -> None:
    for tool in ("dciodvfy", "dsrdump", "dsr2html", "java"):
        require(tool)
    command = ["bash", str(shared("tools", "validate-sr")), str(of(received, "SR"))]
    judged = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert judged.returncode == 0, judged.stdout
    picture = subprocess.run(
        [require("dciodvfy"), str(of(received, "OT"))], capture_output=True, text=True, check=False
    )
    assert not [line for line in picture.stderr.splitlines() if line.startswith("Error")]
