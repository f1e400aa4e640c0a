"""Syslog messages (RFC 5424), and their way over TLS (RFC 5425), as PS3.15 A.6 wants them."""

import socket
import ssl
from collections.abc import Sequence
from datetime import UTC

from dicom_node.audit_messages.message import AuditMessage, AuditSource, to_xml

#: Facility 10 (security); severity 5 (notice), or 4 (warning) for what failed.
_NOTICE, _WARNING = 85, 84
_MSGID = "DICOM+RFC3881"
_APP_NAME = "echonode"
_CHUNK_BYTES = 65_536


def line(message: AuditMessage, source: AuditSource, hostname: str) -> bytes:
    """One message as syslog has it, dated by its event: told twice, it is the same bytes."""
    priority = _NOTICE if message.outcome == "0" else _WARNING
    at = message.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    head = f"<{priority}>1 {at} {hostname} {_APP_NAME} - {_MSGID} - "
    return head.encode() + to_xml(message, source)


def send(
    lines: Sequence[bytes], host: str, port: int, context: ssl.SSLContext, timeout_s: float
) -> None:
    """Send lines over a connection of their own, and have its end confirmed.

    Syslog has no acknowledgement, but TLS delivers in order: a receiver answers our close_notify
    with its own (RFC 5425 section 4.4: it must) once it has taken in all that stood before.

    Raises:
        OSError: not connected, not trusted, or the end was not confirmed; all must be sent again.
    """
    with socket.create_connection((host, port), timeout_s) as plain:
        stream = _Stream(plain, context, host)
        stream.open()
        stream.write(b"".join(b"%d %b" % (len(item), item) for item in lines))
        stream.close()


class _Stream:
    """TLS over a socket, taken in hand for the sake of its end.

    `ssl.SSLSocket.unwrap` tells a receiver that rejects our certificate, which in TLS 1.3 comes
    after the handshake, from one that closes in good order as little as OpenSSL's SSL_shutdown.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def open(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
            else:
                return self._flush()

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK_BYTES):
            self._tls.write(data[start : start + _CHUNK_BYTES])
            self._flush()

    def close(self) -> None:
        """Send close_notify and wait for the answer; an alert or a bare end is an error."""
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            self._flush()
        while True:
            try:
                if not self._tls.read(_CHUNK_BYTES):
                    return
            except ssl.SSLZeroReturnError:
                return
            except ssl.SSLWantReadError:
                self._receive()

    def _flush(self) -> None:
        self._plain.sendall(self._outgoing.read())

    def _receive(self) -> None:
        data = self._plain.recv(_CHUNK_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
