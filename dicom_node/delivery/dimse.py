"""The DICOM way to a destination: C-STORE over one association (PS3.4 annex B).

All renditions of all offers are proposed at once, so that choosing costs no second association;
and what was refused before as well, so that a destination that has changed is known to.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_node.delivery.acceptance import Acceptance
from dicom_node.delivery.alternatives import refused_by
from dicom_node.delivery.best_rendition import send_best
from dicom_node.delivery.transport import Line, Offer, Rendition
from dicom_node.scu.errors import NoAcceptedContextError, NotSendableError
from dicom_node.scu.outgoing import OutgoingObject, read_outgoing
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.storing import SendResult, StoreAssociation


class DimseTransport:
    """C-STORE to one node."""

    def __init__(self, node: RemoteNode) -> None:
        self._node = node
        self._association: StoreAssociation | None = None

    @contextmanager
    def open(self, offers: Sequence[Offer], taken: Acceptance) -> Iterator[Line]:
        """Open an association that proposes every rendition.

        Raises:
            The errors of `OpenAssociation.open`, but for that nothing is accepted.
        """
        objects = _readable(offers)
        association = StoreAssociation(self._node, objects.values(), taken.refused_classes)
        self._association = association
        try:
            with ExitStack() as stack:
                with suppress(NoAcceptedContextError):
                    if objects:
                        stack.enter_context(association)
                taken.negotiated(association.negotiated)
                yield _StoreLine(self._node, association, objects, taken)
        finally:
            self._association = None

    def interrupt(self) -> None:
        """From another thread: cut the connection; a waiting `send` then raises."""
        if association := self._association:
            association.interrupt()


@dataclass(frozen=True, slots=True)
class _StoreLine:
    """An association and what goes over it; also one that was not needed or takes nothing."""

    node: RemoteNode
    association: StoreAssociation
    objects: dict[Path, OutgoingObject]
    taken: Acceptance

    @property
    def is_open(self) -> bool:
        """Whether the association stands, where there is one."""
        return not any(self.association.negotiated.values()) or self.association.is_open

    def send(self, offer: Offer) -> SendResult:
        """Send the best rendition that is taken; see `send_best`.

        Raises:
            ClassesRefusedError: no rendition is accepted; it says what to enable.
            NotSendableError: a file is no DICOM file.
            AssociationAbortedError, ResponseTimeoutError: nobody knows whether it arrived.
        """
        offered = {item.path: self._object(item) for item in offer.renditions}
        welcome = [
            item for item in offer.renditions if self.association.accepts(offered[item.path])
        ]
        if not welcome:
            to_whom = f" for calling AE title {self.node.calling_ae_title}"
            classes = (item.sop_class_uid for item in offered.values())
            raise refused_by(self.node, classes, to_whom)
        outcome = send_best(
            welcome,
            lambda item: self.association.send(offered[item.path]),
            self.taken,
            offer.refusals,
        )
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _object(self, item: Rendition) -> OutgoingObject:
        return self.objects.get(item.path) or read_outgoing(item.path)


def _readable(offers: Sequence[Offer]) -> dict[Path, OutgoingObject]:
    """The renditions that can be proposed; what is wrong with another is told when it is sent."""
    objects = {}
    for path in (item.path for offer in offers for item in offer.renditions):
        with suppress(NotSendableError):
            objects[path] = read_outgoing(path)
    return objects
