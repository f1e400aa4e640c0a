"""Every message that the audit gives rise to is one of the standard's, and says what happened."""

from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dicom_node.audit_messages.kinds import KINDS
from dicom_node.audit_messages.message import AuditSource, to_xml
from dicom_node.audit_messages.syslog import line
from dicom_node.audit_messages.translation import ACTIONS, messages
from storage.audit.telling import Subject, ToTell
from storage.audit.trail import Action, RecordedEvent

SCHEMA = etree.RelaxNG(
    etree.parse(Path(__file__).resolve().parents[1] / "schemas" / "audit-message.rng")
)
NODE = AuditSource(id="ECHONODE", enterprise_site="Hospital")
AT = datetime(2026, 1, 31, 12, 0, 0, 123, UTC)
JANE = Subject(
    study_instance_uid="1.2.9",
    patient_id="P1",
    patient_name="Doe^Jane",
    accession_number="ACC1",
    instances={"1.2.840.10008.5.1.4.1.1.3.1": 12},
)
JOHN = Subject(
    study_instance_uid="1.2.10",
    patient_id="P2",
    patient_name="Doe^John",
    accession_number="",
    instances={},
)


def told(action: Action, *subjects: Subject, **values: object) -> ToTell:
    plain = {"id": 1, "at": AT, "actor": "host:7:boot.1", "peer": "cart", "address": "10.0.0.7"}
    event = RecordedEvent(action=action, **{**plain, **values})  # type: ignore[arg-type]
    return ToTell(position=1, event=event, subjects=subjects)


def trees(what: ToTell, kinds: tuple[str, ...] = KINDS) -> list[etree._Element]:
    """The messages of an event, checked against the schema."""
    found = [
        etree.fromstring(to_xml(message, NODE))
        for message in messages(what, frozenset(kinds), "ECHONODE")  # type: ignore[arg-type]
    ]
    for tree in found:
        SCHEMA.assertValid(tree)
    return found


def value(tree: etree._Element, path: str) -> str:
    """The one value of an XPath."""
    [found] = tree.xpath(path)
    return str(found)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("subjects", [(), (JANE,), (JANE, JOHN)])
def test_every_message_meets_the_schema(action: Action, subjects: tuple[Subject, ...]) -> None:
    trees(told(action, *subjects, study_id=7, patient_id="P1", detail={"reason": "unknown"}))
    trees(told(action, *subjects, outcome="failure", actor=None, peer=None, address=None))


ANY = st.text(st.characters(codec="utf-8"), max_size=20)


@given(action=st.sampled_from(ACTIONS), text=ANY, other=ANY)
def test_no_text_of_a_peer_breaks_a_message(action: Action, text: str, other: str) -> None:
    subject = Subject(
        study_instance_uid=text,
        patient_id=other,
        patient_name=text,
        accession_number=other,
        instances={text: 1},
    )
    detail = {"calling_aet": text, "reason": other, "command": text}
    what = told(action, subject, peer=text, address=other, actor=text, detail=detail)
    trees(what)
    for message in messages(what, frozenset(KINDS), "ECHONODE"):
        assert b"\n" not in line(message, NODE, "host")


def test_an_association_that_brought_two_patients_makes_two_messages() -> None:
    jane, john = trees(told(Action.ASSOCIATION_CLOSED, JANE, JOHN, detail={"ending": "released"}))
    assert value(jane, "EventIdentification/EventID/@csd-code") == "110104"
    assert value(jane, "EventIdentification/@EventActionCode") == "C"
    assert value(jane, "//SOPClass/@NumberOfInstances") == "12"
    assert value(jane, "//Accession/@Number") == "ACC1"
    ids = "ParticipantObjectIdentification/@ParticipantObjectID"
    assert jane.xpath(ids) == ["1.2.9", "P1"]
    assert john.xpath(ids) == ["1.2.10", "P2"]
    source = "ActiveParticipant[RoleIDCode/@csd-code='110153']"
    assert value(jane, f"{source}/@UserID") == "cart"
    assert value(jane, f"{source}/@NetworkAccessPointID") == "10.0.0.7"
    assert value(jane, f"{source}/@NetworkAccessPointTypeCode") == "2"


def test_a_delivery_is_told_at_its_beginning_and_its_end() -> None:
    [began] = trees(told(Action.DELIVERY_CLAIMED, JOHN, peer="pacs"))
    [sent] = trees(told(Action.DELIVERY_SENT, JOHN, peer="pacs"))
    [failed] = trees(
        told(Action.DELIVERY_FAILED, JOHN, outcome="failure", detail={"code": "REFUSED"})
    )
    code = "EventIdentification/EventID/@csd-code"
    assert [value(tree, code) for tree in (began, sent, failed)] == ["110102", "110104", "110104"]
    outcome = "EventIdentification/@EventOutcomeIndicator"
    assert [value(tree, outcome) for tree in (began, sent, failed)] == ["0", "0", "8"]
    assert value(failed, "EventIdentification/EventOutcomeDescription/text()") == "REFUSED"
    assert value(sent, "ActiveParticipant[RoleIDCode/@csd-code='110152']/@UserID") == "pacs"


def test_starting_and_stopping_are_told() -> None:
    types = [
        value(tree, "EventIdentification/EventTypeCode/@csd-code")
        for action in (Action.NODE_STARTED, Action.NODE_STOPPED)
        for tree in trees(told(action))
    ]
    assert types == ["110120", "110121"]


def test_a_refused_caller_is_an_alert_that_says_who_and_why() -> None:
    detail = {"calling_aet": "STRANGER", "reason": "calling AE title not recognized"}
    [alert] = trees(told(Action.ASSOCIATION_REFUSED, outcome="failure", peer=None, detail=detail))
    assert value(alert, "EventIdentification/EventID/@csd-code") == "110113"
    assert value(alert, "EventIdentification/EventTypeCode/@csd-code") == "110126"
    assert value(alert, "//@ParticipantObjectID") == "10.0.0.7"
    described = b64decode(value(alert, "//ParticipantObjectDetail/@value")).decode()
    assert "calling AE title not recognized" in described


def test_who_looked_at_what() -> None:
    looks = {
        "110101": told(Action.DATA_VIEWED, actor="jane", detail={"command": "audit"}),
        "110103": told(Action.DATA_VIEWED, JOHN, actor="jane", detail={"command": "study show"}),
        "110112": told(
            Action.DATA_VIEWED, actor="jane", patient_id="P2", detail={"command": "study list"}
        ),
    }
    for code, look in looks.items():
        [tree] = trees(look)
        assert value(tree, "EventIdentification/EventID/@csd-code") == code
        assert value(tree, "ActiveParticipant[@UserIsRequestor='true']/@UserID") == "jane"
    [query] = trees(looks["110112"])
    asked = b64decode(value(query, "//ParticipantObjectQuery/text()"))
    assert asked == b'{"command": "study list", "patient_id": "P2"}'


def test_only_the_kinds_asked_for_are_told() -> None:
    assert trees(told(Action.DELIVERY_SENT, JOHN), ("begin transferring",)) == []


def test_a_line_is_syslog_and_always_the_same() -> None:
    what = told(Action.NODE_STARTED)
    [message] = messages(what, frozenset(KINDS), "ECHONODE")
    told_twice = {line(message, NODE, "host.example") for _ in range(2)}
    assert len(told_twice) == 1
    head = b"<85>1 2026-01-31T12:00:00.000123Z host.example echonode - DICOM+RFC3881 - <?xml "
    assert told_twice.pop().startswith(head)
