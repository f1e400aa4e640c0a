"""The upper layer of one association: woken by its events, it reads, serves and answers.

pynetdicom looks every millisecond whether something happened, copies each PDU several times, and
hands each message to a second thread that looks every millisecond too. Here one thread sleeps until
bytes come, passes the fragments of a dataset on as views of the read buffer, and serves a complete
message itself. Everything but the data of an established association still goes through
pynetdicom's state machine (PS3.8 section 9.2).
"""

import queue
import struct
import threading
from collections.abc import Iterator

import structlog
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA

from dicom_node.scp.upper_layer.association_pdu import tidied
from dicom_node.scp.upper_layer.connection import ReceivingSocket
from dicom_node.scp.upper_layer.private_names import PduPrimitive
from dicom_node.scp.upper_layer.spooling import SpoolingProvider

log = structlog.get_logger()

_P_DATA_TF = 0x04
_PDU_TYPES = range(0x01, 0x08)
#: State 6: association established and ready for data transfer (PS3.8 table 9-6).
_ESTABLISHED = "Sta6"
#: Event 19: an unrecognized or invalid PDU (PS3.8 table 9-10).
_INVALID_PDU = "Evt19"
#: Length, presentation context ID and message control header of a fragment (PS3.8 section 9.3.5).
_FRAGMENT = struct.Struct(">IBB")
_LENGTH_BYTES = 4
_HEAD_BYTES = 6
#: How often timers are looked at while nothing happens, in seconds.
_TIMERS_S = 0.5


class ServedAssociation(Association):
    """What a reactor needs of its association: beside pynetdicom's own, bytes and messages."""

    connection: ReceivingSocket
    provider: SpoolingProvider


class ReceivingReactor(DULServiceProvider):
    """The upper layer provider of a `ServedAssociation`.

    `changed` is set when there may be something for the association to act on: a release, an abort,
    or the end of this thread. `is_serving` is true while a message is being answered.
    """

    def __init__(self, association: ServedAssociation) -> None:
        super().__init__(association)
        self.changed = threading.Event()
        self.is_serving = False
        self._association = association

    def run_reactor(self) -> None:
        """Read, serve and answer until the association ends; the body of its thread."""
        self._idle_timer.start()
        self._association._dul_ready.set()
        try:
            while not self._kill_thread:
                self._step()
        finally:
            # Where no association was ever asked for, its thread waits for the request no longer.
            self.to_user_queue.put(None)  # type: ignore[arg-type]
            self.changed.set()
            self._association.connection.retire()

    def _step(self) -> None:
        self._look()
        try:
            event = self.event_queue.get_nowait()
        except queue.Empty:
            if not self._serve() and not self._association.connection.ready:
                self._association.connection.wait(_TIMERS_S)
            return
        self._act(event)
        if not self.to_user_queue.empty():
            self.changed.set()

    def _act(self, event: str) -> None:
        """Do what the state machine says; a PDU whose values make no sense is as good as none."""
        try:
            self.state_machine.do_action(event)
        except Exception as error:  # noqa: BLE001 - pynetdicom raises anything on such values
            log.warning("invalid PDU", reason=type(error).__name__)
            if event == _INVALID_PDU:  # not even the abort can be sent
                self.kill_dul()
            else:
                self.event_queue.put(_INVALID_PDU)

    def _look(self) -> None:
        """Find the next event; one at a time, for what an event means depends on the last one."""
        if not self.event_queue.empty():
            return
        if self.artim_timer.expired:
            self.event_queue.put("Evt18")
        elif not self._process_recv_primitive():
            self._is_transport_event()

    def _serve(self) -> bool:
        """Answer a complete message, if there is one and the association is open."""
        association = self._association
        if not association.is_established:
            return False
        context_id, message = association.provider.get_msg()
        if message is None or context_id is None:
            return False
        self.is_serving = True
        try:
            association._serve_request(message, context_id)
        finally:
            # Our own work is not the peer's silence.
            self._idle_timer.restart()
            self.is_serving = False
        return True

    def _read_pdu_data(self) -> None:
        """Take what the connection has: the data of a message, or an event of the state machine."""
        try:
            pdu = self._association.connection.next_pdu()
        except (OSError, EOFError):
            self.event_queue.put("Evt17")
            return
        if pdu is None:
            return
        # Only a whole PDU ends the peer's silence: one that comes byte by byte has a limit too.
        self._idle_timer.restart()
        try:
            if pdu[0] == _P_DATA_TF and self.state_machine.current_state == _ESTABLISHED:
                self._take(pdu)
            elif pdu[0] in _PDU_TYPES:
                decoded, event = self._decode_pdu(bytearray(tidied(bytes(pdu))))
                self._recv_pdu.put(decoded)
                self.event_queue.put(event)
            else:
                self.event_queue.put(_INVALID_PDU)
        except Exception as error:  # noqa: BLE001 - pynetdicom raises anything on a damaged PDU
            log.warning("unreadable PDU", reason=type(error).__name__)
            self.event_queue.put(_INVALID_PDU)

    def _take(self, pdu: memoryview) -> None:
        """Action DT-2 of the state machine, without copying the data (PS3.8 table 9-8)."""
        for fragment in _fragments(pdu):
            primitive = P_DATA()
            primitive.presentation_data_value_list.append(fragment)  # type: ignore[arg-type]
            self._association.provider.receive_primitive(primitive)

    def send_pdu(self, primitive: "PduPrimitive") -> None:
        """Send a primitive to the peer; from any thread."""
        super().send_pdu(primitive)
        self._association.connection.wake()

    def kill_dul(self) -> None:
        """End this thread; from any thread."""
        super().kill_dul()
        self._association.connection.wake()

    def stop_dul(self) -> bool:
        """End this thread if the association is over; whether it is."""
        if self.state_machine.current_state == "Sta1":
            self.kill_dul()
        return super().stop_dul()


def _fragments(pdu: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Each fragment's presentation context ID and value, message control header first.

    Raises:
        ValueError: the lengths do not add up.
    """
    position = _HEAD_BYTES
    while position < len(pdu):
        if len(pdu) - position < _FRAGMENT.size:
            raise ValueError("a fragment without head")
        length, context_id, _ = _FRAGMENT.unpack_from(pdu, position)
        end = position + _LENGTH_BYTES + length
        if length < 2 or end > len(pdu):
            raise ValueError("a fragment of the wrong length")
        yield context_id, pdu[position + _LENGTH_BYTES + 1 : end]
        position = end
