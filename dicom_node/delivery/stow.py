"""The web way to a destination: STOW-RS, one object a request (PS3.18 section 10.5).

Nothing is negotiated, so which SOP classes the service takes is learned from its refusals.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dicom_node.delivery.acceptance import Acceptance
from dicom_node.delivery.alternatives import refused_by
from dicom_node.delivery.best_rendition import is_of_class, send_best
from dicom_node.delivery.transport import Line, Offer, Rendition
from dicom_node.dicomweb.session import WebService
from dicom_node.dicomweb.store_answer import Fate
from dicom_node.dicomweb.storing import StoreSession
from dicom_node.scu.storing import SendResult


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
        """Send the best rendition that is taken; see `send_best`.

        Raises:
            ClassesRefusedError: every rendition is refused for its class.
            WebError: the service is away, or refused for another reason.
        """
        outcome = send_best(offer.renditions, self._store, self.taken, offer.refusals)
        if is_of_class(outcome):
            raise refused_by(self.service, (item.sop_class_uid for item in offer.renditions))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _store(self, item: Rendition) -> SendResult:
        answer = self.session.store(item.path, item.sop_instance_uid)
        is_failed = answer.fate is Fate.FAILED
        return SendResult(item.sop_instance_uid, answer.status, "", refused=is_failed)
