"""Whom to call, how to know that it is them, and how long to wait for them."""

import hashlib
import ssl
from dataclasses import dataclass

from dicom_node.tls.watched import Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsTrust:
    """How a remote node is known in a TLS handshake.

    `context` verifies its certificate and shows ours; `name` is what the certificate must carry
    where the context checks names; `fingerprints` (SHA-256, hexadecimal), where given, pin it.
    """

    context: Watched[ssl.SSLContext]
    name: str
    fingerprints: frozenset[str] = frozenset()

    def recognises(self, connection: ssl.SSLSocket) -> bool:
        """Whether the certificate that was shown is one of those that are pinned."""
        shown = connection.getpeercert(binary_form=True) or b""
        return not self.fingerprints or hashlib.sha256(shown).hexdigest() in self.fingerprints


@dataclass(frozen=True, slots=True)
class RemoteNode:
    """A remote application entity as an administrator configures it.

    `ae_title` is the called, `calling_ae_title` our own title towards this node. `acse_timeout_s`
    bounds the answer to an association or release request, `dimse_timeout_s` the answer to one
    message and any standstill while a message is sent. `maximum_pdu_bytes` is what we can receive.
    Without `tls` the association is in plain text.
    """

    name: str
    host: str
    port: int
    ae_title: str
    calling_ae_title: str
    connect_timeout_s: float = 10.0
    acse_timeout_s: float = 30.0
    dimse_timeout_s: float = 60.0
    maximum_pdu_bytes: int = 131072
    tls: TlsTrust | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title} at {self.host}:{self.port})"
