"""The participants and objects of audit messages, as an event of the audit names them."""

from dicom_node.audit_messages import codes
from dicom_node.audit_messages.codes import Code
from dicom_node.audit_messages.message import (
    PATIENT,
    PERSON,
    REPORT,
    SYSTEM,
    Outcome,
    Participant,
    ParticipantObject,
)
from storage.audit.telling import Subject
from storage.audit.trail import RecordedEvent


def sent(event: RecordedEvent, ae_title: str) -> tuple[Participant, ...]:
    """Who sends and who receives of a delivery."""
    return (
        node(event, ae_title, codes.SOURCE, asked=True),
        peer(event, codes.DESTINATION, asked=False),
    )


def node(
    event: RecordedEvent, ae_title: str, role: Code | None, *, asked: bool = True
) -> Participant:
    """This node; its process is named as in the log and the claims, host:pid:starttime."""
    return Participant(
        user_id=event.actor or "echonode", is_requestor=asked, role=role, ae_title=ae_title
    )


def peer(event: RecordedEvent, role: Code, *, asked: bool) -> Participant:
    """The other system, by its name in the settings."""
    calling = event.detail.get("calling_aet")
    return Participant(
        user_id=event.peer or "unknown",
        is_requestor=asked,
        role=role,
        ae_title=str(calling) if calling else None,
        address=event.address,
    )


def user(event: RecordedEvent, role: Code | None = None) -> Participant:
    """The person at the command line."""
    return Participant(user_id=event.actor or "unknown", is_requestor=True, role=role)


def identified(subject: Subject) -> tuple[ParticipantObject, ParticipantObject]:
    """A study and its patient."""
    return study(subject), patient(subject)


def study(subject: Subject) -> ParticipantObject:
    """The study, with what of it was moved where the event tells."""
    return ParticipantObject(
        id=subject.study_instance_uid,
        id_type=codes.STUDY_INSTANCE_UID,
        kind=SYSTEM,
        role=REPORT,
        name=subject.study_instance_uid,
        accession_number=subject.accession_number,
        instances=subject.instances,
    )


def patient(subject: Subject) -> ParticipantObject:
    """The patient, by Patient ID."""
    return ParticipantObject(
        id=subject.patient_id,
        id_type=codes.PATIENT_NUMBER,
        kind=PERSON,
        role=PATIENT,
        name=subject.patient_name,
    )


def outcome(event: RecordedEvent) -> Outcome:
    """Nominal success, or minor failure."""
    return "0" if event.outcome == "success" else "4"


def failure(event: RecordedEvent) -> str:
    """Why, in one of our own words; what peers said may quote a dataset."""
    for key in ("ending", "error", "code", "reason"):
        if event.detail.get(key):
            return str(event.detail[key])
    return "failed"
