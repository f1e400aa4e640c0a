"""Storage commitment: peers ask for it, and report on what we asked for (PS3.4 annex J).

A request is recorded before it is acknowledged. Its report goes out on an association of our own,
by the deliverer, where the settings say how the peer is reached; else on the association that
brought the request, while that lasts. A peer that missed it asks again.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO

import structlog
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.dsutils import encode

from dicom_node.commitment_messages import (
    ALL_COMMITTED,
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    REQUEST,
    SOME_FAILED,
    Report,
    UnreadableMessageError,
    read_report,
    read_request,
    report_dataset,
)
from dicom_node.scp.services import Reply, Request, Service, ServiceRefusedError, ServiceStatus
from dicom_node.scp.upper_layer.transport import ReceivingAssociation
from storage.database.transactions import Database
from storage.delivery.commitment_answers import record_answer
from storage.errors import StorageError
from storage.files.spool import Spool
from storage.keeping.promises import (
    Holdings,
    Owed,
    claim_owed,
    give_up,
    holdings,
    mark_reported,
    record_request,
    report_later,
)

#: How long a peer that is away is told again and again what it asked for.
REPORTED_FOR = timedelta(days=3)
#: How long an answer to a report on the peer's own association is waited for.
_PATIENCE = timedelta(minutes=1)

log = structlog.get_logger()


def storage_commitment(database: Database, spool: Spool) -> Service:
    """The service: requests of peers, and their reports on our own requests."""
    commitment = _Commitment(database, spool)
    return Service(
        sop_classes=frozenset({PUSH_MODEL}),
        right="commit",
        answers={
            evt.EVT_N_ACTION: commitment.on_request,
            evt.EVT_N_EVENT_REPORT: commitment.on_report,
        },
    )


class _Commitment:
    def __init__(self, database: Database, spool: Spool) -> None:
        self._database = database
        self._spool = spool

    def on_request(self, request: Request) -> Reply:
        _require_instance(request)
        if request.type_id != REQUEST:
            raise ServiceRefusedError(ServiceStatus.NO_SUCH_ACTION, "Action Type ID is not 1")
        try:
            transaction_uid, references = read_request(request.dataset)
        except UnreadableMessageError as error:
            raise ServiceRefusedError(ServiceStatus.INVALID_ARGUMENT, str(error)) from error
        now, peer = datetime.now(UTC), request.admission.peer
        with self._database.write() as tx:
            number = record_request(
                tx,
                references,
                transaction_uid=transaction_uid,
                peer=peer.name,
                association_id=request.admission.association_id,
                at=now,
                expires_at=now + REPORTED_FOR,
            )
        if not peer.is_called_back:
            association = request.association
            association.afterwards(partial(self._report, association, number))
        return Reply()

    def on_report(self, request: Request) -> Reply:
        _require_instance(request)
        if request.type_id not in (ALL_COMMITTED, SOME_FAILED):
            raise ServiceRefusedError(
                ServiceStatus.NO_SUCH_EVENT_TYPE, "Event Type ID is neither 1 nor 2"
            )
        try:
            report = read_report(request.dataset)
        except UnreadableMessageError as error:
            raise ServiceRefusedError(ServiceStatus.INVALID_ARGUMENT, str(error)) from error
        with self._database.write() as tx:
            known = record_answer(
                tx,
                report.transaction_uid,
                committed={item.sop_instance_uid for item in report.committed},
                failed={item.sop_instance_uid: why for item, why in report.failed.items()},
                by=request.admission.peer.name,
                at=datetime.now(UTC),
            )
        if not known:
            raise ServiceRefusedError(ServiceStatus.INVALID_ARGUMENT, "Transaction UID not known")
        return Reply()

    def _report(self, association: ReceivingAssociation, number: int) -> None:
        """Report on the association that brought the request; what fails here is only logged."""
        now = datetime.now(UTC)
        try:
            with self._database.write() as tx:
                claimed = claim_owed(tx, now=now, again_at=now + _PATIENCE, request_id=number)
            for owed in claimed:
                with self._database.read() as tx:
                    held = holdings(tx, owed, self._spool.exists)
                if held.is_empty:
                    with self._database.write() as tx:
                        give_up(tx, owed, now)
                else:
                    _send(association, owed, held, partial(self._told, owed, held))
        except StorageError as error:
            log.warning("commitment not reported", exc_info=error)

    def _told(self, owed: Owed, held: Holdings, status: int) -> None:
        now = datetime.now(UTC)
        log.info("commitment reported", peer=owed.peer, status=f"0x{status:04X}")
        try:
            with self._database.write() as tx:
                if status == ServiceStatus.SUCCESS:
                    mark_reported(tx, owed, held, now)
                else:
                    report_later(tx, owed, now + _PATIENCE, f"the peer answered 0x{status:04X}")
        except StorageError as error:
            log.warning("end of commitment not recorded", peer=owed.peer, exc_info=error)


def _require_instance(request: Request) -> None:
    if request.sop_instance_uid != PUSH_MODEL_INSTANCE:
        raise ServiceRefusedError(
            ServiceStatus.NO_SUCH_INSTANCE, "Not the well-known instance of the push model"
        )


def _send(
    association: ReceivingAssociation, owed: Owed, held: Holdings, heard: Callable[[int], None]
) -> None:
    report = Report(owed.transaction_uid, held.committed, held.failed)
    context = next(
        context
        for context in association.accepted_contexts
        if context.abstract_syntax == PUSH_MODEL
    )
    [syntax] = context.transfer_syntax
    message = N_EVENT_REPORT()
    message.MessageID = owed.id % 0xFFFF + 1
    message.AffectedSOPClassUID = UID(PUSH_MODEL)
    message.AffectedSOPInstanceUID = UID(PUSH_MODEL_INSTANCE)
    message.EventTypeID = report.event_type
    information = encode(report_dataset(report), syntax.is_implicit_VR, syntax.is_little_endian)
    message.EventInformation = BytesIO(information or b"")
    association.ask(message, context.context_id or 0, heard)
