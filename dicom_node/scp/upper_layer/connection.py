"""The bytes of one accepted connection: one large buffer, read in few and large steps."""

import contextlib
import errno
import os
import select
import socket
import ssl
import struct

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

#: No honest association request is larger: 128 contexts with every syntax make 160 kB.
_LARGEST_REQUEST_BYTES = 256 << 10
#: No honest PDU is larger, though some senders take no heed of the maximum that they were told.
_LARGEST_PDU_BYTES = 4 << 20
#: A PDU's type, a reserved byte and its length (PS3.8 section 9.3.1).
_HEAD = struct.Struct(">BxI")
#: Most association requests fit; hundreds of strangers may wait with no more than this.
_FIRST_BUFFER_BYTES = 16 << 10
#: A few PDUs fit; more does not pay.
_BUFFER_BYTES = 512 << 10
#: Only Linux has it, and there it has to be set anew after each read.
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class ReceivingSocket(AssociationSocket):
    """An accepted connection; `received_bytes` counts what came in.

    A sender that waits for our TCP acknowledgement before it sends the rest of an object (it leaves
    Nagle's algorithm on, as DCMTK does) gets it at once, not after the kernel's 40 ms.
    """

    def __init__(self, association: Association, connection: socket.socket) -> None:
        super().__init__(association, client_socket=connection)
        self.received_bytes = 0
        self._buffer = memoryview(bytearray(_FIRST_BUFFER_BYTES))
        self._buffer_bytes, self._largest_bytes = _FIRST_BUFFER_BYTES, _LARGEST_REQUEST_BYTES
        self._start = self._end = 0
        self._bell, self._push = socket.socketpair()
        self._bell.setblocking(False)
        self._push.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._poll.register(connection, select.POLLIN)
        self._acknowledge_at_once()

    def widen(self) -> None:
        """The peer was let in: from now on take large PDUs, and in few steps."""
        self._buffer_bytes, self._largest_bytes = _BUFFER_BYTES, _LARGEST_PDU_BYTES

    @property
    def ready(self) -> bool:
        """Whether `next_pdu` has something to give, to read without waiting, or to raise."""
        connection = self.socket
        if connection is None:
            return False
        if self._pdu_bytes() is not None or self._is_giant():
            return True
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        bell = self._bell.fileno()
        return any(descriptor != bell for descriptor, _ in self._poll.poll(0))

    def wait(self, timeout_s: float) -> None:
        """Return when bytes come in, when somebody wakes us, or after a time."""
        self._poll.poll(timeout_s * 1000)
        with contextlib.suppress(OSError):  # nobody rang
            self._bell.recv(64)

    def wake(self) -> None:
        """End a wait; from any thread."""
        with contextlib.suppress(OSError):  # it rings already, or is over
            self._push.send(b"!")

    def next_pdu(self) -> memoryview | None:
        """The next PDU with its head, None while it is not all here; only when `ready`.

        The view is good until the next call.

        Raises:
            EOFError: the peer has closed the connection.
            OSError: the connection failed, or the peer announced a PDU that no honest peer sends.
        """
        size = self._pdu_bytes()
        if size is None:
            if self._is_giant():
                raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
            self._fill()
            size = self._pdu_bytes()
        if size is None:
            return None
        pdu = self._buffer[self._start : self._start + size]
        self._start += size
        return pdu

    def _pdu_bytes(self) -> int | None:
        """The size of the PDU at the beginning of what was read, None if it is not all here."""
        held = self._end - self._start
        size = self._announced_bytes()
        return size if size is not None and held >= size else None

    def _announced_bytes(self) -> int | None:
        """The size that the PDU at the beginning of what was read says it has."""
        if self._end - self._start < _HEAD.size:
            return None
        return _HEAD.size + int(_HEAD.unpack_from(self._buffer, self._start)[1])

    def _is_giant(self) -> bool:
        return (self._announced_bytes() or 0) > self._largest_bytes

    def _fill(self) -> None:
        if self.socket is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        self._make_room()
        count = self.socket.recv_into(self._buffer[self._end :])
        if not count:
            raise EOFError
        self._acknowledge_at_once()
        self._end += count
        self.received_bytes += count

    def _make_room(self) -> None:
        """Move the begun PDU to the front, and see that all of it will fit."""
        size = max(self._announced_bytes() or 0, self._buffer_bytes)
        begun = bytes(self._buffer[self._start : self._end])
        if size > len(self._buffer):
            self._buffer = memoryview(bytearray(size))
        self._buffer[: len(begun)] = begun
        self._start, self._end = 0, len(begun)

    def _acknowledge_at_once(self) -> None:
        if _QUICKACK is not None and self.socket is not None:
            self.socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def cut(self) -> None:
        """End the connection at once; a thread that waits for its bytes is set free."""
        connection = self.socket
        if connection is not None:
            with contextlib.suppress(OSError):  # the peer was faster
                connection.shutdown(socket.SHUT_RDWR)

    def retire(self) -> None:
        """Nobody waits here any more."""
        self._bell.close()
        self._push.close()
        self._buffer, self._start, self._end = memoryview(b""), 0, 0

    def _shutdown_socket(self) -> None:
        """End and close; pynetdicom's own leaves a socket open whose peer was faster."""
        connection = self.socket
        self.cut()
        if connection is not None:
            with contextlib.suppress(KeyError, ValueError):  # closed by somebody else already
                self._poll.unregister(connection)
            connection.close()
