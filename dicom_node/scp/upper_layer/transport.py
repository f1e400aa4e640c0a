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
from typing import Any, Protocol

import structlog
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE, DimseServiceType
from pynetdicom.pdu_primitives import A_ABORT
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.transport import (
    AddressInformation,
    RequestHandler,
    ThreadedAssociationServer,
)

from dicom_node.scp.peers import Peer
from dicom_node.scp.upper_layer.connection import ReceivingSocket
from dicom_node.scp.upper_layer.handshake import HandshakeError, secure
from dicom_node.scp.upper_layer.private_names import MODE_ACCEPTOR
from dicom_node.scp.upper_layer.reactor import ReceivingReactor, ServedAssociation
from dicom_node.scp.upper_layer.spooling import SpoolingProvider
from dicom_node.scp.upper_layer.waiting import WaitingRoom
from dicom_node.tls.watched import Watched
from storage.files.spool import Spool
from storage.states import Ending

log = structlog.get_logger()

#: How long an A-ABORT may take to get out, in seconds.
_ABORT_PATIENCE_S = 1.0
#: How long the end of a connection that was cut may keep the next one waiting, in seconds.
_GOING_S = 1.0
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


class Reception(Protocol):
    """Who hears of connections that come and go."""

    def on_crowded(self, address: str) -> None:
        """A connection was cut for too many waited to be let in; in the accepting thread."""

    def on_handshake_failed(self, address: str, reason: str) -> None:
        """Somebody spoke no TLS that we take."""

    def on_end(self, association: "ReceivingAssociation") -> None:
        """An association, admitted or not, is over; once, as the last thing of its thread."""


class ReceivingAssociation(ServedAssociation):
    """One association that somebody opened to us; `admission` is None until it was granted.

    `certificate` (DER) is what the peer showed in the TLS handshake; None: plain text.
    """

    def __init__(self, ae: AE, server: "ReceivingServer", connection: socket.socket) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self.admission: Admission | None = None
        self.certificate: bytes | None = None
        self.provider = SpoolingProvider(self, server.spool, self.storing_context)
        self.dimse = self.provider
        self.reactor = ReceivingReactor(self)
        self.reactor.artim_timer.timeout = self.acse_timeout
        self.reactor._idle_timer.timeout = self.network_timeout
        self.dul = self.reactor
        self.connection = ReceivingSocket(self, connection)
        self.set_socket(self.connection)
        self._server: ReceivingServer = server
        self._peer_aborted = False
        self._afterwards: list[Callable[[], None]] = []
        self._awaited: dict[int, Callable[[int], None]] = {}
        self.bind(evt.EVT_ACSE_RECV, self._note_abort)

    def storing_context(self, context_id: int | None) -> PresentationContext | None:
        """The accepted presentation context of this ID, where the peer may store."""
        may_store = self.admission is not None and "store" in self.admission.peer.may
        return self._accepted_cx.get(context_id) if context_id and may_store else None

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

    def admit(self, admission: Admission) -> None:
        """Let it in; it no longer takes the place of one that waits to be."""
        self.admission = admission
        self.connection.widen()
        self._server.waiting.leave(self)

    def afterwards(self, task: Callable[[], None]) -> None:
        """Do something once the request being served is answered, in the thread that serves it."""
        self._afterwards.append(task)

    def ask(self, request: DimseServiceType, context_id: int, heard: Callable[[int], None]) -> None:
        """Send a request of ours and wait for nothing; `heard` gets the status of its answer."""
        self._awaited[request.MessageID or 0] = heard
        self.dimse.send_msg(request, context_id)

    def run_reactor(self) -> None:
        """Serve until the association ends; the body of its thread."""
        try:
            if self._secured():
                super().run_reactor()
        except Exception as error:  # noqa: BLE001 - pynetdicom raises anything on a damaged request
            log.warning("association failed", reason=type(error).__name__)
            self.dismiss()
        finally:
            self.provider.discard_all()
            self._server.waiting.leave(self)
            self._server.reception.on_end(self)

    def _secured(self) -> bool:
        """Whether the connection is what this port asks for: TLS, where it is a port for that."""
        tls = self._server.tls
        if tls is None:
            return True
        try:
            self.certificate = secure(self.connection, tls.current(), self.acse_timeout)
        except HandshakeError as error:
            self.connection.close()
            self.connection.retire()
            self._server.reception.on_handshake_failed(self.requestor.address, str(error))
            return False
        return True

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
        heard = self._awaited.pop(msg.MessageIDBeingRespondedTo or 0, None)
        try:
            if heard is not None:
                heard(int(msg.Status or 0))
            elif isinstance(msg, C_STORE) and context_id in self._accepted_cx:
                self._serve_store(msg, self._accepted_cx[context_id])
            else:
                super()._serve_request(msg, context_id)
        finally:
            self.provider.answered(getattr(msg, "DataSet", None))
        while self._afterwards:
            self._afterwards.pop(0)()

    def _serve_store(self, request: C_STORE, context: PresentationContext) -> None:
        """Answer a C-STORE request, however little of it there is.

        pynetdicom leaves one that lacks an element without an answer, and aborts at a class that it
        does not know.
        """
        if request.MessageIDBeingRespondedTo is not None or request.MessageID is None:
            return
        request.AffectedSOPClassUID = request.AffectedSOPClassUID or context.abstract_syntax
        request.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID or UID("")
        StorageServiceClass(self).SCP(request, context)

    def _note_abort(self, event: evt.Event) -> None:
        primitive = getattr(event, "primitive", None)
        self._peer_aborted |= isinstance(primitive, A_ABORT)


class _ConnectionHandler(RequestHandler):
    """Turns a connection into a `ReceivingAssociation`."""

    server: "ReceivingServer"

    def handle(self) -> None:
        """Serve the connection in threads of its own; where too many wait, another has to go."""
        association = self._create_association()
        crowded_out = self.server.waiting.enter(association, self.remote.address)
        if crowded_out is not None:
            crowded_out.connection.cut()
            crowded_out.join(_GOING_S)
            self.server.reception.on_crowded(crowded_out.requestor.address)
        try:
            association.start()
        except BaseException:
            self.server.waiting.leave(association)
            raise

    def _create_association(self) -> ReceivingAssociation:
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

    With `tls` nothing but TLS is spoken; the handshake happens in the association's own thread,
    within the ACSE timeout. With `shares_port` other processes of this user may listen on the port
    too: the kernel deals connections out (SO_REUSEPORT).

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
        reception: Reception,
        tls: Watched[ssl.SSLContext] | None = None,
        shares_port: bool = False,
    ) -> None:
        self._shares_port = shares_port
        self.spool = spool
        self.handlers = handlers
        self.reception = reception
        self.tls = tls
        self.waiting = WaitingRoom[ReceivingAssociation]()
        where = AddressInformation.from_addr_port(*address).as_tuple
        super().__init__(ae, where, ae.ae_title, [], request_handler=_ConnectionHandler)

    def server_bind(self) -> None:
        """Take the port."""
        if self._shares_port and self.socket is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection; its association has its own threads, so this step needs none."""
        self.finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's
        """Log what kept a connection from being served; the next one is accepted."""
        log.exception("connection not served")

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
