"""C-ECHO against real nodes: every failure says what is wrong."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_node.scu.echo import echo
from dicom_node.scu.peer import RemoteNode
from tests.orthanc import Orthanc, running_orthanc
from tests.peers import free_port
from tests.storescp import only, silent_port, storescp


def node(port: int, ae_title: str = "PACS", host: str = "127.0.0.1") -> RemoteNode:
    return RemoteNode(
        "pacs", host, port, ae_title, "ECHONODE", connect_timeout_s=2, acse_timeout_s=1
    )


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as orthanc:
        yield orthanc


def test_storescp_answers(tmp_path: Path) -> None:
    with storescp(tmp_path) as peer:
        result = echo(node(peer.port))
    assert result.ok
    assert result.duration_s < 2
    assert result.detail == f"pacs (PACS at 127.0.0.1:{peer.port}) answered"


def test_orthanc_answers(orthanc: Orthanc) -> None:
    assert echo(node(orthanc.dicom_port, "ORTHANC")).ok


def test_a_wrong_called_ae_title_is_named(orthanc: Orthanc) -> None:
    result = echo(node(orthanc.dicom_port, "SOMEBODY"))
    assert not result.ok
    assert "rejected the association: Called AE title not recognised" in result.detail


def test_a_node_that_refuses_everybody(tmp_path: Path) -> None:
    with storescp(tmp_path, "--refuse") as peer:
        result = echo(node(peer.port))
    assert not result.ok
    assert "rejected the association" in result.detail


def test_a_node_without_verification(tmp_path: Path) -> None:
    with storescp(tmp_path, profile=only(["SecondaryCaptureImageStorage"])) as peer:
        result = echo(node(peer.port))
    assert not result.ok
    assert "accepts none of the proposed SOP classes" in result.detail


def test_nobody_listens() -> None:
    result = echo(node(free_port()))
    assert not result.ok
    assert result.detail.endswith("connection refused")


def test_an_unknown_host() -> None:
    result = echo(node(104, host="no-such-host.invalid"))
    assert not result.ok
    assert result.detail.endswith("the host name is not known")


def test_a_port_that_accepts_and_never_answers_is_given_up_in_time() -> None:
    started = time.monotonic()
    with silent_port() as port:
        result = echo(node(port))
    assert not result.ok
    assert "answered no association within 1 s" in result.detail
    assert time.monotonic() - started < 5
