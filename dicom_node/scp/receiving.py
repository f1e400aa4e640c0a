"""C-ECHO and C-STORE: what happens between the last byte of an instance and its status.

Only what was kept (see `intake.keeping`) is answered with 0x0000.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from pydicom import Dataset
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from dicom_node.intake.identification import named_study
from dicom_node.intake.keeping import Keeper, Origin
from dicom_node.intake.refused_instances import RefusedInstances
from dicom_node.intake.statuses import RefusedError, StoreStatus, answer, refusal
from dicom_node.scp.upper_layer.spooling import DatasetStream, arrival
from dicom_node.scp.upper_layer.transport import Admission, ReceivingAssociation
from storage.audit import trail
from storage.database.transactions import Database
from storage.errors import StorageError
from storage.files.spool import Spool
from storage.intake.received import Receipt

log = structlog.get_logger()

#: Everything else tells its sender that the instance is not here.
_KEPT = frozenset(
    {StoreStatus.SUCCESS, StoreStatus.KEPT_WITHOUT_STUDY, StoreStatus.DUPLICATE_INSTANCE}
)


class Receiver:
    """Answers the requests of admitted peers.

    `pipelines` are those that look at each new instance.
    """

    def __init__(self, database: Database, spool: Spool, *, pipelines: Sequence[str]) -> None:
        self._database = database
        self._keeper = Keeper(database, spool, pipelines=pipelines)
        self._refused = RefusedInstances(database)

    def on_echo(self, event: Event) -> int:
        """Answer a C-ECHO (PS3.7 section 9.1.5); 0x0110 says that the node could not store now."""
        admission = _admission(event)
        if "echo" not in admission.peer.may:
            return StoreStatus.NOT_AUTHORIZED
        try:
            with self._database.write() as tx:
                trail.record(tx, _echo(admission))
        except StorageError as error:
            log.warning("echo not recorded", peer=admission.peer.name, exc_info=error)
            return StoreStatus.PROCESSING_FAILURE
        return StoreStatus.SUCCESS

    def on_store(self, event: Event) -> Dataset:
        """Answer a C-STORE (PS3.7 section 9.1.1); a refusal carries its Error Comment."""
        admission, began = _admission(event), time.monotonic()
        request = event.request
        stream = request.DataSet if isinstance(request, C_STORE) else None
        status, comment = StoreStatus.SUCCESS, ""
        try:
            status = self._keep(stream, admission)
        except Exception as error:  # every request is answered, and by our table
            refused = refusal(error)
            status, comment = refused.status, str(refused)
            if status is StoreStatus.PROCESSING_FAILURE:
                log.exception("instance not stored", peer=admission.peer.name)
            self._record_refusal(stream, admission, refused)
        tell = log.info if status in _KEPT else log.warning
        tell(
            "instance answered",
            peer=admission.peer.name,
            association_id=admission.association_id,
            status=f"0x{status:04X}",
            reason=comment or None,
            duration_s=round(time.monotonic() - began, 4),
        )
        return _response(status, comment)

    def _keep(self, stream: object, admission: Admission) -> StoreStatus:
        if "store" not in admission.peer.may:
            raise RefusedError(StoreStatus.NOT_AUTHORIZED, "This peer may not store")
        arrived = arrival(stream)
        peer = admission.peer
        origin = Origin(
            admission.association_id,
            peer.name,
            peer.quiet_s,
            may_correct="correct" in peer.may,
            may_reject="reject" in peer.may,
        )
        kept = self._keeper.keep(arrived, origin)
        if kept.receipt is Receipt.CONFLICT:
            log.warning(
                "other bytes under a known UID",
                peer=admission.peer.name,
                association_id=admission.association_id,
            )
        return answer(kept.receipt, admission.peer.on_conflict, is_orphan=kept.is_orphan)

    def record_refusals(self) -> None:
        """Record the refusals that the database did not take when they happened."""
        self._refused.record()

    def _record_refusal(self, stream: object, admission: Admission, refused: RefusedError) -> None:
        known = stream if isinstance(stream, DatasetStream) else None
        self._refused.note(
            at=datetime.now(UTC),
            peer=admission.peer.name,
            address=admission.address,
            association_id=admission.association_id,
            sop_instance_uid=(known and known.sop_instance_uid) or None,
            study_instance_uid=_study(known),
            status=refused.status,
            reason=str(refused),
            is_missing=refused.status is not StoreStatus.NOT_AUTHORIZED,
        )


def _study(stream: DatasetStream | None) -> str:
    """The study of an instance that was not kept, where its dataset says so."""
    if stream is None or not stream.transfer_syntax_uid:
        return ""
    return named_study(bytes(stream.head), stream.transfer_syntax_uid)


def _admission(event: Event) -> Admission:
    association = event.assoc
    if not isinstance(association, ReceivingAssociation) or association.admission is None:
        raise TypeError("a request on an association that was never admitted")
    return association.admission


def _echo(admission: Admission) -> trail.Event:
    return trail.Event(
        action=trail.Action.ECHO,
        at=datetime.now(UTC),
        peer=admission.peer.name,
        address=admission.address,
        association_id=admission.association_id,
    )


def _response(status: StoreStatus, comment: str) -> Dataset:
    response = Dataset()
    response.Status = int(status)
    if comment:
        response.ErrorComment = comment
    return response
