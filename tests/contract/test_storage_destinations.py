"""What destinations accept is remembered where they are, shown, and forgotten on request."""

from dataclasses import replace

from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.delivery import destinations, outbox
from storage.delivery.destinations import Answer
from storage.delivery.outbox import Delivery
from storage.reading import cases
from storage.work.results import Report
from tests.contract.storing import (
    LEASE_S,
    ME,
    PIPELINE,
    after,
    record_report,
    report,
    result_object,
    store_study,
)

SR = "1.2.840.10008.5.1.4.1.1.88.34"
SC = "1.2.840.10008.5.1.4.1.1.7"
HERE, THERE = "pacs (PACS at 10.0.0.1:104)", "pacs (PACS at 10.0.0.2:104)"


def accepted(uid: str, at_s: float = 0, *syntaxes: str) -> Answer:
    return Answer(uid, syntaxes, "", after(at_s), after(at_s))


def refused(uid: str, at_s: float = 0) -> Answer:
    return Answer(uid, (), "negotiation", after(at_s), after(at_s))


def remember(database: Database, *answers: Answer, name: str = "pacs", where: str = HERE) -> None:
    with database.write() as tx:
        destinations.remember(tx, name, where, answers)


def recall(database: Database, name: str = "pacs", where: str = HERE) -> dict[str, Answer]:
    with database.read() as tx:
        return destinations.recall(tx, name, where)


def test_answers_come_back_as_they_were_given(database: Database) -> None:
    remember(database, accepted(SR, 0, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"), refused(SC))
    assert recall(database) == {
        SR: accepted(SR, 0, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"),
        SC: refused(SC),
    }
    assert recall(database, name="other") == {}


def test_the_same_answer_later_is_confirmed_and_another_begins_anew(database: Database) -> None:
    remember(database, refused(SR))
    remember(database, refused(SR, 10))
    assert recall(database)[SR] == Answer(SR, (), "negotiation", after(0), after(10))
    remember(database, accepted(SR, 20))
    assert recall(database)[SR] == accepted(SR, 20)


def test_what_a_destination_said_elsewhere_is_not_believed(database: Database) -> None:
    remember(database, refused(SR))
    assert recall(database, where=THERE) == {}
    remember(database, accepted(SR, 5), where=THERE)
    assert recall(database, where=THERE) == {SR: accepted(SR, 5)}
    assert recall(database) == {}


def test_forgetting_is_audited_and_leaves_other_destinations_alone(database: Database) -> None:
    remember(database, refused(SR), accepted(SC))
    remember(database, refused(SR), name="other")
    with database.write() as tx:
        assert destinations.forget(tx, "pacs", actor=ME, at=after(1)) == 2
    assert recall(database) == {}
    assert recall(database, name="other") == {SR: refused(SR)}
    with database.read() as tx:
        [event] = trail.search(tx, action=Action.DESTINATION_FORGOTTEN)
    assert (event.actor, event.peer, event.detail) == (ME, "pacs", {"answers": 2})


def claimed(database: Database, kind: str, at_s: float) -> Delivery:
    with database.write() as tx:
        (delivery,) = outbox.claim(
            tx, destination="pacs", owner=ME, now=after(at_s), lease_s=LEASE_S
        )
    assert delivery.kind == kind
    return delivery


def queued(database: Database, made: Report, kind: str, at_s: float) -> int:
    report_id = record_report(database, made)
    with database.write() as tx:
        outbox.enqueue(
            tx,
            report_id,
            kind=kind,
            destination="pacs",
            now=after(at_s),
            expires_at=after(5000),
        )
    return report_id


def sent(database: Database, delivery: Delivery, uid: str, at_s: float) -> None:
    with database.write() as tx:
        outbox.mark_sent(tx, delivery, at=after(at_s), sop_instance_uid=uid, status=0)


def test_in_place_of_a_report_its_picture_can_be_sent_and_is_known_to_be_there(
    database: Database,
) -> None:
    store_study(database)
    queued(database, report(), "SR", 100)
    delivery = claimed(database, "SR", 101)
    assert [item.kind for item in delivery.alternatives] == ["SR", "SR", "SC"]
    picture = delivery.alternatives[-1]
    sent(database, delivery, picture.sop_instance_uid, 102)
    with database.read() as tx:
        assert cases.load_case(tx, 1, PIPELINE).reported == (replace(picture, destination="pacs"),)


def test_a_message_is_overtaken_by_one_of_a_later_report_that_was_sent(
    database: Database,
) -> None:
    message = (result_object("ORU"),)
    store_study(database)
    queued(database, report(1, objects=message), "ORU", 100)
    first = claimed(database, "ORU", 101)
    queued(database, report(2, objects=message), "ORU", 102)
    second = claimed(database, "ORU", 103)

    def has_later(delivery: Delivery) -> bool:
        with database.read() as tx:
            return destinations.has_later(tx, delivery)

    assert not has_later(first)
    sent(database, second, "ID2", 104)
    assert has_later(first)
    assert not has_later(second)


def test_what_was_refused_lately_is_spared_and_the_audit_says_so(database: Database) -> None:
    store_study(database)
    picture = result_object("SC")

    def spares(uid: str, since_s: float, how: str = "negotiation") -> bool:
        with database.write() as tx:
            made = replace(picture, sop_class_uid=uid)
            return destinations.spares(tx, "pacs", made, 1, after(20), after(since_s), {how})

    remember(database, refused(SC, 10), accepted(SR, 10))
    assert not spares(SR, 0)
    assert not spares(SC, 15)
    assert not spares(SC, 0, "status 0xC000")
    assert spares(SC, 0)
    with database.read() as tx:
        [event] = trail.search(tx, action=Action.DELIVERY_SPARED)
    assert (event.peer, event.study_id) == ("pacs", 1)
    assert event.detail == {"kind": "SC", "refused_by": "negotiation"}
