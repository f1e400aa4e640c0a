"""`echonode peer doctor` against real systems: what works, what does not, and what to change."""

import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydicom import dcmread
from structlog.testing import capture_logs

from dicom_node import app, logs
from dicom_node.cli import cli
from dicom_node.settings.file import read_settings
from storage.audit.trail import Action, search
from tests.certificates import Authority
from tests.dcmqrscp import AE_TITLE, dcmqrscp
from tests.mllp import ris
from tests.orthanc import Orthanc, dicomweb, running_orthanc
from tests.peers import free_port
from tests.scp_listening import listening, peer
from tests.storescp import PICTURES_ONLY, only, silent_port, storescp
from tests.web_pacs import Reply, web_pacs

PATIENT = "ECHONODE-TEST"


@pytest.fixture(autouse=True)
def _logs_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs within the test's own process, which keeps its standard error."""
    monkeypatch.setattr(logs, "configure", lambda _level: None)


@dataclass(frozen=True)
class Examined:
    """What the command said, and how it ended."""

    steps: dict[str, list[dict[str, str]]]
    exit_code: int

    def step(self, name: str) -> dict[str, str]:
        found = [step for steps in self.steps.values() for step in steps if step["name"] == name]
        assert found, f"no step {name!r} in {self.steps}"
        return found[0]

    def verdicts(self) -> dict[str, str]:
        return {step["name"]: step["verdict"] for steps in self.steps.values() for step in steps}


class Doctor:
    """A node's settings, and the command run on them."""

    def __init__(self, folder: Path, text: str) -> None:
        self.file = folder / "node.toml"
        self.file.write_text(
            f'[receive]\nhost = "127.0.0.1"\nport = {free_port()}\n{text}', "utf-8"
        )

    def examine(self, name: str, *options: str) -> Examined:
        arguments = ["peer", "doctor", name, "--json", *options, "--config", str(self.file)]
        with capture_logs():
            done = CliRunner().invoke(cli, arguments)
        assert isinstance(done.exception, SystemExit | None), done.exception
        return Examined(json.loads(done.output), done.exit_code)

    def events(self) -> list[Any]:
        with (
            closing(app.open_database(read_settings(self.file))) as database,
            database.read() as tx,
        ):
            return search(tx, action=Action.PEER_EXAMINED)


def destination(port: int, ae_title: str = "PACS", **keys: str) -> str:
    lines = ['[[destination]]\nname = "pacs"\nhost = "127.0.0.1"', f"port = {port}"]
    lines += [f'ae_title = "{ae_title}"', "timeouts = { connect_s = 1, response_s = 2 }"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in keys.items())]) + "\n"


def archive(port: int, ae_title: str) -> str:
    return (
        f'[[archive]]\nname = "pacs"\nhost = "127.0.0.1"\nport = {port}\nae_title = "{ae_title}"\n'
        'retrieve = "get"\n'
    )


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    folder = tmp_path_factory.mktemp("orthanc")
    known = {"node": ("ECHONODE", "127.0.0.1", free_port())}
    with running_orthanc(
        folder,
        modalities=known,
        DicomAlwaysAllowFind=True,
        DicomAlwaysAllowGet=True,
        **dicomweb(),
    ) as running:
        yield running


def test_nothing_is_stored_unless_asked_for(tmp_path: Path, orthanc: Orthanc) -> None:
    doctor = Doctor(
        tmp_path,
        destination(orthanc.dicom_port, "ORTHANC") + archive(orthanc.dicom_port, "ORTHANC"),
    )
    before = orthanc.instances()
    found = doctor.examine("pacs")
    assert found.exit_code == 0, found
    assert found.step("store")["verdict"] == "skipped"
    assert found.step("SR: Comprehensive 3D SR Storage")["detail"].endswith("this is what is sent")
    assert found.step("query")["verdict"] == "works"
    assert orthanc.instances() == before
    [event] = doctor.events()
    assert (event.peer, event.outcome, event.detail["sent"]) == ("pacs", "success", False)
    assert event.actor


def test_a_synthetic_report_is_stored_and_found(tmp_path: Path, orthanc: Orthanc) -> None:
    doctor = Doctor(
        tmp_path,
        destination(orthanc.dicom_port, "ORTHANC") + archive(orthanc.dicom_port, "ORTHANC"),
    )
    found = doctor.examine("pacs", "--send")
    verdicts = found.verdicts()
    assert {verdicts[f"store {kind}"] for kind in ("SR", "SC", "KOS")} == {"works"}
    assert verdicts["read back"] == "works"
    # Orthanc reports on an association of its own, where this test listens to nobody.
    assert "the request was taken" in found.step("storage commitment")["detail"]
    assert PATIENT in found.step("traces")["advice"]
    [name] = {
        item["PatientMainDicomTags"]["PatientName"]
        for item in orthanc.find(
            {"Level": "Study", "Expand": True, "Query": {"PatientID": PATIENT}}
        )
    }
    assert name == "ECHONODE^TEST"


def test_a_commitment_that_comes_at_once_is_told(tmp_path: Path) -> None:
    us = peer("ECHONODE", may=frozenset({"echo", "store", "commit"}))
    with listening(tmp_path / "other", us, ae_title="OTHER") as other:
        text = destination(other.port, "OTHER", climb_to='"committed"')
        found = Doctor(tmp_path, text).examine("pacs", "--send")
    step = found.step("storage commitment")
    assert (step["verdict"], step["detail"]) == ("works", "3 of 3 objects are committed")


def test_a_commitment_that_is_needed_and_refused_fails(tmp_path: Path) -> None:
    with dcmqrscp(tmp_path) as pacs:
        text = destination(pacs.port, AE_TITLE, climb_to='"committed"')
        found = Doctor(tmp_path, text + archive(pacs.port, AE_TITLE)).examine("pacs", "--send")
    assert found.exit_code == 1
    assert found.step("storage commitment class")["verdict"] == "fails"
    assert "Storage Commitment Push Model" in found.step("storage commitment class")["advice"]
    assert found.step("read back")["verdict"] == "works"


def test_a_report_in_the_wrong_hands_is_named(tmp_path: Path, orthanc: Orthanc) -> None:
    found = Doctor(tmp_path, destination(orthanc.dicom_port, "SOMEBODY")).examine("pacs")
    assert found.exit_code == 1
    step = found.step("association")
    assert step["verdict"] == "fails"
    assert '`ae_title` = "SOMEBODY"' in step["advice"]
    assert "echo" not in found.verdicts()


def test_a_pacs_without_structured_reports(tmp_path: Path) -> None:
    with storescp(tmp_path, profile=PICTURES_ONLY) as pacs:
        found = Doctor(tmp_path, destination(pacs.port)).examine("pacs", "--send")
        received = {str(dcmread(file).SOPInstanceUID) for file in pacs.files()}
    assert found.exit_code == 1  # for the key objects, which nothing replaces
    step = found.step("SR: Comprehensive 3D SR Storage")
    assert step["verdict"] == "lacks"
    assert "Secondary Capture Image Storage is sent in its place" in step["detail"]
    assert "allow Comprehensive 3D SR Storage" in step["advice"]
    assert found.step("store SR")["verdict"] == "lacks"
    assert found.step("store SC")["verdict"] == "works"
    assert found.step("store KOS")["verdict"] == "fails"
    assert len(received) == 1


def test_an_old_pacs_takes_a_lesser_class(tmp_path: Path) -> None:
    classes = ["ComprehensiveSRStorage", "SecondaryCaptureImageStorage", "VerificationSOPClass"]
    with storescp(tmp_path, profile=only(classes)) as pacs:
        doctor = Doctor(tmp_path, destination(pacs.port, kinds='["SR", "SC"]'))
        found = doctor.examine("pacs")
    assert found.exit_code == 0
    assert found.step("SR: Comprehensive 3D SR Storage")["verdict"] == "lacks"
    assert "this is what is sent" in found.step("SR: Comprehensive SR Storage")["detail"]


@pytest.mark.parametrize(
    ("host_and_port", "step", "says"),
    [
        ("refused", "connection", "no program listens on port"),
        ("unknown", "address", "the host name no-such-host.invalid is not known"),
        ("silent", "association", "it took the connection and said nothing"),
    ],
)
def test_who_does_not_answer_is_told_apart(
    tmp_path: Path, host_and_port: str, step: str, says: str
) -> None:
    with silent_port() as silent:
        text = destination(silent if host_and_port == "silent" else free_port())
        if host_and_port == "unknown":
            text = text.replace("127.0.0.1", "no-such-host.invalid")
        found = Doctor(tmp_path, text).examine("pacs")
    assert found.exit_code == 1
    failed = found.step(step)
    assert failed["verdict"] == "fails"
    assert says.lower() in f"{failed['detail']} {failed['advice']}".lower()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority.at(tmp_path_factory.mktemp("certificates") / "hospital")
    for name in ("node", "pacs"):
        authority.issue(name)
    return authority


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority.at(tmp_path_factory.mktemp("certificates") / "stranger")
    for name in ("node", "pacs"):
        authority.issue(name)
    return authority


def with_tls(own: Authority, trusted: Authority, port: int, **keys: str) -> str:
    tls = (
        f'[tls]\ncertificate = "{own.folder / "node.pem"}"\nkey = "{own.folder / "node.key"}"\n'
        f'ca = "{trusted.ca}"\n'
    )
    return tls + destination(port, **{"tls": "true"} | keys)


def serving_tls(folder: Path, own: Authority, trusted: Authority) -> Any:
    files = [str(own.folder / "pacs.key"), str(own.folder / "pacs.pem")]
    return storescp(folder, "+tls", *files, "+cf", str(trusted.ca))


def test_tls_that_is_trusted_both_ways(tmp_path: Path, hospital: Authority) -> None:
    with serving_tls(tmp_path, hospital, hospital) as pacs:
        found = Doctor(tmp_path, with_tls(hospital, hospital, pacs.port)).examine("pacs")
    assert found.step("TLS")["verdict"] == "works"
    assert found.step("TLS")["detail"].startswith("TLSv1.")
    assert "issued by CN=hospital" in found.step("its certificate")["detail"]
    assert found.step("echo")["verdict"] == "works"


def test_a_certificate_that_nobody_vouches_for(
    tmp_path: Path, hospital: Authority, stranger: Authority
) -> None:
    with serving_tls(tmp_path, stranger, hospital) as pacs:
        found = Doctor(tmp_path, with_tls(hospital, hospital, pacs.port)).examine("pacs")
    assert "put the authority that issued it" in found.step("TLS")["advice"]
    assert "issued by CN=stranger" in found.step("its certificate")["detail"]


def test_a_certificate_by_another_name(tmp_path: Path, hospital: Authority) -> None:
    with serving_tls(tmp_path, hospital, hospital) as pacs:
        text = with_tls(hospital, hospital, pacs.port, tls='{ name = "archive" }')
        found = Doctor(tmp_path, text).examine("pacs")
    assert "set `tls.name` to one of the names below" in found.step("TLS")["advice"]
    assert "for 127.0.0.1, pacs" in found.step("its certificate")["detail"]


def test_our_own_certificate_that_is_refused(
    tmp_path: Path, hospital: Authority, stranger: Authority
) -> None:
    with serving_tls(tmp_path, hospital, hospital) as pacs:
        found = Doctor(tmp_path, with_tls(stranger, hospital, pacs.port)).examine("pacs")
    assert found.step("TLS")["verdict"] == "fails"
    assert "it refuses our certificate" in found.step("TLS")["detail"]
    assert "there: trust the authority of the certificate" in found.step("TLS")["advice"]


def test_plain_text_where_tls_was_meant(tmp_path: Path, hospital: Authority) -> None:
    with storescp(tmp_path) as pacs:
        found = Doctor(tmp_path, with_tls(hospital, hospital, pacs.port)).examine("pacs")
    assert "does this port speak TLS at all?" in found.step("TLS")["advice"]


def test_a_web_archive_is_stored_to_searched_and_left_clean(
    tmp_path: Path, orthanc: Orthanc
) -> None:
    url = f"http://127.0.0.1:{orthanc.http_port}/dicom-web"
    text = f'[[destination]]\nname = "web"\nurl = "{url}"\n'
    before = orthanc.instances()
    found = Doctor(tmp_path, text).examine("web", "--send")
    verdicts = found.verdicts()
    assert verdicts["search (QIDO-RS)"] == "works"
    assert {verdicts[f"store {kind}"] for kind in ("SR", "SC", "KOS")} == {"works"}
    assert verdicts["read back"] == "works"
    assert verdicts["traces"] == "works"
    assert orthanc.instances() == before


def test_a_web_service_that_nobody_vouches_for(
    tmp_path: Path, hospital: Authority, stranger: Authority
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(stranger.folder / "pacs.pem", stranger.folder / "pacs.key")
    with web_pacs(lambda _: Reply(), tls) as service:
        text = f'[[archive]]\nname = "web"\nurl = "{service.url}"\n'
        text += f'tls = {{ ca = "{hospital.ca}", mutual = false }}\n'
        found = Doctor(tmp_path, text).examine("web")
    assert "we refuse its certificate" in found.step("TLS")["detail"]
    assert "issued by CN=stranger" in found.step("its certificate")["detail"]
    assert service.requests == []


def test_a_ris_is_reached_and_told_nothing(tmp_path: Path) -> None:
    with ris(tmp_path) as running:
        text = (
            '[[destination]]\nname = "ris"\nprotocol = "hl7"\nhost = "127.0.0.1"\n'
            f"port = {running.port}\n"
        )
        found = Doctor(tmp_path, text).examine("ris", "--send")
        assert running.raw() == []
    assert found.exit_code == 0
    assert found.step("connection")["verdict"] == "works"


def test_a_peer_that_is_called_back_is_called(tmp_path: Path) -> None:
    with storescp(tmp_path, profile=only(["VerificationSOPClass"])) as cart:
        text = (
            '[[peer]]\nname = "cart"\nae_title = "CART"\nnetworks = ["127.0.0.1/32"]\n'
            'may = ["echo", "store", "commit"]\n'
            f'commitment_host = "127.0.0.1"\ncommitment_port = {cart.port}\n'
        )
        found = Doctor(tmp_path, text).examine("cart")
    assert found.exit_code == 1
    assert list(found.steps) == ["peer cart", "peer cart, called back"]
    assert "Storage Commitment Push Model" in found.step("storage commitment class")["advice"]


def test_a_wrong_path_of_a_web_service(tmp_path: Path, orthanc: Orthanc) -> None:
    url = f"http://127.0.0.1:{orthanc.http_port}/somewhere"
    found = Doctor(tmp_path, f'[[archive]]\nname = "web"\nurl = "{url}"\n').examine("web")
    assert found.exit_code == 1
    assert "`url` is not the root" in found.step("search (QIDO-RS)")["advice"]


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    doctor = Doctor(tmp_path, destination(104))
    arguments = ["peer", "doctor", "nobody", "--config", str(doctor.file)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert "known: pacs" in done.output


def test_what_an_administrator_reads(tmp_path: Path) -> None:
    with storescp(tmp_path) as pacs:
        doctor = Doctor(tmp_path, destination(pacs.port))
        arguments = ["peer", "doctor", "pacs", "--config", str(doctor.file)]
        said = CliRunner().invoke(cli, arguments).output
    assert "works    echo: answered after" in said
    assert said.splitlines()[-1].startswith("destination pacs: ")
