"""The BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 B.12), both ways.

TLS 1.2 with ephemeral keys and authenticated encryption only, or TLS 1.3; both sides show a
certificate. A trusted file may hold an authority, an intermediate one, or the very certificate of
a system, self-signed or not: each is an end of the chain.
"""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dicom_node.tls.errors import TlsFileError
from dicom_node.tls.watched import Watched
from inference.regular_files import require_regular

#: The suites that PS3.15 B.12 requires for TLS 1.2; those of TLS 1.3 are all of this kind.
SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
MINIMUM_VERSION = ssl.TLSVersion.TLSv1_2
_OTHERS_MAY = 0o007


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are: a PEM certificate, its chain behind it, and its PEM key without passphrase."""

    certificate: Path
    key: Path


def listening_context(
    own: Credentials, trusted: Iterable[Path], revocations: Path | None = None
) -> Watched[ssl.SSLContext]:
    """The context of a listener: whoever connects must show a certificate that is `trusted`.

    With `revocations`, a file of CRLs, each authority must have its list there.

    Raises:
        TlsFileError: a file cannot be used.
    """
    return _watched(ssl.PROTOCOL_TLS_SERVER, own, tuple(trusted), revocations)


def calling_context(
    own: Credentials,
    trusted: Iterable[Path],
    revocations: Path | None = None,
    *,
    checks_name: bool,
) -> Watched[ssl.SSLContext]:
    """The context of a caller; with `checks_name` the certificate must carry the name called.

    Raises:
        TlsFileError: a file cannot be used.
    """
    return _watched(
        ssl.PROTOCOL_TLS_CLIENT, own, tuple(trusted), revocations, checks_name=checks_name
    )


def require_private(file: Path) -> None:
    """Require that a file with a secret is closed to other users of the machine.

    Raises:
        TlsFileError: others may read or change it, or it cannot be looked at.
    """
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise TlsFileError(f"{file}: {_words(error)}") from None
    if mode & _OTHERS_MAY:
        raise TlsFileError(f"{file}: other users may read it: chmod o= {file}")


def _watched(
    protocol: "ssl._SSLMethod",
    own: Credentials,
    trusted: tuple[Path, ...],
    revocations: Path | None,
    *,
    checks_name: bool = False,
) -> Watched[ssl.SSLContext]:
    def load() -> ssl.SSLContext:
        context = _profile(protocol)
        context.check_hostname = checks_name
        _show(context, own)
        for file in trusted:
            _trust(context, file)
        if revocations is not None:
            _trust(context, revocations)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        return context

    files = [own.certificate, own.key, *trusted, *([revocations] if revocations else [])]
    return Watched(files, load)


def _profile(protocol: "ssl._SSLMethod") -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = MINIMUM_VERSION
    context.set_ciphers(":".join(SUITES))
    # RFC 9325 sections 3.3 to 3.5: no compression, no tickets, no renegotiation.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    if protocol is ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _show(context: ssl.SSLContext, own: Credentials) -> None:
    require_private(own.key)
    try:
        for file in (own.certificate, own.key):
            require_regular(file)
        # An empty passphrase: a key that has one is refused, and nobody is asked at a terminal.
        context.load_cert_chain(own.certificate, own.key, password="")
    except OSError as error:
        raise TlsFileError(f"{own.certificate} with {own.key}: {_words(error)}") from None


def _trust(context: ssl.SSLContext, file: Path) -> None:
    try:
        require_regular(file)
        context.load_verify_locations(file)
    except OSError as error:
        raise TlsFileError(f"{file}: {_words(error)}") from None


def _words(error: OSError) -> str:
    """OpenSSL's reason or the system's; neither quotes the file."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).lower().replace("_", " ")
    return (error.strerror or type(error).__name__).lower()
