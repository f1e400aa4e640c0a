"""From a TCP connection to a TLS one: bounded in time, and with words for what went wrong."""

import ssl

from dicom_node.errors import NodeError
from dicom_node.scp.upper_layer.connection import ReceivingSocket


class HandshakeError(NodeError):
    """No TLS came about; the message is OpenSSL's reason and quotes nothing the peer sent."""


def secure(connection: ReceivingSocket, context: ssl.SSLContext, timeout_s: float | None) -> bytes:
    """Make an accepted connection a TLS one; the peer's certificate (DER).

    Raises:
        HandshakeError: the peer speaks no TLS, shows no good certificate, or takes too long.
    """
    plain = connection.socket
    if plain is None:
        raise HandshakeError("the connection is closed")
    patience_s = plain.gettimeout()
    try:
        secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        connection.socket = secured
        secured.settimeout(timeout_s)  # of the whole handshake, however slowly it drips
        secured.do_handshake()
        secured.settimeout(patience_s)
        certificate = secured.getpeercert(binary_form=True)
    except OSError as error:
        raise HandshakeError(_words(error)) from None
    if certificate is None:
        raise HandshakeError("no certificate")
    return certificate


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no TLS handshake in time"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"no TLS: {error.reason.lower().replace('_', ' ')}"
    return "connection ended during the TLS handshake"
