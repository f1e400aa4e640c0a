"""DICOM over TLS, in: whose certificate is whose, and everybody who is not let in."""

import hashlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from dicom_node.scp import Peer
from dicom_node.tls.authority import revoke
from dicom_node.tls.certificates import CertificateRule, authorities, read_certificates
from dicom_node.tls.profile import Credentials, listening_context
from storage.audit.trail import Action
from tests.certificates import Authority, pin_of
from tests.peers import require, wait_until
from tests.scp_listening import Node, item, listening, peer, send

VERIFICATION = "1.2.840.10008.1.1"


@dataclass(frozen=True)
class Hospital:
    """The hospital's authority, a service firm's, and certificates of these and of nobody's."""

    ours: Authority
    theirs: Authority
    node: Credentials
    cart: Credentials
    other: Credentials
    expired: Credentials
    foreign: Credentials
    stranger: Credentials


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    folder = tmp_path_factory.mktemp("certificates")
    ours, theirs = Authority.at(folder / "hospital"), Authority.at(folder / "firm")
    long_ago = datetime.now(UTC) - timedelta(days=1000)
    return Hospital(
        ours,
        theirs,
        node=ours.issue("node"),
        cart=ours.issue("cart"),
        other=ours.issue("other"),
        expired=ours.issue("cart", long_ago, stem="expired"),
        foreign=theirs.issue("cart"),
        stranger=Authority.at(folder / "nobody").issue("cart"),
    )


def named(hospital: Hospital, title: str, **changes: object) -> Peer:
    """A peer that comes by TLS with the certificate of its name."""
    return peer(title, certificate=hospital.ours.rule(name=title.lower()), **changes)


def echoscu(
    port: int, own: Credentials | None, ca: Path, calling: str = "CART", *options: str
) -> str:
    """What DCMTK's echoscu says when it calls by TLS."""
    shown = ["+tls", str(own.key), str(own.certificate)] if own else ["+tla"]
    command = [require("echoscu"), "-v", "-to", "3", *shown, "+cf", str(ca), *options]
    done = subprocess.run(
        [*command, "-aet", calling, "-aec", "ECHONODE", "127.0.0.1", str(port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def node(hospital: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that knows peers of every kind."""
    known = [
        named(hospital, "CART"),
        peer("PINNED", certificate=hospital.ours.rule(hospital.cart)),
        peer("FOREIGN", certificate=hospital.theirs.rule()),
        peer("PLAIN"),
        peer("TLSONLY", certificate=hospital.ours.rule(name="cart")),
        named(hospital, "FAR", networks=(ip_network("10.9.9.9/32"),)),
    ]
    tls = listening_context(hospital.node, [hospital.ours.ca, hospital.theirs.ca])
    with listening(tmp_path_factory.mktemp("node"), *known, tls=tls) as running:
        yield running


def require_refusal(node: Node, reason: str, calling: str = "") -> None:
    """Somebody was refused for this reason; no title: before they could say who they are."""

    def is_audited() -> bool:
        details = [event.detail for event in node.events(Action.ASSOCIATION_REFUSED)]
        return (calling, reason) in {(each["calling_aet"], each["reason"]) for each in details}

    wait_until(is_audited, what=f"{calling} is refused: {reason}")


@pytest.mark.parametrize("profile", ["+py", "+px"])
def test_dcmtk_stores_by_tls(tmp_path: Path, node: Node, hospital: Hospital, profile: str) -> None:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID, dataset.StudyInstanceUID = generate_uid(), generate_uid()
    dataset.SeriesInstanceUID, dataset.PatientID = generate_uid(), "4711"
    dataset.PixelData = bytes(3 << 20)
    dataset["PixelData"].VR = "OW"
    dataset.ensure_file_meta()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(tmp_path / "large.dcm", enforce_file_format=True)
    own, port = hospital.cart, str(node.tls_port)
    command = [require("storescu"), profile, "+tls", str(own.key), str(own.certificate)]
    command += ["+cf", str(hospital.ours.ca), "-aet", "CART", "-aec", "ECHONODE"]
    subprocess.run([*command, "127.0.0.1", port, str(tmp_path / "large.dcm")], check=True)
    stored = {study.summary.study_instance_uid: study.instances for study in node.studies()}
    assert len(stored[str(dataset.StudyInstanceUID)]) == 1
    endings = [event.detail["ending"] for event in node.wait_for(Action.ASSOCIATION_CLOSED)]
    assert set(endings) == {"released"}


@pytest.mark.parametrize("calling", ["CART", "PINNED", "TLSONLY"])
def test_a_peer_is_known_by_the_name_or_the_pin_of_its_certificate(
    node: Node, hospital: Hospital, calling: str
) -> None:
    assert "Success" in echoscu(node.tls_port, hospital.cart, hospital.ours.ca, calling)


def test_a_peer_may_have_an_authority_of_its_own(node: Node, hospital: Hospital) -> None:
    assert "Success" in echoscu(node.tls_port, hospital.foreign, hospital.ours.ca, "FOREIGN")
    # It vouches for its own peer only, whatever name it writes into a certificate.
    said = echoscu(node.tls_port, hospital.foreign, hospital.ours.ca, "TLSONLY")
    assert "Calling AE Title Not Recognized" in said
    require_refusal(node, "the certificate is not this peer's", "TLSONLY")


def test_a_certificate_may_be_trusted_itself(tmp_path: Path, hospital: Hospital) -> None:
    """As a cart's self-signed one: the file of authorities holds the very certificate."""
    cart = hospital.cart.certificate
    rule = CertificateRule(authorities=authorities(cart))
    tls = listening_context(hospital.node, [cart])
    with listening(tmp_path, peer("CART", certificate=rule), tls=tls) as node:
        assert "Success" in echoscu(node.tls_port, hospital.cart, hospital.ours.ca)
        assert "Success" not in echoscu(node.tls_port, hospital.other, hospital.ours.ca)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ("none", "no TLS: peer did not return a certificate"),
        ("stranger", "certificate refused: unable to get local issuer certificate"),
        ("expired", "certificate refused: certificate has expired"),
    ],
)
def test_who_shows_no_good_certificate_gets_no_tls(
    node: Node, hospital: Hospital, shown: str, reason: str
) -> None:
    own = None if shown == "none" else getattr(hospital, shown)
    with pytest.raises(OSError):  # a reset or an alert, as the timing has it
        _read_after_handshake(node.tls_port, own, hospital.ours.ca)
    require_refusal(node, reason)


def _read_after_handshake(port: int, own: Credentials | None, ca: Path) -> None:
    """With TLS 1.3 a client hears only when it reads that it was refused."""
    context = ssl.create_default_context(cafile=ca)
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as secured,
    ):
        if not secured.recv(1):
            raise ConnectionResetError


@pytest.mark.parametrize(
    ("calling", "reason"),
    [
        ("CART", "the certificate is not this peer's"),
        ("PINNED", "the certificate is not this peer's"),
        ("FOREIGN", "the certificate is not this peer's"),
        ("PLAIN", "the certificate is not this peer's"),
        ("STRANGER", "calling AE title unknown"),
        ("FAR", "calling AE title not allowed from this address"),
    ],
)
def test_a_good_certificate_is_good_for_its_own_peer_only(
    node: Node, hospital: Hospital, calling: str, reason: str
) -> None:
    said = echoscu(node.tls_port, hospital.other, hospital.ours.ca, calling)
    assert "Calling AE Title Not Recognized" in said
    require_refusal(node, reason, calling)


def test_a_peer_of_the_tls_port_is_refused_in_plain_text(node: Node) -> None:
    ae = AE("TLSONLY")
    ae.add_requested_context(VERIFICATION)
    assert ae.associate("127.0.0.1", node.port, ae_title="ECHONODE").is_rejected
    require_refusal(node, "this peer must come by TLS", "TLSONLY")


def test_plain_text_on_the_tls_port_is_refused(node: Node) -> None:
    ae = AE("PLAIN")
    ae.add_requested_context(VERIFICATION)
    assert not ae.associate("127.0.0.1", node.tls_port, ae_title="ECHONODE").is_established
    require_refusal(node, "no TLS: wrong version number")


def test_tls_on_the_plain_port_is_refused(node: Node, hospital: Hospital) -> None:
    said = echoscu(node.port, hospital.cart, hospital.ours.ca, "PLAIN")
    assert "Association Request Failed" in said
    assert send(node.port, item(), calling="PLAIN") == [0]


def test_without_a_plain_port_nobody_listens_there(tmp_path: Path, hospital: Hospital) -> None:
    tls = listening_context(hospital.node, [hospital.ours.ca])
    with listening(tmp_path, named(hospital, "CART"), tls=tls, port=0) as node:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", node.port), timeout=5)
        assert "Success" in echoscu(node.tls_port, hospital.cart, hospital.ours.ca)


def test_handshakes_that_stall_hold_nobody_up_and_end(tmp_path: Path, hospital: Hospital) -> None:
    tls = listening_context(hospital.node, [hospital.ours.ca])
    with listening(tmp_path, named(hospital, "CART"), tls=tls, acse_timeout_s=1.5) as node:
        address = ("127.0.0.1", node.tls_port)
        stalled = [socket.create_connection(address, timeout=10) for _ in range(20)]
        stalled[0].sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        began = time.monotonic()
        assert "Success" in echoscu(node.tls_port, hospital.cart, hospital.ours.ca)
        assert time.monotonic() - began < 1.5
        for connection in stalled:
            with connection:
                assert connection.recv(1) == b""
        [event, *_] = node.wait_for(Action.ASSOCIATION_REFUSED)
        assert event.detail["reason"] == "no TLS handshake in time"


@pytest.mark.parametrize(
    ("options", "agreed"),
    [
        ({"maximum_version": ssl.TLSVersion.TLSv1_2}, "TLSv1.2"),
        ({"minimum_version": ssl.TLSVersion.TLSv1_3}, "TLSv1.3"),
        ({"ciphers": "AES128-GCM-SHA256", "maximum_version": ssl.TLSVersion.TLSv1_2}, None),
        (
            {"ciphers": "ECDHE-ECDSA-AES128-SHA256", "maximum_version": ssl.TLSVersion.TLSv1_2},
            None,
        ),
        (
            {
                "ciphers": "ALL:@SECLEVEL=0",
                "minimum_version": ssl.TLSVersion.TLSv1,
                "maximum_version": ssl.TLSVersion.TLSv1_1,
            },
            None,
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_only_what_the_profile_allows_is_spoken(
    node: Node, hospital: Hospital, options: dict[str, object], agreed: str | None
) -> None:
    """PS3.15 B.12: TLS 1.2 with ephemeral keys and authenticated encryption, or TLS 1.3."""
    context = ssl.create_default_context(cafile=hospital.ours.ca)
    context.load_cert_chain(hospital.cart.certificate, hospital.cart.key)
    for name, value in options.items():
        if name == "ciphers":
            context.set_ciphers(str(value))
        else:
            setattr(context, name, value)
    with socket.create_connection(("127.0.0.1", node.tls_port), timeout=5) as connection:
        if agreed is None:
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_hostname="127.0.0.1")
        else:
            with context.wrap_socket(connection, server_hostname="127.0.0.1") as secured:
                assert secured.version() == agreed


def test_certificates_are_rotated_without_a_restart(tmp_path: Path, hospital: Hospital) -> None:
    first, second = hospital.ours.issue("node", stem="n1"), hospital.ours.issue("node", stem="n2")
    files = Credentials(tmp_path / "node.pem", tmp_path / "node.key")
    _install(files, first)
    with listening(
        tmp_path / "node",
        named(hospital, "CART"),
        tls=listening_context(files, [hospital.ours.ca]),
    ) as node:
        assert _shown(node.tls_port, hospital) == pin_of(first)
        files.certificate.write_text("-----BEGIN CERTIFICATE-----\nhalf a fi", "ascii")
        assert _shown(node.tls_port, hospital) == pin_of(first), "a broken file changes nothing"
        _install(files, second)
        assert _shown(node.tls_port, hospital) == pin_of(second)


def test_a_revoked_certificate_is_refused_from_then_on(tmp_path: Path, hospital: Hospital) -> None:
    crl = tmp_path / "crl.pem"
    crl.write_bytes(revoke(hospital.ours.pair, []))
    tls = listening_context(hospital.node, [hospital.ours.ca], crl)
    with listening(tmp_path / "node", named(hospital, "CART"), tls=tls) as node:
        assert "Success" in echoscu(node.tls_port, hospital.cart, hospital.ours.ca)
        crl.write_bytes(revoke(hospital.ours.pair, read_certificates(hospital.cart.certificate)))
        assert "Success" not in echoscu(node.tls_port, hospital.cart, hospital.ours.ca)
        [event] = node.wait_for(Action.ASSOCIATION_REFUSED)
        assert event.detail["reason"] == "certificate refused: certificate revoked"


def _install(files: Credentials, new: Credentials) -> None:
    """As an operator does: each file is replaced, the certificate first."""
    for place, source in ((files.certificate, new.certificate), (files.key, new.key)):
        fresh = place.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        fresh.chmod(0o600)
        fresh.replace(place)


def _shown(port: int, hospital: Hospital) -> str:
    """The fingerprint of the certificate that a listener shows."""
    context = ssl.create_default_context(cafile=hospital.ours.ca)
    context.load_cert_chain(hospital.cart.certificate, hospital.cart.key)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as secured,
    ):
        return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
