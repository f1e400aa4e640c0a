"""The services beside storage, all registered here: DIMSE-N requests and who answers them.

What is the same for each stands here once: the peer's right, the reading of the dataset, errors
turned into statuses (PS3.7 annex C), and one line in the log.

| status | meaning                  | when                                             |
| ------ | ------------------------ | ------------------------------------------------ |
| 0x0106 | invalid attribute value  | a value that the service does not take           |
| 0x0110 | processing failure       | an error of ours, or the service's own condition |
| 0x0111 | duplicate SOP instance   | N-CREATE of an instance that is there            |
| 0x0112 | no such SOP instance     | N-SET, N-ACTION on one that is not               |
| 0x0113 | no such event type       | N-EVENT-REPORT                                   |
| 0x0115 | invalid argument value   | what a message is about makes no sense here      |
| 0x0117 | invalid object instance  | the SOP Instance UID of the message is no UID    |
| 0x0118 | no such SOP class        | not the one of the presentation context          |
| 0x0120 | missing attribute        |                                                  |
| 0x0121 | missing attribute value  |                                                  |
| 0x0123 | no such action           | N-ACTION                                         |
| 0x0124 | refused: not authorized  | the peer has not the right                       |
| 0x0211 | unrecognized operation   | the service has no such request                  |
| 0x0212 | mistyped argument        | the dataset cannot be read                       |
| 0x0213 | resource limitation      | disk full, database unavailable: to be repeated  |
"""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import structlog
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import evt

from dicom_node.intake.identification import is_uid
from dicom_node.rights import Right
from dicom_node.scp.upper_layer.transport import Admission, ReceivingAssociation
from storage.audit import trail
from storage.database.transactions import Database
from storage.errors import DatabaseUnavailableError, StorageError, StorageFullError

log = structlog.get_logger()


class ServiceStatus(IntEnum):
    """The statuses of the table above."""

    SUCCESS = 0x0000
    INVALID_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_INSTANCE = 0x0111
    NO_SUCH_INSTANCE = 0x0112
    NO_SUCH_EVENT_TYPE = 0x0113
    INVALID_ARGUMENT = 0x0115
    INVALID_INSTANCE = 0x0117
    NO_SUCH_CLASS = 0x0118
    MISSING_ATTRIBUTE = 0x0120
    MISSING_VALUE = 0x0121
    NO_SUCH_ACTION = 0x0123
    NOT_AUTHORIZED = 0x0124
    UNRECOGNIZED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    RESOURCE_LIMITATION = 0x0213


class ServiceRefusedError(Exception):
    """A request that is refused.

    `str()` is the Error Comment (0000,0902) for the peer: at most 64 characters, no identity.
    `error_id` is the Error ID (0000,0903) that some services define beside the status.
    """

    def __init__(self, status: ServiceStatus, comment: str, *, error_id: int | None = None) -> None:
        super().__init__(comment[:64])
        self.status = status
        self.error_id = error_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One DIMSE-N request of an admitted peer.

    `sop_instance_uid` is our choice where an N-CREATE left it to us (PS3.7 section 10.1.5.1.4).
    `type_id` is the Action Type ID or the Event Type ID.
    """

    sop_class_uid: str
    sop_instance_uid: str
    dataset: Dataset
    type_id: int | None
    admission: Admission
    association: ReceivingAssociation


@dataclass(frozen=True, slots=True)
class Reply:
    """A success, told when all is durable; `dataset` is what the answer carries, if anything."""

    dataset: Dataset | None = None


#: Who answers; raises `ServiceRefusedError`.
Answer = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its SOP classes, the right a peer needs, and who answers which request."""

    sop_classes: frozenset[UID]
    right: Right
    answers: Mapping[evt.InterventionEvent, Answer]


#: The event of each request, and where its message carries the dataset and the type.
_PARTS: dict[evt.InterventionEvent, tuple[str, str]] = {
    evt.EVT_N_CREATE: ("attribute_list", ""),
    evt.EVT_N_SET: ("modification_list", ""),
    evt.EVT_N_ACTION: ("action_information", "ActionTypeID"),
    evt.EVT_N_EVENT_REPORT: ("event_information", "EventTypeID"),
}

Binding = tuple[evt.InterventionEvent, Callable[[evt.Event], Any]]


class Services:
    """All services of a listener, by SOP class; what is refused is in the audit."""

    def __init__(self, database: Database, services: Iterable[Service]) -> None:
        self._database = database
        self._by_class = {
            uid: service for service in services for uid in sorted(service.sop_classes)
        }

    def bindings(self) -> list[Binding]:
        """What pynetdicom calls on which event: (Status, dataset) is the answer."""

        def bound(event_type: evt.InterventionEvent) -> Binding:
            return event_type, lambda event: self._on_request(event_type, event)

        return [bound(event_type) for event_type in _PARTS]

    def _on_request(
        self, event_type: evt.InterventionEvent, event: evt.Event
    ) -> tuple[Dataset, Dataset | None]:
        began, admission = time.monotonic(), _association(event)[1]
        dataset, error_id = None, None
        status, comment = ServiceStatus.SUCCESS, ""
        try:
            dataset = self._answer(event_type, event).dataset
        except Exception as error:  # every request is answered, and by our table
            refused = _refusal(error)
            status, comment, error_id = refused.status, str(refused), refused.error_id
            if status is ServiceStatus.PROCESSING_FAILURE and refused is not error:
                log.exception("request failed", peer=admission.peer.name)
            self._record_refusal(_kind(event_type), admission, refused)
        log.info(
            "request answered",
            kind=_kind(event_type),
            peer=admission.peer.name,
            association_id=admission.association_id,
            status=f"0x{status:04X}",
            reason=comment or None,
            duration_s=round(time.monotonic() - began, 4),
        )
        return _response(status, comment, error_id), dataset

    def _answer(self, event_type: evt.InterventionEvent, event: evt.Event) -> Reply:
        association, admission = _association(event)
        message = event.request
        sop_class_uid = _uid(message, "AffectedSOPClassUID", "RequestedSOPClassUID")
        service = self._by_class.get(UID(event.context.abstract_syntax))
        if service is None or sop_class_uid not in service.sop_classes:
            raise ServiceRefusedError(ServiceStatus.NO_SUCH_CLASS, "Not of this context")
        answer = service.answers.get(event_type)
        if answer is None:
            raise ServiceRefusedError(ServiceStatus.UNRECOGNIZED_OPERATION, "No such request here")
        if service.right not in admission.peer.may:
            raise ServiceRefusedError(
                ServiceStatus.NOT_AUTHORIZED, f'This peer may not "{service.right}"'
            )
        dataset_part, type_part = _PARTS[event_type]
        named = _uid(message, "AffectedSOPInstanceUID", "RequestedSOPInstanceUID")
        if named and not is_uid(named):
            raise ServiceRefusedError(
                ServiceStatus.INVALID_INSTANCE, "SOP Instance UID is malformed"
            )
        request = Request(
            sop_class_uid=sop_class_uid,
            sop_instance_uid=named or f"2.25.{uuid.uuid4().int}",
            dataset=_dataset(event, dataset_part),
            type_id=getattr(message, type_part) if type_part else None,
            admission=admission,
            association=association,
        )
        reply = answer(request)
        if named or event_type is not evt.EVT_N_CREATE:
            return reply
        carried = Dataset(reply.dataset or {})
        carried.AffectedSOPInstanceUID = request.sop_instance_uid
        return Reply(carried)

    def _record_refusal(
        self, kind: str, admission: Admission, refused: ServiceRefusedError
    ) -> None:
        detail = {"kind": kind, "status": f"0x{refused.status:04X}", "reason": str(refused)}
        refusal = trail.Event(
            action=trail.Action.REQUEST_REFUSED,
            at=datetime.now(UTC),
            outcome="failure",
            peer=admission.peer.name,
            address=admission.address,
            association_id=admission.association_id,
            detail=detail,
        )
        try:
            with self._database.write() as tx:
                trail.record(tx, refusal)
        except StorageError as error:
            # The peer hears of it all the same; what made it may be this very database.
            log.warning("refusal not recorded", peer=admission.peer.name, exc_info=error)


def _kind(event_type: evt.InterventionEvent) -> str:
    """EVT_N_CREATE -> N-CREATE."""
    return event_type.name.removeprefix("EVT_").replace("_", "-")


def _association(event: evt.Event) -> tuple[ReceivingAssociation, Admission]:
    association = event.assoc
    if not isinstance(association, ReceivingAssociation) or association.admission is None:
        raise TypeError("a request on an association that was never admitted")
    return association, association.admission


def _uid(message: object, *keywords: str) -> str:
    """The first of these that the message has."""
    return next((str(uid) for name in keywords if (uid := getattr(message, name, None))), "")


def _dataset(event: evt.Event, part: str) -> Dataset:
    try:
        return Dataset(getattr(event, part))
    except Exception as error:  # pydicom raises nearly anything on a damaged dataset
        raise ServiceRefusedError(
            ServiceStatus.MISTYPED_ARGUMENT, "Dataset cannot be read"
        ) from error


def _refusal(error: Exception) -> ServiceRefusedError:
    match error:
        case ServiceRefusedError():
            return error
        case StorageFullError() | DatabaseUnavailableError():
            return ServiceRefusedError(ServiceStatus.RESOURCE_LIMITATION, "Try again later")
        case _:
            return ServiceRefusedError(
                ServiceStatus.PROCESSING_FAILURE, "Internal error, see the node's log"
            )


def _response(status: ServiceStatus, comment: str, error_id: int | None) -> Dataset:
    response = Dataset()
    response.Status = int(status)
    if comment:
        response.ErrorComment = comment
    if error_id is not None:
        response.ErrorID = error_id
    return response
