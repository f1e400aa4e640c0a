"""What the two announcing services share: from a request to what storage keeps of it."""

from datetime import UTC, datetime

from pydicom import Dataset

from dicom_node.intake.identification import is_uid
from dicom_node.scp.contexts import STORAGE_CLASSES
from dicom_node.scp.services import Request, ServiceRefusedError, ServiceStatus
from inference.dicom.elements import text
from storage.states import AnnouncementKind, StepState
from storage.studies.announcements import Announcement


def announcement(
    request: Request,
    kind: AnnouncementKind,
    state: StepState | None,
    references: list[Dataset] | None,
) -> Announcement:
    """What a request says; None says nothing about instances.

    A reference that nobody could match is left out, and so is one to an object of a class that
    the node does not take: it will never come.
    """
    uids = [text(item, "ReferencedSOPInstanceUID") for item in references or () if _may_come(item)]
    return Announcement(
        kind=kind,
        sop_instance_uid=request.sop_instance_uid,
        state=state,
        instance_uids=None if references is None else frozenset(filter(is_uid, uids)),
        peer=request.admission.peer.name,
        at=datetime.now(UTC),
        association_id=request.admission.association_id,
    )


def _may_come(reference: Dataset) -> bool:
    sop_class_uid = text(reference, "ReferencedSOPClassUID")
    return not sop_class_uid or sop_class_uid in STORAGE_CLASSES


def study_uids(datasets: list[Dataset]) -> list[str]:
    """The Study Instance UIDs (0020,000D) that some items name.

    Raises:
        ServiceRefusedError: 0x0121 or 0x0106; there is none, or none that is well-formed.
    """
    named = [uid for dataset in datasets if (uid := text(dataset, "StudyInstanceUID"))]
    if not named:
        raise ServiceRefusedError(ServiceStatus.MISSING_VALUE, "StudyInstanceUID is missing")
    usable = [uid for uid in named if is_uid(uid)]
    if not usable:
        raise ServiceRefusedError(ServiceStatus.INVALID_VALUE, "StudyInstanceUID is malformed")
    return usable
