"""Who shows which certificate, and which rule fails on which side."""

import ssl
from datetime import UTC, datetime
from typing import Protocol

from dicom_node.peer_doctor.steps import Step, Steps, Verdict
from dicom_node.scu.peer import TlsTrust
from dicom_node.tls.certificates import Description
from dicom_node.tls.inspection import Handshake, shake_hands

#: A certificate is to be renewed so many days before its end.
_RENEWAL_DAYS = 30


class Called(Protocol):
    """A system that is called at an address, by TLS or not."""

    @property
    def host(self) -> str:
        """Its host name or address."""

    @property
    def port(self) -> int:
        """Its TCP port."""

    @property
    def connect_timeout_s(self) -> float:
        """How long to wait for a connection."""

    @property
    def tls(self) -> TlsTrust | None:
        """How it is known in a TLS handshake; None: plain text."""


def shake(node: Called) -> Steps:
    """Shake hands where the node is called by TLS; tell that it is not where it is not."""
    if node.tls is None:
        yield Step("TLS", Verdict.SKIPPED, "not configured: patients' data travel in plain text")
        return
    yield from handshake_steps(
        node.host,
        node.port,
        node.tls.context.current(),
        node.tls.name,
        node.connect_timeout_s,
        node.tls.fingerprints,
    )


def handshake_steps(
    host: str,
    port: int,
    context: ssl.SSLContext,
    server_name: str,
    timeout_s: float,
    fingerprints: frozenset[str] = frozenset(),
) -> Steps:
    """Shake hands and tell how that went; `fingerprints`, where given, pin the certificate."""
    try:
        handshake = shake_hands(host, port, context, server_name, timeout_s)
    except OSError:
        yield Step("TLS", Verdict.FAILS, "the connection broke before the handshake")
        return
    yield _judged(handshake, fingerprints)
    if handshake.shown is not None:
        yield _certificate(handshake.shown)


def _judged(handshake: Handshake, fingerprints: frozenset[str]) -> Step:
    name = "TLS"
    if handshake.refused:
        return Step(
            name,
            Verdict.FAILS,
            f"we refuse its certificate: {handshake.refused}",
            _why_we_refuse(handshake.refused),
        )
    if handshake.refused_by_peer and handshake.protocol:
        return Step(
            name,
            Verdict.FAILS,
            f"it refuses our certificate: {handshake.refused_by_peer}",
            "there: trust the authority of the certificate of [tls] "
            "(`echonode tls show` prints it), for TLS clients",
        )
    if handshake.refused_by_peer:
        return Step(
            name,
            Verdict.FAILS,
            f"no handshake: {handshake.refused_by_peer}",
            "there: does this port speak TLS at all? It needs TLS 1.2 or 1.3 with AES-GCM and "
            "ECDHE (PS3.15 B.12), and must trust our certificate; here: is `port` its TLS port?",
        )
    shown = handshake.shown
    if fingerprints and (shown is None or shown.fingerprint not in fingerprints):
        return Step(
            name,
            Verdict.FAILS,
            "its certificate is trusted, but is none of those in `tls.fingerprints`",
            "here: if the certificate below is known to be its own, add its fingerprint",
        )
    return Step(name, Verdict.WORKS, f"{handshake.protocol}, {handshake.suite}, trusted both ways")


def _why_we_refuse(reason: str) -> str:
    words = reason.lower()
    if "mismatch" in words or "not valid for" in words:
        return "here: set `tls.name` to one of the names below, or `host` to the name it carries"
    if "expired" in words:
        return "there: renew the certificate; it ended on the day below"
    if "not yet valid" in words:
        return "check the clocks of both machines; the certificate begins in the future"
    if "crl" in words or "revoked" in words:
        return (
            "its authority took the certificate back, or its list in `crl` of [tls] is out of date"
        )
    return "here: put the authority that issued it (see below) into its `tls.ca` or `ca` of [tls]"


def _certificate(shown: Description) -> Step:
    ends = f"{shown.expires_at:%Y-%m-%d}"
    detail = (
        f"{shown.subject or 'no subject'}, for {shown.names or 'no name'}, issued by "
        f"{shown.issuer}, valid to {ends}, SHA-256 {shown.fingerprint}"
    )
    days_left = (shown.expires_at - datetime.now(UTC)).days
    if days_left < _RENEWAL_DAYS:
        advice = f"there: renew it before {ends}"
        return Step("its certificate", Verdict.LACKS, detail, advice)
    return Step("its certificate", Verdict.WORKS, detail)
