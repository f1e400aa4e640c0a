"""Associations: who is let in, which are open, how they ended, and on which bytes are flowing."""

import threading
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from pynetdicom.events import Event

from dicom_node.scp.contexts import supported
from dicom_node.scp.limits import AssociationRate
from dicom_node.scp.peers import Peer, PeerTable, plain_title
from dicom_node.scp.refusals import Refusal, Refusals
from dicom_node.scp.rejections import (
    CALLED_WRONG,
    NOT_NOW,
    TOO_MANY,
    TOO_MANY_OF_PEER,
    TOO_OFTEN,
    Rejection,
)
from dicom_node.scp.upper_layer.transport import Admission, ReceivingAssociation
from storage.database.owner import this_process
from storage.database.transactions import Database
from storage.errors import StorageError
from storage.states import Ending
from storage.studies.associations import (
    Association,
    close_association,
    open_association,
    touch_associations,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Ended:
    association_id: str
    how: Ending
    at: datetime


class Associations:
    """The open associations of this process, and their rows.

    `maximum` bounds how many are open at once.
    """

    def __init__(
        self,
        database: Database,
        peers: PeerTable,
        *,
        ae_title: str,
        maximum: int,
    ) -> None:
        self._database = database
        self._peers = peers
        self._ae_title = ae_title
        self._maximum = maximum
        self._owner = this_process()
        self._rate = AssociationRate()
        self.refusals = Refusals(database, self._owner)
        self._lock = threading.Lock()
        self._open: dict[str, ReceivingAssociation] = {}
        self._open_of_peer: Counter[str] = Counter()
        self._seen_bytes: dict[str, int] = {}
        self._ended: list[_Ended] = []
        self._leaving: set[str] = set()
        # A heartbeat written after the end of its association would keep the study waiting.
        self._telling = threading.Lock()

    def open(self) -> list[ReceivingAssociation]:
        """Those that are open now."""
        with self._lock:
            return list(self._open.values())

    def on_requested(self, event: Event) -> None:
        """Admit or reject an association request, before anything is negotiated."""
        association = event.assoc
        request = association.requestor.primitive
        if not isinstance(association, ReceivingAssociation) or request is None:
            raise TypeError("an association of another server")
        calling = plain_title(request.calling_ae_title)
        called = plain_title(request.called_ae_title)
        address = association.requestor.address
        verdict = self._judge(calling, called, address, association.certificate)
        if isinstance(verdict, Peer):
            admission = Admission(
                uuid.uuid4().hex, verdict, calling, called, address, datetime.now(UTC)
            )
            rejection = self._admit(association, admission)
        else:
            rejection = verdict
        if rejection is None:
            proposed = request.presentation_context_definition_list
            association.acceptor.supported_contexts = supported(proposed)
        else:
            association.acse.send_reject(rejection.result, rejection.source, rejection.diagnostic)
            association.kill()
            self.refusals.note(Refusal(address, calling, called, rejection.reason))
            self.refusals.write()

    def on_handshake_failed(self, address: str, reason: str) -> None:
        """Record a connection that never became a TLS one."""
        self.refusals.note(Refusal(address, "", "", reason))
        self.refusals.write()

    def on_crowded(self, address: str) -> None:
        """Count a connection that was closed at once; the heartbeat records it."""
        self.refusals.note(Refusal(address, "", "", "too many connections wait to be let in"))

    def _judge(
        self, calling: str, called: str, address: str, certificate: bytes | None
    ) -> Peer | Rejection:
        peer = self._peers.find(calling, address, certificate)
        if peer is None:
            return self._peers.why_denied(calling, address, certificate)
        if called != plain_title(self._ae_title):
            return CALLED_WRONG
        return peer if self._rate.grants(peer) else TOO_OFTEN

    def _admit(self, association: ReceivingAssociation, admission: Admission) -> Rejection | None:
        """Take a place and write the row; without both nobody is let in."""
        peer = admission.peer
        with self._lock:
            if len(self._open) >= self._maximum:
                return TOO_MANY
            most = peer.maximum_associations
            if most is not None and self._open_of_peer[peer.name] >= most:
                return TOO_MANY_OF_PEER
            self._open[admission.association_id] = association
            self._open_of_peer[peer.name] += 1
        try:
            with self._database.write() as tx:
                open_association(tx, _row(admission, self._owner))
        except StorageError as error:
            log.warning("association not recorded", peer=admission.peer.name, exc_info=error)
            self._leave(admission)
            return NOT_NOW
        association.admit(admission)
        log.info(
            "association opened",
            peer=admission.peer.name,
            calling_ae_title=admission.calling_ae_title,
            address=admission.address,
            association_id=admission.association_id,
        )
        return None

    def on_end(self, association: ReceivingAssociation) -> None:
        """Close the row of an association that has just ended."""
        admission = association.admission
        if admission is None:
            return
        ended = _Ended(admission.association_id, association.ending, datetime.now(UTC))
        log.info(
            "association closed",
            peer=admission.peer.name,
            association_id=admission.association_id,
            reason=ended.how.value,
            duration_s=round((ended.at - admission.opened_at).total_seconds(), 3),
            size_bytes=association.connection.received_bytes,
        )
        with self._lock:
            self._ended.append(ended)
            self._leaving.add(admission.association_id)
        self.close_ended()
        self._leave(admission)

    def close_ended(self) -> None:
        """Write how associations ended; what the database does not take now is tried again."""
        with self._telling:
            self._close_ended()

    def _close_ended(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, []
        while ended:
            first = ended[0]
            try:
                with self._database.write() as tx:
                    close_association(tx, first.association_id, first.how, first.at)
            except StorageError as error:
                log.warning("end of association not recorded", count=len(ended), exc_info=error)
                with self._lock:
                    self._ended = ended + self._ended
                return
            del ended[0]

    def touch(self) -> None:
        """Tell storage on which associations bytes came in since the last call."""
        with self._telling:
            self._touch(datetime.now(UTC))

    def _touch(self, now: datetime) -> None:
        with self._lock:
            counts = {
                key: each.connection.received_bytes
                for key, each in self._open.items()
                if key not in self._leaving
            }
        moved = {key: now for key, count in counts.items() if count != self._seen_bytes.get(key)}
        self._seen_bytes = counts
        if not moved:
            return
        try:
            with self._database.write() as tx:
                touch_associations(tx, moved)
        except StorageError as error:
            log.warning("heartbeat not recorded", count=len(moved), exc_info=error)

    def _leave(self, admission: Admission) -> None:
        with self._lock:
            if self._open.pop(admission.association_id, None) is not None:
                self._open_of_peer[admission.peer.name] -= 1
            self._leaving.discard(admission.association_id)


def _row(admission: Admission, owner: str) -> Association:
    return Association(
        association_id=admission.association_id,
        peer=admission.peer.name,
        calling_aet=admission.calling_ae_title,
        called_aet=admission.called_ae_title,
        address=admission.address,
        owner=owner,
        opened_at=admission.opened_at,
    )
