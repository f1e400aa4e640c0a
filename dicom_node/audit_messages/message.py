"""An audit message, and its XML by the schema of PS3.15 A.5.1.1."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Literal
from xml.etree import ElementTree as ET

from dicom_node.audit_messages.codes import Code

ActionCode = Literal["C", "R", "U", "D", "E"]
#: Nominal success, minor failure, serious failure, major failure.
Outcome = Literal["0", "4", "8", "12"]

PERSON, SYSTEM = "1", "2"
PATIENT, REPORT, SECURITY_RESOURCE, QUERY_ROLE = "1", "3", "13", "24"
_APPLICATION_SERVER = "4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A person or process that took part; `address` is an IP address or a host name."""

    user_id: str
    is_requestor: bool
    role: Code | None = None
    ae_title: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantObject:
    """What it was done to. A `query` takes the place of the name; `instances` by SOP Class UID."""

    id: str
    id_type: Code
    kind: str
    role: str
    name: str = ""
    query: bytes | None = None
    accession_number: str = ""
    instances: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSource:
    """The node, as every message names it."""

    id: str
    enterprise_site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMessage:
    """One message."""

    event: Code
    action: ActionCode
    at: datetime
    outcome: Outcome
    participants: tuple[Participant, ...]
    event_type: Code | None = None
    outcome_description: str = ""
    objects: tuple[ParticipantObject, ...] = ()


def to_xml(message: AuditMessage, source: AuditSource) -> bytes:
    """The message in UTF-8; the same message is always the same bytes."""
    root = ET.Element("AuditMessage")
    _add_event(root, message)
    for participant in message.participants:
        _add_participant(root, participant)
    site = {"AuditEnterpriseSiteID": source.enterprise_site} if source.enterprise_site else {}
    described = _add(root, "AuditSourceIdentification", {**site, "AuditSourceID": source.id})
    _add(described, "AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
    for item in message.objects:
        _add_object(root, item)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def _add_event(root: ET.Element, message: AuditMessage) -> None:
    event = _add(
        root,
        "EventIdentification",
        {
            "EventActionCode": message.action,
            "EventDateTime": message.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "EventOutcomeIndicator": message.outcome,
        },
    )
    _add_code(event, "EventID", message.event)
    if message.event_type:
        _add_code(event, "EventTypeCode", message.event_type)
    if message.outcome_description:
        _add(event, "EventOutcomeDescription").text = _printable(message.outcome_description)


def _add_participant(root: ET.Element, participant: Participant) -> None:
    attributes = {
        "UserID": participant.user_id,
        "UserIsRequestor": str(participant.is_requestor).lower(),
    }
    if participant.ae_title:
        attributes["AlternativeUserID"] = f"AETITLES={participant.ae_title}"
    if participant.address:
        attributes["NetworkAccessPointID"] = participant.address
        attributes["NetworkAccessPointTypeCode"] = "2" if _is_ip(participant.address) else "1"
    element = _add(root, "ActiveParticipant", attributes)
    if participant.role:
        _add_code(element, "RoleIDCode", participant.role)


def _add_object(root: ET.Element, item: ParticipantObject) -> None:
    element = _add(
        root,
        "ParticipantObjectIdentification",
        {
            "ParticipantObjectID": item.id,
            "ParticipantObjectTypeCode": item.kind,
            "ParticipantObjectTypeCodeRole": item.role,
        },
    )
    _add_code(element, "ParticipantObjectIDTypeCode", item.id_type)
    if item.query is None:
        _add(element, "ParticipantObjectName").text = _printable(item.name)
    else:
        _add(element, "ParticipantObjectQuery").text = b64encode(item.query).decode()
    for kind, value in item.details.items():
        encoded = b64encode(value.encode()).decode()
        _add(element, "ParticipantObjectDetail", {"type": kind, "value": encoded})
    if item.instances:
        _add_description(element, item)


def _add_description(element: ET.Element, item: ParticipantObject) -> None:
    description = _add(element, "ParticipantObjectDescription")
    if item.accession_number:
        _add(description, "Accession", {"Number": item.accession_number})
    for uid, count in item.instances.items():
        _add(description, "SOPClass", {"UID": uid, "NumberOfInstances": str(count)})


def _add_code(parent: ET.Element, tag: str, code: Code) -> None:
    attributes = {
        "csd-code": code.value,
        "codeSystemName": code.scheme,
        "originalText": code.meaning,
    }
    _add(parent, tag, attributes)


def _add(parent: ET.Element, tag: str, attributes: Mapping[str, str] | None = None) -> ET.Element:
    values = {key: _printable(value) for key, value in (attributes or {}).items()}
    return ET.SubElement(parent, tag, values)


def _printable(text: str) -> str:
    """What of a peer's text XML 1.0 and a line can hold: control characters become U+FFFD."""
    return "".join(item if item.isprintable() else "\N{REPLACEMENT CHARACTER}" for item in text)


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
