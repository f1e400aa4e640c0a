"""How datasets reach the spool while they arrive: our adapter to pynetdicom's DIMSE provider.

pynetdicom collects a message's dataset by `message.data_set.write(fragment)` on a BytesIO of its
own, in the thread that reads the socket. We put a stream of ours there, which hands the fragments
of a C-STORE to the spool, so memory does not grow with the object. Nothing may be raised in that
thread: it would end the association without an answer. An error is kept for the handler instead,
and the rest of the dataset is swallowed.
"""

from collections.abc import Callable
from io import BytesIO
from threading import Lock
from typing import Any

from pydicom import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_STORE, DimsePrimitiveType
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext

from dicom_node.intake.file_meta import file_meta
from dicom_node.intake.keeping import Arrived
from dicom_node.intake.statuses import RefusedError, StoreStatus
from dicom_node.scp.upper_layer.store_response import command_set
from storage.errors import StorageError, StorageFullError
from storage.files.spool import IncomingFile, Spool

#: Messages other than C-STORE stay in memory; none that we answer is near this size.
_LARGEST_MESSAGE_BYTES = 1 << 20
#: No command set is near this size: two UIDs and a few numbers.
_LARGEST_COMMAND_BYTES = 1 << 16
#: Study Instance UID stands well before this in a dataset, behind whatever a cart adds.
_HEAD_BYTES = 1 << 16
#: Bit of the message control header (PS3.8 section E.2).
_IS_COMMAND = 1
#: Requests that may wait for their answer; who negotiates no window may have one (PS3.7 D.3.3.3).
_MOST_WAITING = 16
#: Message control header: a command, and its last fragment (PS3.8 annex E.2).
_LAST_COMMAND = b"\x03"
#: No C-STORE-RSP is larger, so none has to be split for a peer that takes PDUs of this size.
_ROOM_FOR_AN_ANSWER_BYTES = 512


class _CommandSet(BytesIO):
    """Where the fragments of one message's command set go."""

    def write(self, fragment: Any, /) -> int:
        if self.tell() + len(fragment) > _LARGEST_COMMAND_BYTES:
            raise ValueError("command set too large")
        return super().write(fragment)


class DatasetStream(BytesIO):
    """Where the fragments of one message's dataset go.

    Written by the thread that reads the socket, then read by the one that answers. `file` is None
    where nothing may be kept: no dataset came, the peer may not store, or `error` says why.
    `offset` is where the dataset begins in the file, in bytes; `head` is its beginning, which tells
    whose a dataset is that could not be kept.
    """

    def __init__(
        self, message: DIMSEMessage, begin: Callable[["DatasetStream"], IncomingFile | None]
    ) -> None:
        super().__init__()
        self.message = message
        self.file: IncomingFile | None = None
        self.error: Exception | None = None
        self.offset = 0
        self.head = bytearray()
        self.sop_class_uid = ""
        self.sop_instance_uid = ""
        self.transfer_syntax_uid = ""
        self._begin = begin
        self._begun = False
        self._lock = Lock()

    def write(self, fragment: Any, /) -> int:
        """Take one fragment."""
        with self._lock:
            if isinstance(self.message, C_STORE_RQ):
                self._spool(fragment)
            elif self.tell() + len(fragment) > _LARGEST_MESSAGE_BYTES:
                raise ValueError("message too large")  # pynetdicom aborts the association
            else:
                super().write(fragment)
        return len(fragment)

    def _spool(self, fragment: bytes) -> None:
        if len(self.head) < _HEAD_BYTES:
            self.head += fragment[: _HEAD_BYTES - len(self.head)]
        try:
            if not self._begun:
                self._begun = True
                self.file = self._begin(self)
            if self.file is not None:
                self.file.write(fragment)
        except (StorageError, OSError) as error:
            self.error = error
            self._drop()

    def discard(self) -> None:
        """Let go of what was not kept, and of all that still comes; may be called again."""
        with self._lock:
            self._begun = True
            self._drop()

    def _drop(self) -> None:
        if self.file is not None:
            self.file.discard()
        self.file = None


def arrival(stream: object) -> Arrived:
    """The instance whose dataset was streamed.

    Raises:
        RefusedError: no dataset came.
        storage.errors.StorageError, OSError: the spool did not take it.
    """
    if isinstance(stream, DatasetStream):
        if stream.error is not None:
            raise stream.error
        if stream.file is not None:
            return Arrived(
                file=stream.file,
                offset=stream.offset,
                sop_class_uid=stream.sop_class_uid,
                sop_instance_uid=stream.sop_instance_uid,
                transfer_syntax_uid=stream.transfer_syntax_uid,
            )
    raise RefusedError(StoreStatus.CANNOT_UNDERSTAND, "The request has no dataset")


class SpoolingProvider(DIMSEServiceProvider):
    """Receives the messages of one association, with C-STORE datasets going to the spool.

    `storing` gives the presentation context of an ID where its datasets may be kept, else None.
    `streams` are those with a file that was neither answered nor discarded.
    """

    def __init__(
        self,
        association: Association,
        spool: Spool,
        storing: Callable[[int | None], PresentationContext | None],
    ) -> None:
        super().__init__(association)
        self.streams: set[DatasetStream] = set()
        self.received_bytes = 0
        self._spool = spool
        self._storing = storing

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take one fragment; called in the thread that reads the socket.

        Raises:
            ValueError: it is out of its place, or too much waits already; pynetdicom would take it.
        """
        [(context_id, value)] = primitive.presentation_data_value_list
        self.received_bytes += len(value)
        if self.message is None:
            self.message = DIMSEMessage()
            self.message.encoded_command_set = _CommandSet()
            self.message.data_set = DatasetStream(self.message, self._begin)
        _require_place(self.message, context_id, is_command=bool(value[0] & _IS_COMMAND))
        super().receive_primitive(primitive)
        if self.msg_queue.qsize() > _MOST_WAITING:
            raise ValueError("too many requests at once")

    def _begin(self, stream: DatasetStream) -> IncomingFile | None:
        """Open the file of a C-STORE when the first fragment of its dataset comes.

        Its command set is complete by then (PS3.7 section 6.3.1).
        """
        context = self._storing(stream.message.context_id)
        if context is None:
            return None
        command = stream.message.command_set
        stream.sop_class_uid = _uid(command, "AffectedSOPClassUID")
        stream.sop_instance_uid = _uid(command, "AffectedSOPInstanceUID")
        stream.transfer_syntax_uid = str(context.transfer_syntax[0])
        if not self._spool.has_room():
            raise StorageFullError("the spool is below its low-water mark")
        head = file_meta(stream.sop_class_uid, stream.sop_instance_uid, stream.transfer_syntax_uid)
        stream.offset = len(head)
        file = self._spool.incoming()
        try:
            file.write(head)
        except StorageError:
            file.discard()
            raise
        self.streams.add(stream)
        return file

    def send_msg(self, primitive: DimsePrimitiveType, context_id: int) -> None:
        """Send a message; the answer to a C-STORE the short way."""
        fits = not 0 < self.maximum_pdu_size < _ROOM_FOR_AN_ANSWER_BYTES
        if (
            not isinstance(primitive, C_STORE)
            or not primitive.MessageIDBeingRespondedTo
            or not fits
        ):
            super().send_msg(primitive, context_id)
            return
        data = P_DATA()
        fragment = (context_id, _LAST_COMMAND + command_set(primitive))
        data.presentation_data_value_list.append(fragment)
        self.dul.send_pdu(data)

    def answered(self, stream: object) -> None:
        """A message was dealt with: what of it was not kept is discarded."""
        if isinstance(stream, DatasetStream):
            stream.discard()
            self.streams.discard(stream)

    def discard_all(self) -> None:
        """The association is over: whatever was not answered is discarded."""
        for stream in list(self.streams):
            self.answered(stream)

    @property
    def busy(self) -> bool:
        """Whether an instance is arriving or waits for its answer."""
        return bool(self.streams) or not self.msg_queue.empty()


def _uid(command: Dataset, keyword: str) -> str:
    """A UID of a command set without the padding that some senders give it."""
    return str(command.get(keyword) or "").strip(" \0")


def _require_place(message: DIMSEMessage, context_id: int, *, is_command: bool) -> None:
    """Check that a fragment continues its message: command set, then dataset, in one context.

    Raises:
        ValueError: it does not (PS3.7 section 6.3.1); what would be stored is not what was sent.
    """
    has_command = message.context_id is not None  # set with the last fragment of the command set
    if is_command == has_command:
        raise ValueError("command set and dataset out of order")
    if has_command and context_id != message.context_id:
        raise ValueError("a message in two presentation contexts")
