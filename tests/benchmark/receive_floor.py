"""The floor of the receive benchmark: the least that a Python program can do with a C-STORE.

It reads the socket into one large buffer, writes each dataset to a file, with `--fsync` syncs it,
and answers success. It checks nothing, knows no database and takes any association: what it reaches
is what this machine, its disk and the sender leave for a node to reach.
"""

import os
import socket
import struct
import sys
import threading
from pathlib import Path

_SUCCESS_TAIL = struct.pack("<HHIH", 0, 0x0800, 2, 0x0101) + struct.pack("<HHIH", 0, 0x0900, 2, 0)


class Floor:
    """One connection."""

    def __init__(self, connection: socket.socket, folder: Path, *, sync: bool) -> None:
        self._connection = connection
        self._folder = folder
        self._sync = sync
        self._buffer = bytearray(4 << 20)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._file = -1
        self._command = b""

    def serve(self) -> None:
        while True:
            head = self._take(6)
            if head is None:
                return
            kind, length = head[0], struct.unpack_from(">I", head, 2)[0]
            body = self._take(length)
            if body is None:
                return
            if kind == 1:
                self._connection.sendall(_accept(bytes(body)))
            elif kind == 4:
                self._data(body)
            else:
                self._connection.sendall(bytes.fromhex("06000000000400000000"))

    def _take(self, count: int) -> memoryview | None:
        while self._end - self._start < count:
            if len(self._buffer) - self._start < max(count, 1 << 18):
                rest = bytes(self._view[self._start : self._end])
                self._view[: len(rest)] = rest
                self._start, self._end = 0, len(rest)
            got = self._connection.recv_into(self._view[self._end :])
            if not got:
                return None
            self._end += got
        taken = self._view[self._start : self._start + count]
        self._start += count
        return taken

    def _data(self, body: memoryview) -> None:
        position = 0
        while position < len(body):
            length, context, control = struct.unpack_from(">IBB", body, position)
            fragment = body[position + 6 : position + 4 + length]
            position += 4 + length
            if control & 1:
                self._command = bytes(fragment)
                name = self._folder / f"{threading.get_ident()}-{os.urandom(8).hex()}"
                self._file = os.open(name, os.O_CREAT | os.O_WRONLY)
            else:
                os.write(self._file, fragment)
                if control & 2:
                    self._finish(context)

    def _finish(self, context: int) -> None:
        if self._sync:
            os.fsync(self._file)
        os.close(self._file)
        elements = _elements(self._command)
        answer = (
            _element(0x0002, elements[0x0002])
            + _element(0x0100, b"\x01\x80")
            + _element(0x0120, elements[0x0110])
            + _SUCCESS_TAIL
            + _element(0x1000, elements[0x1000])
        )
        command = _element(0, struct.pack("<I", len(answer))) + answer
        value = struct.pack(">IBB", len(command) + 2, context, 3) + command
        self._connection.sendall(struct.pack(">BBI", 4, 0, len(value)) + value)


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


def _elements(command: bytes) -> dict[int, bytes]:
    found, position = {}, 0
    while position < len(command):
        _, number, length = struct.unpack_from("<HHI", command, position)
        found[number] = command[position + 8 : position + 8 + length]
        position += 8 + length
    return found


def _accept(request: bytes) -> bytes:
    """An A-ASSOCIATE-AC that takes each context in its first transfer syntax (PS3.8 9.3.3)."""
    items, position = b"", 68
    while position < len(request):
        kind, _, length = struct.unpack_from(">BBH", request, position)
        body = request[position + 4 : position + 4 + length]
        position += 4 + length
        if kind == 0x10:
            items += struct.pack(">BBH", kind, 0, length) + body
        elif kind == 0x20:
            syntax_at = 8 + struct.unpack_from(">H", body, 6)[0]
            syntax_end = syntax_at + 4 + struct.unpack_from(">H", body, syntax_at + 2)[0]
            syntax = body[syntax_at:syntax_end]
            items += struct.pack(">BBHBBBB", 0x21, 0, 4 + len(syntax), body[0], 0, 0, 0) + syntax
    user = struct.pack(">BBHI", 0x51, 0, 4, 131_072) + struct.pack(">BBH", 0x52, 0, 3) + b"1.2"
    items += struct.pack(">BBH", 0x50, 0, len(user)) + user
    body = request[:68] + items
    return struct.pack(">BBI", 2, 0, len(body)) + body


def main() -> None:
    """Arguments: folder, port, and `--fsync` or nothing; runs until it is ended."""
    folder, port, sync = Path(sys.argv[1]), int(sys.argv[2]), "--fsync" in sys.argv
    with socket.create_server(("127.0.0.1", port), backlog=64) as server:
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            floor = Floor(connection, folder, sync=sync)
            threading.Thread(target=floor.serve, daemon=True).start()


if __name__ == "__main__":
    main()
