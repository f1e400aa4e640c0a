"""MLLP: messages over TCP or TLS, each in a block and answered by one (HL7 MLLP release 1).

python-hl7 has a client as well; it reads an answer with one `recv` and waits for ever.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dicom_node.hl7.errors import (
    Hl7AnswerError,
    Hl7NotTrustedError,
    Hl7TimeoutError,
    Hl7UnreachableError,
)
from dicom_node.scu.peer import TlsTrust

_START, _END = b"\x0b", b"\x1c\r"
#: The CR behind it is missing from what some receivers send; no message holds this character.
_END_OF_ANSWER = b"\x1c"
#: No acknowledgement is as large.
_LARGEST_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpNode:
    """An HL7 system as an administrator configures it; `str()` is how messages name it.

    `application` and `facility` are whom messages are addressed to (MSH-5, MSH-6);
    `response_timeout_s` bounds the answer to one message. Without `tls` it is plain text.
    """

    name: str
    host: str
    port: int
    application: str = ""
    facility: str = ""
    connect_timeout_s: float = 10.0
    response_timeout_s: float = 60.0
    tls: TlsTrust | None = None

    def __str__(self) -> str:
        return f"{self.name} (HL7 at {self.host}:{self.port})"


class MllpConnection:
    """A connection to an HL7 system; one message at a time."""

    def __init__(self, node: MllpNode, connection: socket.socket) -> None:
        self._node = node
        self._connection = connection
        self._received = b""

    def ask(self, message: bytes) -> bytes:
        """Send a message and return the content of the block that answers it.

        Raises:
            Hl7TimeoutError: no answer came in time; one that comes later would be taken for the
                next message's, so the connection is of no more use.
            Hl7UnreachableError: the connection broke.
            Hl7AnswerError: what came is no block.
        """
        node = self._node
        try:
            self._discard()
            self._connection.sendall(_START + message + _END)
            return self._block()
        except TimeoutError:
            waited = f"{node.response_timeout_s:g} s"
            raise Hl7TimeoutError(f"{node}: no answer within {waited}") from None
        except OSError as exc:
            raise Hl7UnreachableError(f"{node}: {_words(exc)}") from None

    def interrupt(self) -> None:
        """From another thread: cut the connection; a waiting `ask` then raises."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _discard(self) -> None:
        """Forget what came unasked, as a second acknowledgement: it cannot answer what follows."""
        self._received = b""
        self._connection.setblocking(False)
        try:
            self._connection.recv(_LARGEST_ANSWER_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            self._connection.settimeout(self._node.response_timeout_s)

    def _block(self) -> bytes:
        deadline_s = time.monotonic() + self._node.response_timeout_s
        while _END_OF_ANSWER not in self._received:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._connection.settimeout(left_s)
            more = self._connection.recv(65536)
            if not more:
                raise Hl7UnreachableError(
                    f"{self._node}: it closed the connection without an answer"
                )
            self._received += more
            if len(self._received) > _LARGEST_ANSWER_BYTES:
                raise Hl7AnswerError(f"{self._node}: the answer is too long")
        block, _, self._received = self._received.partition(_END_OF_ANSWER)
        _, start, content = block.partition(_START)
        if not start:
            raise Hl7AnswerError(f"{self._node}: the answer is not an MLLP block")
        self._connection.settimeout(self._node.response_timeout_s)
        return content


@contextmanager
def connected(node: MllpNode) -> Iterator[MllpConnection]:
    """A connection for the length of a block.

    Raises:
        Hl7UnreachableError: no connection can be made.
        Hl7NotTrustedError: no TLS came about.
    """
    with _connect(node) as connection:
        connection.settimeout(node.response_timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield MllpConnection(node, connection)


def _connect(node: MllpNode) -> socket.socket:
    try:
        plain = socket.create_connection((node.host, node.port), node.connect_timeout_s)
    except TimeoutError:
        waited = f"{node.connect_timeout_s:g} s"
        raise Hl7UnreachableError(f"{node}: no answer within {waited}") from None
    except OSError as exc:
        raise Hl7UnreachableError(f"{node}: {_words(exc)}") from None
    return _encrypted(node, node.tls, plain) if node.tls else plain


def _encrypted(node: MllpNode, trust: TlsTrust, plain: socket.socket) -> ssl.SSLSocket:
    try:
        encrypted = trust.context.current().wrap_socket(plain, server_hostname=trust.name)
    except ssl.SSLCertVerificationError as exc:
        plain.close()
        message = f"{node}: its certificate is refused: {exc.verify_message}"
        raise Hl7NotTrustedError(message) from None
    except OSError as exc:
        plain.close()
        raise Hl7NotTrustedError(f"{node}: TLS failed: {_words(exc)}") from None
    if not trust.recognises(encrypted):
        encrypted.close()
        raise Hl7NotTrustedError(f"{node}: its certificate is not one of those that are pinned")
    return encrypted


def _words(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return str(reason or type(error).__name__).lower().replace("_", " ")
