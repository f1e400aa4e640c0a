"""DICOM over TLS, out: whom the node trusts with a report, and what it says where it does not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dicom_node.scu.echo import echo
from dicom_node.scu.peer import RemoteNode, TlsTrust
from dicom_node.tls.profile import Credentials, calling_context, listening_context
from tests.certificates import Authority, pin_of
from tests.scp_listening import listening, peer
from tests.storescp import StoreScp, storescp


@dataclass(frozen=True)
class Hospital:
    """The hospital's authority and certificates, and a PACS that nobody vouches for."""

    ours: Authority
    node: Credentials
    pacs: Credentials
    stranger: Credentials


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    folder = tmp_path_factory.mktemp("certificates")
    ours = Authority.at(folder / "hospital")
    stranger = Authority.at(folder / "nobody").issue("pacs")
    return Hospital(ours, ours.issue("node"), ours.issue("pacs"), stranger)


@contextmanager
def pacs(folder: Path, own: Credentials, ca: Path) -> Iterator[StoreScp]:
    """storescp that speaks nothing but TLS and wants to see a certificate."""
    with storescp(folder, "+tls", str(own.key), str(own.certificate), "+cf", str(ca)) as running:
        yield running


def remote(
    port: int,
    hospital: Hospital,
    own: Credentials | None = None,
    name: str = "127.0.0.1",
    pins: frozenset[str] = frozenset(),
) -> RemoteNode:
    context = calling_context(own or hospital.node, [hospital.ours.ca], checks_name=not pins)
    return RemoteNode(
        "pacs",
        "127.0.0.1",
        port,
        "PACS",
        "ECHONODE",
        connect_timeout_s=3,
        acse_timeout_s=3,
        tls=TlsTrust(context=context, name=name, fingerprints=pins),
    )


def test_dcmtk_answers_by_tls(tmp_path: Path, hospital: Hospital) -> None:
    with pacs(tmp_path, hospital.pacs, hospital.ours.ca) as running:
        assert echo(remote(running.port, hospital)).ok
        assert echo(remote(running.port, hospital, name="pacs")).ok
        pinned = frozenset({pin_of(hospital.pacs)})
        assert echo(remote(running.port, hospital, name="elsewhere", pins=pinned)).ok


def test_a_destination_by_another_name_or_another_pin_gets_nothing(
    tmp_path: Path, hospital: Hospital
) -> None:
    with pacs(tmp_path, hospital.pacs, hospital.ours.ca) as running:
        misnamed = echo(remote(running.port, hospital, name="archive"))
        assert not misnamed.ok
        assert "its certificate is refused: Hostname mismatch" in misnamed.detail
        pinned = frozenset({pin_of(hospital.node)})
        unpinned = echo(remote(running.port, hospital, pins=pinned))
        assert not unpinned.ok
        assert "its certificate is not one of those that are pinned" in unpinned.detail
    assert "Requesting" not in (tmp_path / "storescp.log").read_text()


def test_a_destination_that_nobody_vouches_for_gets_nothing(
    tmp_path: Path, hospital: Hospital
) -> None:
    with pacs(tmp_path, hospital.stranger, hospital.ours.ca) as running:
        result = echo(remote(running.port, hospital))
    assert not result.ok
    assert "its certificate is refused: unable to get local issuer" in result.detail


def test_a_destination_in_plain_text_gets_nothing(tmp_path: Path, hospital: Hospital) -> None:
    with storescp(tmp_path) as running:
        result = echo(remote(running.port, hospital))
    assert not result.ok
    assert "TLS failed" in result.detail


def test_a_destination_that_does_not_trust_us_is_told_apart(
    tmp_path: Path, hospital: Hospital
) -> None:
    with pacs(tmp_path, hospital.pacs, hospital.ours.ca) as running:
        result = echo(remote(running.port, hospital, own=hospital.stranger))
    assert not result.ok
    assert "does it trust our certificate?" in result.detail


def test_the_node_sends_to_a_node(tmp_path: Path, hospital: Hospital) -> None:
    caller = peer("ECHONODE", certificate=hospital.ours.rule(name="node"))
    tls = listening_context(hospital.node, [hospital.ours.ca])
    with listening(tmp_path, caller, ae_title="PACS", tls=tls) as node:
        assert echo(remote(node.tls_port, hospital)).ok


def test_our_certificate_is_rotated_without_a_restart(tmp_path: Path, hospital: Hospital) -> None:
    files = Credentials(tmp_path / "own.pem", tmp_path / "own.key")
    install(files, hospital.stranger)
    with pacs(tmp_path, hospital.pacs, hospital.ours.ca) as running:
        known = remote(running.port, hospital, own=files)
        assert not echo(known).ok
        install(files, hospital.node)
        assert echo(known).ok


def install(files: Credentials, new: Credentials) -> None:
    for place, source in ((files.certificate, new.certificate), (files.key, new.key)):
        place.unlink(missing_ok=True)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(source.read_bytes())
