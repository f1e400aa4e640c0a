"""An audit record repository: receives syslog over TLS (RFC 5425) and keeps what it got."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from dicom_node.tls.profile import Credentials, listening_context
from tests.certificates import Authority


@dataclass
class Received:
    """What came, whole messages only; `resets` connections are cut before anything is read."""

    port: int = 0
    lines: list[bytes] = field(default_factory=list)
    resets: int = 0
    connections: int = 0


@contextmanager
def repository(authority: Authority, own: Credentials, port: int = 0) -> Iterator[Received]:
    """Receive on a port of 127.0.0.1 from whoever shows a certificate of the authority."""
    context = listening_context(own, [authority.ca]).current()
    received = Received()
    with socket.create_server(("127.0.0.1", port)) as server:
        received.port = server.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(server, context, received), daemon=True)
        thread.start()
        try:
            yield received
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _serve(server: socket.socket, context: ssl.SSLContext, received: Received) -> None:
    with suppress(OSError):
        while True:
            plain, _ = server.accept()
            plain.settimeout(5)
            with suppress(OSError):
                connection = context.wrap_socket(plain, server_side=True)
                received.connections += 1
                if received.resets:
                    received.resets -= 1
                    _reset(connection)
                else:
                    _receive(connection, received)


def _reset(connection: ssl.SSLSocket) -> None:
    """End as a process that is killed with lines unread."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _receive(connection: ssl.SSLSocket, received: Received) -> None:
    with connection, connection.makefile("rb") as stream:
        while length := _length(stream):
            received.lines.append(stream.read(length))
        connection.unwrap().close()


def _length(stream: object) -> int:
    digits = b""
    while (digit := stream.read(1)) not in (b" ", b""):  # type: ignore[attr-defined]
        digits += digit
    return int(digits or 0)
