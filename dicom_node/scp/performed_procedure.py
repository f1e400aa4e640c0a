"""MPPS: a cart says that it examines, and at the end which instances it made (PS3.4 annex F.7).

A step is IN PROGRESS from its N-CREATE until an N-SET makes it COMPLETED or DISCONTINUED, and may
not change after that. Of all that it says we keep its studies, its state and its instances.
"""

from pydicom import Dataset
from pynetdicom import evt

from dicom_node.scp.announcing import announcement, study_uids
from dicom_node.scp.contexts import MODALITY_PERFORMED_PROCEDURE_STEP
from dicom_node.scp.services import Reply, Request, Service, ServiceRefusedError, ServiceStatus
from inference.dicom.elements import items, text
from storage.database.transactions import Database
from storage.states import AnnouncementKind, StepState
from storage.studies import announcements
from storage.studies.announcements import Announcement, Change

#: "Performed Procedure Step Object may no longer be updated" (PS3.4 F.7.2.2.4).
_MAY_NO_LONGER_BE_UPDATED = 0xA710
_STATES = {
    "IN PROGRESS": StepState.IN_PROGRESS,
    "COMPLETED": StepState.COMPLETED,
    "DISCONTINUED": StepState.DISCONTINUED,
}
_REFERENCES = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")


def performed_procedure(database: Database) -> Service:
    """The service; a step is in the database before its N-CREATE or N-SET is answered."""

    def create(request: Request) -> Reply:
        """N-CREATE, PS3.4 F.7.2.1: a step begins."""
        step = _step(request)
        if step.state is not StepState.IN_PROGRESS:
            raise ServiceRefusedError(ServiceStatus.INVALID_VALUE, "A step begins IN PROGRESS")
        scheduled = items(request.dataset, "ScheduledStepAttributesSequence")
        studies = study_uids([*scheduled])
        with database.write() as tx:
            is_new = announcements.announce(tx, step, studies)
        if not is_new:
            raise ServiceRefusedError(ServiceStatus.DUPLICATE_INSTANCE, "This step is known")
        return Reply()

    def change(request: Request) -> Reply:
        """N-SET, PS3.4 F.7.2.2: what the step made so far, or that it ended."""
        step = _step(request)
        with database.write() as tx:
            change = announcements.change_step(tx, step)
        if change is Change.UNKNOWN:
            raise ServiceRefusedError(ServiceStatus.NO_SUCH_INSTANCE, "This step is not known")
        if change is Change.TOO_LATE:
            raise ServiceRefusedError(
                ServiceStatus.PROCESSING_FAILURE,
                "Performed Procedure Step Object may no longer be updated",
                error_id=_MAY_NO_LONGER_BE_UPDATED,
            )
        return Reply()

    return Service(
        frozenset({MODALITY_PERFORMED_PROCEDURE_STEP}),
        "announce",
        {evt.EVT_N_CREATE: create, evt.EVT_N_SET: change},
    )


def _step(request: Request) -> Announcement:
    dataset = request.dataset
    return announcement(request, AnnouncementKind.STEP, _state(dataset), _references(dataset))


def _state(dataset: Dataset) -> StepState | None:
    """The state that a message gives its step; None where it says nothing about that."""
    given = text(dataset, "PerformedProcedureStepStatus")
    if not given:
        return None
    if given not in _STATES:
        raise ServiceRefusedError(ServiceStatus.INVALID_VALUE, "Not one of the three step statuses")
    return _STATES[given]


def _references(dataset: Dataset) -> list[Dataset] | None:
    """What all performed series refer to; None where a message says nothing about series."""
    if "PerformedSeriesSequence" not in dataset:
        return None
    return [
        item
        for series in items(dataset, "PerformedSeriesSequence")
        for sequence in _REFERENCES
        for item in items(series, sequence)
    ]
