"""Connections in: our server and association in place of pynetdicom's own.

What differs: fragments go to the spool (see `spooling`), nothing polls (see `reactor`), a silent
connection cannot hold a thread for ever, a PDU cannot claim the whole memory (see `connection`),
presentation contexts are not copied for each association, and the end of an association is always
told, however it ends.
"""

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
    RequestHandler,
    ThreadedAssociationServer,
)

from dicom_node.scp.connection import ReceivingSocket
from dicom_node.scp.peers import Peer
from dicom_node.scp.reactor import ReceivingReactor
from dicom_node.scp.spooling import SpoolingProvider
from storage.index import Ending
from storage.spool import Spool

#: How long an A-ABORT may take to get out, in seconds.
_ABORT_PATIENCE_S = 1.0
#: How often the silence of a peer is measured, in seconds.
_SILENCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Admission:
    """What a peer was granted: one association."""

    association_id: str
    peer: Peer
    calling_ae_title: str
    called_ae_title: str
    address: str
    opened_at: datetime


class ReceivingAssociation(Association):
    """One association that somebody opened to us; `admission` is None until it was granted."""

    def __init__(self, ae: AE, server: "ReceivingServer", connection: socket.socket) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self.admission: Admission | None = None
        self.provider = SpoolingProvider(self, server.spool)
        self.dimse = self.provider
        self.reactor = ReceivingReactor(self)
        self.reactor.artim_timer.timeout = self.acse_timeout
        self.reactor._idle_timer.timeout = self.network_timeout
        self.dul = self.reactor
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
        """Abort; a connection that does not take the A-ABORT is cut instead."""
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

    def _run_reactor(self) -> None:
        """Wait for the end of an open association; the reactor's own thread serves its requests.

        The end is a release or an abort by the peer, an abort by us, the end of the connection, or
        the peer's silence.
        """
        self.connection.wake()  # requests may have come before the association was open
        while not self._kill:
            self.reactor.changed.wait(_SILENCE_S)
            self.reactor.changed.clear()
            if self.is_established and self.acse.is_release_requested():
                self.acse.send_release(is_response=True)
                self.is_released = True
                break
            if self.acse.is_aborted():
                self.reactor.receive_pdu()  # tells `_note_abort`
                self.is_aborted = True
                break
            if self.is_aborted or not self.reactor.is_alive():
                break
            if self.reactor.idle_timer_expired() and not self.reactor.is_serving:
                self.abort()
        self.kill()

    def _abort_blocking(self, block: bool = True) -> None:
        """Send an A-ABORT; the thread that has to send it cannot wait for it."""
        super()._abort_blocking(block and threading.current_thread() is not self.reactor)

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

    `on_end` is called once in the thread of each association, as the last thing. With `shares_port`
    other processes of this user may listen on the port too: the kernel deals connections out
    (SO_REUSEPORT).

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
        shares_port: bool = False,
    ) -> None:
        self._shares_port = shares_port
        self.spool = spool
        self.handlers = handlers
        self.on_end = on_end
        where = AddressInformation.from_addr_port(*address).as_tuple
        super().__init__(ae, where, ae.ae_title, [], request_handler=_ConnectionHandler)

    def server_bind(self) -> None:
        """Take the port."""
        if self._shares_port and self.socket is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

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
