"""The web way to a destination: STOW-RS, one object a request (PS3.18 section 10.5).

Nothing is negotiated, so which SOP classes the service takes is learned from its refusals.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dicom_node.delivery.acceptance import Acceptance
from dicom_node.delivery.alternatives import refused_by
from dicom_node.delivery.transport import Line, Offer, Rendition
from dicom_node.dicomweb.errors import WebRefusedError
from dicom_node.dicomweb.session import WebService
from dicom_node.dicomweb.storing import StoreSession
from dicom_node.scu.statuses import SOP_CLASS_NOT_SUPPORTED
from dicom_node.scu.storing import SendResult

_UNSUPPORTED_MEDIA_TYPE = 415


class StowTransport:
    """STOW-RS to one service."""

    def __init__(self, service: WebService) -> None:
        self._service = service

    @contextmanager
    def open(self, offers: Sequence[Offer], taken: Acceptance) -> Iterator[Line]:  # noqa: ARG002 - the first object connects
        """A session; the connection is made when the first object is sent.

        Raises:
            TlsFileError: other users may read the key.
        """
        with StoreSession(self._service) as session:
            yield _StowLine(self._service, session, taken)

    def interrupt(self) -> None:
        """Nothing: `timeout_s` bounds a request, and a process that ends does not wait for it."""


@dataclass(frozen=True, slots=True)
class _StowLine:
    """A session with a service; where a connection broke, the next request makes another."""

    service: WebService
    session: StoreSession
    taken: Acceptance

    @property
    def is_open(self) -> bool:
        """Whether more can be sent: always."""
        return True

    def send(self, offer: Offer) -> SendResult:
        """Send the best rendition; one that is refused for its class gives way to the next.

        Raises:
            ClassesRefusedError: every rendition is refused for its class.
            WebError: the service is away, or refused for another reason.
        """
        for item in sorted(
            offer.renditions, key=lambda item: self.taken.refuses(item.sop_class_uid)
        ):
            result = self._store(item)
            if result is not None:
                return result
        raise refused_by(self.service, (item.sop_class_uid for item in offer.renditions))

    def _store(self, item: Rendition) -> SendResult | None:
        """The answer about one rendition; None where it is refused for its class."""
        try:
            status = self.session.store(item.path, item.sop_instance_uid)
        except WebRefusedError as exc:
            if exc.status != _UNSUPPORTED_MEDIA_TYPE:
                raise
            self.taken.refused(item.sop_class_uid, f"HTTP {exc.status}")
            return None
        if status == SOP_CLASS_NOT_SUPPORTED:
            self.taken.refused(item.sop_class_uid, f"status 0x{status:04X}")
            return None
        result = SendResult(item.sop_instance_uid, status, "")
        if result.stored:
            self.taken.stored(item.sop_class_uid)
        return result
