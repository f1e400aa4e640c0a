"""Fuzz target: the bytes of one connection, from the socket's buffer to the end of the association.

What runs is the product's: connection, reactor, state machine, negotiation, spooling provider and
`identify`. What is left out is the socket (bytes in memory), the threads (one does it all, so that
an input does the same each time) and the database.
"""

import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from queue import Queue
from typing import Any, cast

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation

from dicom_node.intake.identification import identify, require_same
from dicom_node.intake.statuses import RefusedError
from dicom_node.scp.contexts import supported
from dicom_node.scp.peers import Peer, PeerTable
from dicom_node.scp.upper_layer.private_names import tolerate_real_devices
from dicom_node.scp.upper_layer.spooling import DatasetStream
from dicom_node.scp.upper_layer.transport import Admission, ReceivingAssociation, ReceivingServer
from storage.files.spool import Spool
from tests.fault.fuzz.limits import HangError
from tests.fault.messages import CONTEXTS

#: First byte of an input: whether the association is open already.
FROM_THE_START, ESTABLISHED = 0, 1
_CART = Peer(
    name="cart",
    calling_ae_title="CART",
    networks=(ip_network("127.0.0.0/8"),),
    may=frozenset({"echo", "store"}),
    quiet_s=60.0,
)
#: After these events nothing more is read: the connection is over, or the PDU invalid.
_END = {"Evt17", "Evt19"}
#: An input of some kilobytes has no reason to make more steps than this.
_MOST_STEPS = 20_000


def run(data: bytes) -> None:
    """Feed one input: a byte that says where to begin, then what the peer sends until it closes."""
    if not data:
        return
    association = _Driven(_server(), _Wire(data[1:]))
    try:
        if data[0] & 1 == ESTABLISHED:
            association.establish()
        else:
            association.negotiate()
        association.step()
    finally:
        association.provider.discard_all()
        association.connection.retire()


def read(data: bytes) -> None:
    """Feed one input to what reads an open association: PDUs, fragments and messages taken apart.

    Nothing is answered and no association made anew, so it is ten times as fast as `run`.
    """
    association = _reading()
    association.rewire(_Wire(data[1:]))
    reactor = association.reactor
    while not _END & set(reactor.event_queue.queue) and association.connection.ready:
        reactor._read_pdu_data()
    association.clear()


class _Wire:
    """In place of a socket: the bytes that come in; those that go out are dropped."""

    family = 2

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    def fileno(self) -> int:
        return _always_readable()

    def recv_into(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def send(self, data: bytes) -> int:
        return len(data)

    def setsockopt(self, *_: int) -> None:
        pass

    def settimeout(self, _timeout_s: float | None) -> None:
        pass

    def shutdown(self, _how: int) -> None:
        self._left = memoryview(b"")

    def close(self) -> None:
        pass


class _Driven(ReceivingAssociation):
    """An association whose two threads are played by the caller's."""

    def __init__(self, server: ReceivingServer, wire: _Wire) -> None:
        super().__init__(server.ae, server, cast(Any, wire))
        self._started_dul = True  # `step` is what its thread would do
        self.acceptor.ae_title = "ECHONODE"
        self.acceptor.maximum_length = 131_072
        self.acceptor.address_info = AddressInformation("127.0.0.1", 11112)
        self.acceptor.implementation_class_uid = self.ae.implementation_class_uid
        self.requestor.address_info = AddressInformation("127.0.0.1", 50000)
        for event, handler in server.handlers:
            self.bind(event, handler)

    def establish(self) -> None:
        """Stand where a negotiation that went well would have led."""
        self.reactor._step()  # the connection is there
        self.reactor.artim_timer.stop()
        self.reactor.state_machine.current_state = "Sta6"
        self.admission = _admission()
        self.connection.widen()
        self._accepted_cx = {
            context_id: _context(context_id, *what) for context_id, what in CONTEXTS.items()
        }
        self.is_established = True

    def negotiate(self) -> None:
        """Read until there is something for the association's thread, then be that thread."""
        self.step(until=lambda: not self.reactor.to_user_queue.empty())
        if not self.reactor.to_user_queue.empty():
            self.run_reactor()

    def _run_reactor(self) -> None:
        """Leave the open association to `step`."""

    def step(self, until: Callable[[], bool] = lambda: False) -> None:
        """Do the reactor's work until its end."""
        for _ in range(_MOST_STEPS):
            if self.reactor._kill_thread or until():
                return
            self.reactor._step()
            if self.is_established and self.acse.is_release_requested():
                self.acse.send_release(is_response=True)
                self.is_released = True
        raise HangError("too many steps")

    def rewire(self, wire: _Wire) -> None:
        """Read from the beginning of another connection."""
        self.connection.socket = cast(Any, wire)
        self.connection._start = self.connection._end = 0

    def clear(self) -> None:
        """Forget all that was read."""
        for found in (self.reactor.event_queue, self.reactor._recv_pdu, self.provider.msg_queue):
            cast("Queue[Any]", found).queue.clear()
        self.provider.message = None
        self.provider.discard_all()

    def _abort_blocking(self, block: bool = True) -> None:
        super()._abort_blocking(False)  # there is no other thread to wait for


def _context(context_id: int, abstract_syntax: str, transfer_syntax: str) -> PresentationContext:
    context = PresentationContext()
    context.context_id = context_id
    context.abstract_syntax = UID(abstract_syntax)
    context.transfer_syntax = [UID(transfer_syntax)]
    context.result = 0
    context._as_scp = True
    return context


def _admission() -> Admission:
    return Admission("fuzz", _CART, "CART", "ECHONODE", "127.0.0.1", datetime.now(UTC))


def _on_requested(event: Event) -> None:
    association, request = cast(_Driven, event.assoc), event.assoc.requestor.primitive
    assert request is not None
    if PeerTable([_CART]).find(request.calling_ae_title, "127.0.0.1") is None:
        association.acse.send_reject(1, 1, 3)
        association.kill()
        return
    association.admit(_admission())
    proposed = request.presentation_context_definition_list
    association.acceptor.supported_contexts = supported(proposed)


def _on_store(event: Event) -> int:
    stream = cast(C_STORE, event.request).DataSet
    if not isinstance(stream, DatasetStream) or stream.file is None:
        return 0xC000
    try:
        identity = identify(stream.file.path, stream.offset, stream.transfer_syntax_uid)
        require_same(identity, stream.sop_class_uid, stream.sop_instance_uid)
    except RefusedError as refused:
        return refused.status
    return 0


def _on_echo(_event: Event) -> int | Dataset:
    return 0


class _Reception:
    """Hears of connections, and keeps it to itself."""

    def on_crowded(self, address: str) -> None:
        pass

    def on_handshake_failed(self, address: str, reason: str) -> None:
        pass

    def on_end(self, association: ReceivingAssociation) -> None:
        pass


@cache
def _reading() -> _Driven:
    association = _Driven(_server(), _Wire(b""))
    association.establish()
    return association


@cache
def _always_readable() -> int:
    return os.open("/dev/zero", os.O_RDONLY)


@cache
def _server() -> ReceivingServer:
    """A server that never serves: what an association needs of one."""
    tolerate_real_devices()
    ae = AE("ECHONODE")
    ae.acse_timeout = 0.01
    folder = Path(tempfile.mkdtemp(prefix="echonode-fuzz-", dir=memory_disk()))
    return ReceivingServer(
        ae,
        ("127.0.0.1", 0),
        spool=Spool(folder),
        handlers=[
            (evt.EVT_REQUESTED, _on_requested),
            (evt.EVT_C_ECHO, _on_echo),
            (evt.EVT_C_STORE, _on_store),
        ],
        reception=_Reception(),
    )


def memory_disk() -> Path | None:
    """Where files cost no disk, if there is such a place."""
    return Path("/dev/shm") if Path("/dev/shm").is_dir() else None
