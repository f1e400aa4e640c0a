"""A storage node that accepts associations in odd ways, byte by byte, and answers as it is told."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

_RELEASE_RQ, _RELEASE_RP, _ABORT, _DATA = 5, bytes([6, 0, 0, 0, 0, 4, 0, 0, 0, 0]), 7, 4


def item(kind: int, value: bytes) -> bytes:
    """An item or sub-item (PS3.8 section 9.3.1)."""
    return struct.pack(">BxH", kind, len(value)) + value


DICOM = item(0x10, b"1.2.840.10008.3.1.1.1")
MAXIMUM_LENGTH = item(0x51, struct.pack(">I", 16_384))
IMPLEMENTATION = item(0x52, b"1.2.3.4")


@dataclass(frozen=True)
class Proposed:
    """A proposed context: its ID and first transfer syntax."""

    context_id: int
    syntax: bytes


def context(proposed: Proposed, result: int = 0, syntax: bytes | None = None) -> bytes:
    """A presentation context item of an acceptance (PS3.8 table 9-18)."""
    name = proposed.syntax if syntax is None else syntax
    names = item(0x40, name) if name else b""
    return item(0x21, bytes([proposed.context_id, 0, result, 0]) + names)


def acceptance(
    contexts: Sequence[bytes],
    user: bytes = MAXIMUM_LENGTH + IMPLEMENTATION,
    *,
    more: bytes = b"",
    titles: bytes = b"ECHONODE".ljust(16) + b"PACS".ljust(16),
) -> bytes:
    """An A-ASSOCIATE-AC (PS3.8 table 9-17)."""
    items = DICOM + b"".join(contexts) + more + item(0x50, user)
    body = struct.pack(">HH", 1, 0) + titles + bytes(32) + items
    return struct.pack(">BxI", 2, len(body)) + body


Accept = Callable[[list[Proposed]], bytes]
#: From the C-STORE request's command set to the command set of the answer.
Answer = Callable[[Dataset], Dataset]


def accept_all(proposed: list[Proposed]) -> bytes:
    """Accept each context in the first transfer syntax of it."""
    return acceptance([context(each) for each in proposed])


def success(request: Dataset) -> Dataset:
    """The response of a storage node that has the object."""
    response = Dataset()
    response.AffectedSOPClassUID = request.AffectedSOPClassUID
    response.CommandField = 0x8001
    response.MessageIDBeingRespondedTo = request.MessageID
    response.CommandDataSetType = 0x0101
    response.Status = 0x0000
    response.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
    return response


@contextmanager
def odd_acceptor(accept: Accept = accept_all, answer: Answer = success) -> Iterator[int]:
    """Accept and answer so, one association after the other; its port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, accept, answer), daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _serve(server: socket.socket, accept: Accept, answer: Answer) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            connection.settimeout(5)
            with connection, suppress(OSError, EOFError):
                _talk(connection, accept, answer)


def _talk(connection: socket.socket, accept: Accept, answer: Answer) -> None:
    command = b""
    while True:
        kind, body = _pdu(connection)
        if kind == 1:
            connection.sendall(accept(list(_proposed(body[68:]))))
        elif kind == _RELEASE_RQ:
            connection.sendall(_RELEASE_RP)
        elif kind == _ABORT:
            return
        elif kind == _DATA:
            context_id, control, value = body[4], body[5], body[6:]
            command = command + value if control & 1 else command
            if control == 2:  # the last fragment of the dataset
                connection.sendall(_response(context_id, answer(_read(command))))
                command = b""


def _read(command: bytes) -> Dataset:
    return dcmread(BytesIO(command), force=True)


def _response(context_id: int, command: Dataset) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, True
    write_dataset(stream, command)
    encoded = stream.getvalue()
    length = Dataset()
    length.CommandGroupLength = len(encoded)
    head = DicomBytesIO()
    head.is_little_endian, head.is_implicit_VR = True, True
    write_dataset(head, length)
    value = head.getvalue() + encoded
    body = struct.pack(">IBB", len(value) + 2, context_id, 3) + value
    return struct.pack(">BxI", _DATA, len(body)) + body


def _proposed(items: bytes) -> Iterator[Proposed]:
    for kind, value in _items(items):
        if kind == 0x20:
            names = [name for sub, name in _items(value[4:]) if sub == 0x40]
            yield Proposed(value[0], names[0])


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        kind, length = struct.unpack(">BxH", data[:4])
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]


def _pdu(connection: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxI", _exactly(connection, 6))
    return kind, _exactly(connection, length)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
