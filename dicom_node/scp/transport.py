"""Connections in: our server, socket and association in place of pynetdicom's own.

What differs: fragments go to the spool (see `spooling`), a silent connection cannot hold a thread
for ever, a PDU cannot claim the whole memory, presentation contexts are not copied for each
association, and the end of an association is always told, however it ends.
"""

import contextlib
import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from socketserver import BaseServer
from typing import Any

from pynetdicom import AE, evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import DimseServiceType
from pynetdicom.pdu_primitives import A_ABORT
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import (
    AddressInformation,
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

from dicom_node.scp.peers import Peer
from dicom_node.scp.spooling import SpoolingProvider
from storage.index import Ending
from storage.spool import Spool

#: No honest PDU is larger: 128 presentation contexts with every syntax make 160 kB.
_LARGEST_PDU_BYTES = 4 << 20
#: How long an A-ABORT may take to get out, in seconds.
_ABORT_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Admission:
    """What a peer was granted: one association."""

    association_id: str
    peer: Peer
    calling_ae_title: str
    called_ae_title: str
    address: str
    opened_at: datetime


class ReceivingSocket(AssociationSocket):
    """An accepted connection; `received_bytes` counts what came in."""

    def __init__(self, association: Association, connection: socket.socket) -> None:
        super().__init__(association, client_socket=connection)
        self.received_bytes = 0

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, fewer only where the connection ends.

        Raises:
            OSError: the connection failed, was silent for the network timeout, or the peer
                announced a PDU that no honest peer sends.
        """
        if self.socket is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        if nr_bytes > _LARGEST_PDU_BYTES:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        buffer = bytearray(nr_bytes)
        view, filled = memoryview(buffer), 0
        while filled < nr_bytes:
            count = self.socket.recv_into(view[filled:])
            if not count:
                return bytearray(view[:filled])
            filled += count
            self.received_bytes += count
        return buffer

    def cut(self) -> None:
        """End the connection at once; a thread that waits for its bytes is set free."""
        connection = self.socket
        if connection is not None:
            with contextlib.suppress(OSError):  # the peer was faster
                connection.shutdown(socket.SHUT_RDWR)

    def _shutdown_socket(self) -> None:
        """End and close; pynetdicom's own leaves a socket open whose peer was faster."""
        connection = self.socket
        self.cut()
        if connection is not None:
            connection.close()


class ReceivingAssociation(Association):
    """One association that somebody opened to us; `admission` is None until it was granted."""

    def __init__(self, ae: AE, server: "ReceivingServer", connection: socket.socket) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self.admission: Admission | None = None
        self.provider = SpoolingProvider(self, server.spool)
        self.dimse = self.provider
        self.connection = ReceivingSocket(self, connection)
        self.set_socket(self.connection)
        self._server = server
        self._on_end = server.on_end
        self._peer_aborted = False
        self.bind(evt.EVT_ACSE_RECV, self._note_abort)

    def accepted_context(self, context_id: int | None) -> PresentationContext | None:
        """The accepted presentation context of this ID."""
        return None if context_id is None else self._accepted_cx.get(context_id)

    @property
    def ending(self) -> Ending:
        """How it ended; LOST when the connection broke or the peer's network layer gave up."""
        if self.is_released:
            return Ending.RELEASED
        return Ending.ABORTED if self._sent_abort or self._peer_aborted else Ending.LOST

    def dismiss(self) -> None:
        """Abort; a connection that hangs in the middle of a PDU is cut instead."""
        cut = threading.Timer(_ABORT_PATIENCE_S, self.connection.cut)
        cut.start()
        try:
            self.abort()
        finally:
            cut.cancel()

    def run_reactor(self) -> None:
        """Serve until the association ends; the body of its thread."""
        try:
            super().run_reactor()
        finally:
            self.provider.discard_all()
            self._on_end(self)

    def _serve_request(self, msg: DimseServiceType, context_id: int) -> None:
        try:
            super()._serve_request(msg, context_id)
        finally:
            self.provider.answered(getattr(msg, "DataSet", None))

    def _note_abort(self, event: evt.Event) -> None:
        primitive = getattr(event, "primitive", None)
        self._peer_aborted |= isinstance(primitive, A_ABORT)


class _ConnectionHandler(RequestHandler):
    """Turns a connection into a `ReceivingAssociation`."""

    server: "ReceivingServer"

    def _create_association(self) -> Association:
        association = ReceivingAssociation(self.ae, self.server, self.request)
        # pynetdicom finds its acceptors by this name.
        association.name = f"AcceptorThread@{self.client_address[0]}"
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = []  # chosen from the proposal, once the peer is admitted
        association.requestor.address_info = self.remote
        for event, handler in self.server.handlers:
            association.bind(event, handler)
        return association


class ReceivingServer(ThreadedAssociationServer):
    """Accepts connections on one port; each becomes an association in threads of its own.

    `on_end` is called once in the thread of each association, as the last thing.

    Raises:
        OSError: the port cannot be listened on.
    """

    #: Connections that may wait for accept(); a burst of carts is not turned away.
    request_queue_size = 128

    def __init__(
        self,
        ae: AE,
        address: tuple[str, int],
        *,
        spool: Spool,
        handlers: list[tuple[evt.EventType, Callable[[evt.Event], Any]]],
        on_end: Callable[[ReceivingAssociation], None],
    ) -> None:
        self.spool = spool
        self.handlers = handlers
        self.on_end = on_end
        where = AddressInformation.from_addr_port(*address).as_tuple
        super().__init__(ae, where, ae.ae_title, [], request_handler=_ConnectionHandler)

    def get_request(self) -> tuple[socket.socket | ssl.SSLSocket, tuple[str, int]]:
        """Accept a connection."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Without a timeout a peer that dies in the middle of a PDU would hold its thread for ever.
        connection.settimeout(self.ae.network_timeout)
        return connection, address

    def shutdown(self) -> None:
        """Accept no more; associations in progress go on."""
        BaseServer.shutdown(self)
        self.server_close()
