"""Which event of the audit becomes which message, by the tables of PS3.15 A.5.3.

An event without an entry, such as those of jobs, is nobody else's business and makes no message.
"""

import json
from collections.abc import Callable, Iterator

from dicom_node.audit_messages import codes, parts
from dicom_node.audit_messages.codes import Code
from dicom_node.audit_messages.kinds import Kind
from dicom_node.audit_messages.message import (
    QUERY_ROLE,
    SECURITY_RESOURCE,
    SYSTEM,
    ActionCode,
    AuditMessage,
    Outcome,
    Participant,
    ParticipantObject,
)
from storage.audit.telling import Subject, ToTell
from storage.audit.trail import Action, RecordedEvent


def messages(told: ToTell, kinds: frozenset[Kind], ae_title: str) -> Iterator[AuditMessage]:
    """The messages of an event, those of the given kinds alone.

    `ae_title` is the node's own. A message is about one patient: an association that brought two
    studies makes two.
    """
    for kind, message in _TRANSLATIONS[told.event.action](told, ae_title):
        if kind in kinds:
            yield message


Translated = Iterator[tuple[Kind, AuditMessage]]


def _activity(event_type: Code) -> Callable[[ToTell, str], Translated]:
    def translate(told: ToTell, ae_title: str) -> Translated:
        """Application Activity, A.5.3.1."""
        message = AuditMessage(
            event=codes.APPLICATION_ACTIVITY,
            event_type=event_type,
            action="E",
            at=told.event.at,
            outcome=parts.outcome(told.event),
            participants=(parts.node(told.event, ae_title, codes.APPLICATION, asked=False),),
        )
        yield "application activity", message

    return translate


def _began_sending(told: ToTell, ae_title: str) -> Translated:
    """Begin Transferring DICOM Instances, A.5.3.3."""
    yield from _transfer(
        told, "begin transferring", codes.BEGIN_TRANSFERRING, "E", parts.sent(told.event, ae_title)
    )


def _ended_sending(outcome: Outcome) -> Callable[[ToTell, str], Translated]:
    def translate(told: ToTell, ae_title: str) -> Translated:
        """DICOM Instances Transferred, A.5.3.7; who is not the receiver says R."""
        yield from _transfer(
            told,
            "instances transferred",
            codes.INSTANCES_TRANSFERRED,
            "R",
            parts.sent(told.event, ae_title),
            outcome,
        )

    return translate


def _received(told: ToTell, ae_title: str) -> Translated:
    """DICOM Instances Transferred, A.5.3.7: what an association brought."""
    event = told.event
    participants = (
        parts.peer(event, codes.SOURCE, asked=True),
        parts.node(event, ae_title, codes.DESTINATION, asked=False),
    )
    yield from _transfer(
        told,
        "instances transferred",
        codes.INSTANCES_TRANSFERRED,
        "C",
        participants,
        parts.outcome(event),
    )


def _transfer(
    told: ToTell,
    kind: Kind,
    event: Code,
    action: ActionCode,
    participants: tuple[Participant, ...],
    outcome: Outcome = "0",
) -> Translated:
    for subject in told.subjects:
        message = AuditMessage(
            event=event,
            action=action,
            at=told.event.at,
            outcome=outcome,
            outcome_description=parts.failure(told.event) if outcome != "0" else "",
            participants=participants,
            objects=(parts.study(subject), parts.patient(subject)),
        )
        yield kind, message


def _viewed(told: ToTell, ae_title: str) -> Translated:
    """What a command showed: the audit (A.5.3.2), one study (A.5.3.6) or those found (A.5.3.10)."""
    if told.event.detail.get("command") == "audit":
        yield "audit log used", _audit_used(told.event)
    elif told.subjects:
        yield "instances accessed", _accessed(told, "R")
    else:
        answers = Participant(
            user_id="echonode", is_requestor=False, role=codes.DESTINATION, ae_title=ae_title
        )
        yield "query", _query(told.event, answers)


def _searched(told: ToTell, _ae_title: str) -> Translated:
    """Query, A.5.3.10: somebody had an archive searched."""
    answers = parts.peer(told.event, codes.DESTINATION, asked=False)
    yield "query", _query(told.event, answers)


def _made(told: ToTell, ae_title: str) -> Translated:
    """DICOM Instances Accessed, A.5.3.6: a report was made in the study."""
    if told.subjects:
        yield "instances accessed", _accessed(told, "C", parts.node(told.event, ae_title, None))


def _purged(told: ToTell, _ae_title: str) -> Translated:
    """DICOM Study Deleted, A.5.3.8; the study itself can no longer be asked, only its number."""
    event = told.event
    gone = Subject(
        study_instance_uid=f"echonode:study:{event.study_id}",
        patient_id=event.patient_id or "",
        patient_name="",
        accession_number="",
        instances={},
    )
    message = AuditMessage(
        event=codes.STUDY_DELETED,
        action="D",
        at=event.at,
        outcome=parts.outcome(event),
        participants=(parts.user(event),),
        objects=tuple(
            item for subject in told.subjects or (gone,) for item in parts.identified(subject)
        ),
    )
    yield "study deleted", message


def _refused(told: ToTell, ae_title: str) -> Translated:
    """Security Alert, A.5.3.11: nobody knows this caller, or not like this."""
    event = told.event
    calling = str(event.detail.get("calling_aet", "") or "unknown")
    caller = Participant(
        user_id=calling,
        is_requestor=False,
        ae_title=calling,
        address=event.address,
    )
    alert = ParticipantObject(
        id=event.address or calling,
        id_type=codes.NODE_ID,
        kind=SYSTEM,
        role=SECURITY_RESOURCE,
        name=calling,
        details={"Alert Description": f"association refused: {event.detail.get('reason', '')}"},
    )
    yield (
        "security alert",
        AuditMessage(
            event=codes.SECURITY_ALERT,
            event_type=codes.NODE_AUTHENTICATION,
            action="E",
            at=event.at,
            outcome="4",
            participants=(parts.node(event, ae_title, None, asked=True), caller),
            objects=(alert,),
        ),
    )


def _upgraded(told: ToTell, ae_title: str) -> Translated:
    """Security Alert, A.5.3.11: the software was changed."""
    changed = json.dumps(dict(told.event.detail), sort_keys=True)
    subject = ParticipantObject(
        id="echonode:database",
        id_type=codes.URI,
        kind=SYSTEM,
        role=SECURITY_RESOURCE,
        name="database schema",
        details={"Alert Description": f"database schema upgraded: {changed}"},
    )
    yield (
        "security alert",
        AuditMessage(
            event=codes.SECURITY_ALERT,
            event_type=codes.SOFTWARE_CONFIGURATION,
            action="E",
            at=told.event.at,
            outcome="0",
            participants=(parts.node(told.event, ae_title, None, asked=True),),
            objects=(subject,),
        ),
    )


def _audit_used(event: RecordedEvent) -> AuditMessage:
    log = ParticipantObject(
        id="echonode:audit",
        id_type=codes.URI,
        kind=SYSTEM,
        role=SECURITY_RESOURCE,
        name="Security Audit Log",
    )
    return AuditMessage(
        event=codes.AUDIT_LOG_USED,
        action="R",
        at=event.at,
        outcome=parts.outcome(event),
        participants=(parts.user(event),),
        objects=(log,),
    )


def _accessed(told: ToTell, action: ActionCode, *others: Participant) -> AuditMessage:
    objects = tuple(item for subject in told.subjects for item in parts.identified(subject))
    return AuditMessage(
        event=codes.INSTANCES_ACCESSED,
        action=action,
        at=told.event.at,
        outcome=parts.outcome(told.event),
        participants=others or (parts.user(told.event),),
        objects=objects,
    )


def _query(event: RecordedEvent, answers: Participant) -> AuditMessage:
    """A query that is not DICOM's: its criteria as JSON (note 2 of A.5.3.10)."""
    criteria = {
        **event.detail,
        "patient_id": event.patient_id,
        "accession_number": event.accession_number,
    }
    asked = {key: value for key, value in sorted(criteria.items()) if value is not None}
    query = ParticipantObject(
        id=f"echonode:{event.detail.get('command', '')}",
        id_type=codes.URI,
        kind=SYSTEM,
        role=QUERY_ROLE,
        query=json.dumps(asked, ensure_ascii=False).encode(),
    )
    return AuditMessage(
        event=codes.QUERY,
        action="E",
        at=event.at,
        outcome=parts.outcome(event),
        participants=(parts.user(event, codes.SOURCE), answers),
        objects=(query,),
    )


_TRANSLATIONS: dict[Action, Callable[[ToTell, str], Translated]] = {
    Action.NODE_STARTED: _activity(codes.APPLICATION_START),
    Action.NODE_STOPPED: _activity(codes.APPLICATION_STOP),
    Action.ASSOCIATION_CLOSED: _received,
    Action.ASSOCIATION_REFUSED: _refused,
    Action.DELIVERY_CLAIMED: _began_sending,
    Action.DELIVERY_SENT: _ended_sending("0"),
    Action.DELIVERY_RETRY: _ended_sending("4"),
    Action.DELIVERY_FAILED: _ended_sending("8"),
    Action.REPORT_MADE: _made,
    Action.STUDY_PURGED: _purged,
    Action.DATA_VIEWED: _viewed,
    Action.ARCHIVE_SEARCHED: _searched,
    Action.SCHEMA_UPGRADED: _upgraded,
}
#: The events that make messages.
ACTIONS = tuple(_TRANSLATIONS)
