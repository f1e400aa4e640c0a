"""The HL7 way to a destination: ORU^R01 by MLLP, over one connection."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dicom_node.delivery.acceptance import Acceptance
from dicom_node.delivery.transport import Line, Offer
from dicom_node.hl7 import envelope
from dicom_node.hl7.acknowledgement import read_acknowledgement, require_accepted
from dicom_node.hl7.errors import Hl7RefusedError
from dicom_node.hl7.mllp import MllpConnection, MllpNode, connected
from dicom_node.scu.storing import SendResult

_SUCCESS = 0


class MllpTransport:
    """MLLP to one HL7 system."""

    def __init__(self, node: MllpNode) -> None:
        self._node = node
        self._connection: MllpConnection | None = None

    @contextmanager
    def open(self, offers: Sequence[Offer], taken: Acceptance) -> Iterator[Line]:  # noqa: ARG002 - nothing is negotiated
        """A connection.

        Raises:
            Hl7UnreachableError, Hl7NotTrustedError.
        """
        with connected(self._node) as connection:
            self._connection = connection
            try:
                yield _MllpLine(self._node, connection)
            finally:
                self._connection = None

    def interrupt(self) -> None:
        """From another thread: cut the connection; a waiting `send` then raises."""
        if connection := self._connection:
            connection.interrupt()


class _MllpLine:
    """A connection, of use until an answer fails to come."""

    def __init__(self, node: MllpNode, connection: MllpConnection) -> None:
        self._node = node
        self._connection = connection
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether every message was answered so far."""
        return self._is_open

    def send(self, offer: Offer) -> SendResult:
        """Send the messages of the offer's only rendition, in order, until one is refused.

        Raises:
            Hl7Error: one was refused, or nobody knows whether it arrived.
        """
        (rendition,) = offer.renditions
        for message in envelope.split(rendition.path.read_bytes()):
            self._send(message)
        return SendResult(rendition.sop_instance_uid, _SUCCESS, "")

    def _send(self, message: bytes) -> None:
        node = self._node
        addressed = envelope.addressed(message, node.application, node.facility)
        self._is_open = False
        answer = read_acknowledgement(self._connection.ask(addressed))
        try:
            require_accepted(answer, envelope.control_id(message))
        except Hl7RefusedError:
            self._is_open = True
            raise
        self._is_open = True
