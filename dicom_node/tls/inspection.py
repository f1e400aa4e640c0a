"""A TLS handshake looked at from outside: which certificate, which version, which rule fails.

Nothing but the handshake crosses the connection. Where the certificate is refused it is asked for
once more, to show an administrator what was refused; it is believed in no case.
"""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass

from dicom_node.tls.certificates import Description, describe_shown

#: How long a peer may take to say that it does not want our certificate, in seconds.
_AFTERTHOUGHT_S = 0.5


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a handshake ended.

    `refused` says, in OpenSSL's words, why we do not trust them; `refused_by_peer` why they do not
    trust us. `protocol` and `suite` are empty, and `shown` may be missing, where none came about.
    """

    protocol: str = ""
    suite: str = ""
    shown: Description | None = None
    refused: str = ""
    refused_by_peer: str = ""


def shake_hands(
    host: str, port: int, context: ssl.SSLContext, server_name: str, timeout_s: float
) -> Handshake:
    """Shake hands as an association would, and hang up.

    Raises:
        OSError: there is no connection.
    """
    with socket.create_connection((host, port), timeout_s) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=server_name) as secured:
                return _looked_at(secured)
        except ssl.SSLCertVerificationError as error:
            return Handshake(shown=_unverified(host, port, timeout_s), refused=error.verify_message)
        except OSError as error:
            return Handshake(
                shown=_unverified(host, port, timeout_s), refused_by_peer=_words(error)
            )


def _looked_at(secured: ssl.SSLSocket) -> Handshake:
    suite = secured.cipher()
    return Handshake(
        protocol=secured.version() or "",
        suite=suite[0] if suite else "",
        shown=_shown(secured),
        refused_by_peer=_afterthought(secured),
    )


def _afterthought(secured: ssl.SSLSocket) -> str:
    """What the peer says against our certificate, which in TLS 1.3 it judges after the handshake.

    An acceptor of associations that is content says nothing until it is asked.
    """
    secured.settimeout(_AFTERTHOUGHT_S)
    try:
        return "" if secured.recv(1) else "it closed the connection"
    except TimeoutError:
        return ""
    except OSError as error:
        return _words(error)


def _unverified(host: str, port: int, timeout_s: float) -> Description | None:
    """The certificate of whoever answers there, to be shown and not to be believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        suppress(OSError),
        socket.create_connection((host, port), timeout_s) as connection,
        context.wrap_socket(connection) as secured,
    ):
        return _shown(secured)
    return None


def _shown(secured: ssl.SSLSocket) -> Description | None:
    der = secured.getpeercert(binary_form=True)
    return describe_shown(der) if der else None


def _words(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return str(reason or "no answer").lower().replace("_", " ")
