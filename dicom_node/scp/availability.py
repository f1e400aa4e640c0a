"""Instance Availability Notification: which instances of a study can be had (PS3.4 annex R)."""

from pydicom import Dataset
from pynetdicom import evt

from dicom_node.scp.announcing import announcement, study_uids
from dicom_node.scp.contexts import INSTANCE_AVAILABILITY_NOTIFICATION
from dicom_node.scp.services import Reply, Request, Service, ServiceRefusedError, ServiceStatus
from inference.dicom.elements import items, text
from storage.database.transactions import Database
from storage.states import AnnouncementKind, StepState
from storage.studies import announcements


def instance_availability(database: Database) -> Service:
    """The service; what was announced is in the database before it is answered."""

    def create(request: Request) -> Reply:
        """N-CREATE, PS3.4 R.3.2.1."""
        said = announcement(
            request,
            AnnouncementKind.AVAILABILITY,
            StepState.COMPLETED,
            _available(request.dataset),
        )
        studies = study_uids([request.dataset])
        with database.write() as tx:
            is_new = announcements.announce(tx, said, studies)
        if not is_new:
            raise ServiceRefusedError(ServiceStatus.DUPLICATE_INSTANCE, "This one is known")
        return Reply()

    return Service(
        frozenset({INSTANCE_AVAILABILITY_NOTIFICATION}), "announce", {evt.EVT_N_CREATE: create}
    )


def _available(dataset: Dataset) -> list[Dataset]:
    """The references that can be had: what is unavailable everywhere will not come."""
    series = items(dataset, "ReferencedSeriesSequence")
    if not series:
        raise ServiceRefusedError(
            ServiceStatus.MISSING_VALUE, "ReferencedSeriesSequence is missing"
        )
    references = [item for one in series for item in items(one, "ReferencedSOPSequence")]
    return [item for item in references if text(item, "InstanceAvailability") != "UNAVAILABLE"]
