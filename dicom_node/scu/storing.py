"""C-STORE of objects on disk over one association (PS3.4 annex B).

Only what the objects need is proposed: each class with the transfer syntax it is stored in, and,
for little endian without compression, the other such syntax too. The bytes go as they are on disk;
only where the peer insists on the other uncompressed syntax is the dataset converted. Pixel data is
never decoded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pydicom import Dataset, dcmread
from pynetdicom import build_context, evt
from pynetdicom.presentation import PresentationContext

from dicom_node.scp.upper_layer.private_names import send_files_in_pieces
from dicom_node.scu.association import OpenAssociation
from dicom_node.scu.errors import NoAcceptedContextError, UnclearAnswerError
from dicom_node.scu.outgoing import CONVERTIBLE, OutgoingObject
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.statuses import means_stored

send_files_in_pieces()

#: PS3.8 section 9.3.2: context IDs are odd numbers from 1 to 255.
MAXIMUM_CONTEXTS = 128
#: Command Field of a C-STORE response (PS3.7 annex E.1).
_STORE_RESPONSE = 0x8001


@dataclass(frozen=True, slots=True)
class SendResult:
    """The answer to one C-STORE; `comment` is the peer's Error Comment (0000,0902).

    A peer's comment may quote the dataset: show it, never log it. With `refused` the peer says
    that it has not stored the object, whatever its status means elsewhere.
    """

    sop_instance_uid: str
    status: int
    comment: str
    refused: bool = False

    @property
    def stored(self) -> bool:
        """Whether the peer now has the object."""
        return not self.refused and means_stored(self.status)


class StoreAssociation:
    """An association that can carry the given objects; use it as a context manager.

    Entering raises the errors of `OpenAssociation.open`; at most 128 contexts fit, see `batches`.
    `curious` are SOP classes that are proposed only to learn whether they are accepted.
    """

    def __init__(
        self, node: RemoteNode, objects: Iterable[OutgoingObject], curious: Iterable[str] = ()
    ) -> None:
        self._node = node
        self._association = OpenAssociation(node)
        self._wanted = dict.fromkeys(pair for item in objects for pair in item.contexts)
        self._wanted |= dict.fromkeys((uid, syntax) for uid in curious for syntax in CONVERTIBLE)
        self._accepted: frozenset[tuple[str, str]] = frozenset()
        self._message_id = 0
        self._latest: Dataset = Dataset()

    def __enter__(self) -> "StoreAssociation":
        self._association.open([build_context(cls, syntax) for cls, syntax in self._wanted])
        self._accepted = frozenset(map(_pair, self._association.pynetdicom.accepted_contexts))
        self._association.pynetdicom.bind(evt.EVT_DIMSE_RECV, self._on_message)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._association.close()
        else:
            self._association.abort()

    @property
    def is_open(self) -> bool:
        """Whether more can be sent over it."""
        return bool(self._association.pynetdicom.is_established)

    @property
    def negotiated(self) -> dict[str, tuple[str, ...]]:
        """The transfer syntaxes in which the peer takes each SOP class; none where it refuses."""
        return {
            uid: tuple(
                syntax
                for cls, syntax in self._wanted
                if cls == uid and (cls, syntax) in self._accepted
            )
            for uid, _ in self._wanted
        }

    def accepts(self, item: OutgoingObject) -> bool:
        """Whether the peer takes this object in a syntax that we can send."""
        return any(pair in self._accepted for pair in item.contexts)

    def send(self, item: OutgoingObject) -> SendResult:
        """Send one object and wait for the answer.

        Raises:
            NoAcceptedContextError: the peer does not take it.
            AssociationAbortedError, ResponseTimeoutError, UnclearAnswerError: nobody knows whether
                it arrived.
        """
        if not self.accepts(item):
            message = f"{self._node} does not accept SOP class {item.sop_class_uid} as it is stored"
            raise NoAcceptedContextError(message)
        as_stored = item.contexts[0] in self._accepted
        self._message_id = self._message_id % 0xFFFF + 1
        response = self._request(item.path if as_stored else dcmread(item.path))
        self._require_answer_to(item)
        comment = str(response.get("ErrorComment", "") or "")
        return SendResult(item.sop_instance_uid, int(response.Status), comment)

    def _request(self, dataset: Path | Dataset) -> Dataset:
        association = self._association.pynetdicom
        try:
            response = association.send_c_store(dataset, msg_id=self._message_id)
        except Exception:
            # Part of the message may be out already: nothing else can follow it.
            self._association.abort()
            raise
        if "Status" not in response:
            self._association.raise_no_response()
        return response

    def _on_message(self, event: evt.Event) -> None:
        self._latest = event.message.command_set

    def _require_answer_to(self, item: OutgoingObject) -> None:
        """See that the response is to our message (PS3.7 table 9.3-2): a status alone is no proof.

        Nothing can follow another answer on this association: it would be one behind.
        """
        told = self._latest
        named = str(told.get("AffectedSOPInstanceUID") or "").strip(" \0")
        is_ours = (
            told.get("CommandField") == _STORE_RESPONSE
            and told.get("MessageIDBeingRespondedTo") == self._message_id
            and named in ("", item.sop_instance_uid)
        )
        if not is_ours:
            self._association.abort()
            raise UnclearAnswerError(
                f"{self._node}: its response is to another message or names another instance"
            )

    def interrupt(self) -> None:
        """From another thread: cut the connection; a waiting `send` then raises."""
        self._association.interrupt()


def batches(objects: Sequence[OutgoingObject]) -> Iterable[list[OutgoingObject]]:
    """Split objects, in order, so that each part fits into one association."""
    batch: list[OutgoingObject] = []
    contexts: set[tuple[str, str]] = set()
    for item in objects:
        if batch and len(contexts | set(item.contexts)) > MAXIMUM_CONTEXTS:
            yield batch
            batch, contexts = [], set()
        batch.append(item)
        contexts.update(item.contexts)
    if batch:
        yield batch


def _pair(context: PresentationContext) -> tuple[str, str]:
    return str(context.abstract_syntax), str(context.transfer_syntax[0])
