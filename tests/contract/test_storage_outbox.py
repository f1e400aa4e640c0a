"""How deliveries leave the outbox, on either database."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.audit import trail
from storage.database.transactions import Database
from storage.delivery import listing as storage_listing
from storage.delivery import outbox
from storage.delivery.listing import DeliveryView
from storage.delivery.outbox import Delivery
from storage.errors import ClaimLostError
from storage.states import DeliveryState
from tests.contract.storing import (
    LEASE_S,
    ME,
    after,
    record_report,
    report,
    result_object,
    store_study,
)

EXPIRES_S = 5000


def enqueue(
    database: Database, report_id: int, kind: str = "SR", destination: str = "pacs"
) -> None:
    with database.write() as tx:
        outbox.enqueue(
            tx,
            report_id,
            kind=kind,
            destination=destination,
            now=after(100),
            expires_at=after(EXPIRES_S),
        )


def claim(
    database: Database, at_s: float, destination: str = "pacs", owner: str = ME, limit: int = 10
) -> list[Delivery]:
    with database.write() as tx:
        return outbox.claim(
            tx,
            destination=destination,
            owner=owner,
            now=after(at_s),
            lease_s=LEASE_S,
            limit=limit,
        )


def listing(database: Database) -> list[DeliveryView]:
    with database.read() as tx:
        return storage_listing.listing(tx)


@pytest.fixture
def report_id(database: Database) -> int:
    store_study(database)
    return record_report(database, report())


@pytest.fixture
def delivery(database: Database, report_id: int) -> Delivery:
    """A delivery of an SR that this process has claimed."""
    enqueue(database, report_id)
    [delivery] = claim(database, 100)
    return delivery


def test_a_delivery_brings_its_renditions_best_first_and_what_may_go_instead(
    delivery: Delivery,
) -> None:
    reports = (result_object("SR", 0), result_object("SR", 1))
    assert delivery.alternatives == (*reports, result_object("SC"))
    assert (delivery.study_id, delivery.attempt, delivery.claimed_by) == (1, 1, ME)


def test_the_same_object_is_queued_once_for_a_destination(
    database: Database, report_id: int
) -> None:
    for _ in range(2):
        enqueue(database, report_id, "SR", "pacs")
    enqueue(database, report_id, "SC", "pacs")
    enqueue(database, report_id, "SR", "archive")
    assert [(item.kind, item.destination) for item in reversed(listing(database))] == [
        ("SR", "pacs"),
        ("SC", "pacs"),
        ("SR", "archive"),
    ]


def test_each_destination_has_a_queue_of_its_own(database: Database, report_id: int) -> None:
    enqueue(database, report_id, destination="pacs")
    assert claim(database, 100, destination="archive") == []
    with database.read() as tx:
        assert outbox.next_available_at(tx, "pacs") == after(100)
        assert outbox.next_available_at(tx, "archive") is None


def test_what_waits_for_a_destination_is_woken_and_nothing_else(database: Database) -> None:
    store_study(database)
    codes = ["UNREACHABLE", "STATUS_0xA700", "STATUS_0xC000", "BUSY", "TIMEOUT", "UNREACHABLE"]
    for revision, code in enumerate(codes, 1):
        where = "archive" if revision == len(codes) else "pacs"
        enqueue(database, record_report(database, report(revision)), destination=where)
        [item] = claim(database, 100, where)
        with database.write() as tx:
            outbox.retry(
                tx, item, at=after(101), available_at=after(700), code=code, message="waits"
            )
    away = ["UNREACHABLE", "TIMEOUT", "STATUS_0xA7%"]
    with database.write() as tx:
        assert outbox.wake(tx, "pacs", after(110), away, but=[5]) == 2
        assert outbox.wake(tx, "pacs", after(110), away, but=[5]) == 0
    assert [item.id for item in claim(database, 110)] == [1, 2]
    assert claim(database, 110, "archive") == []
    with database.read() as tx:
        assert outbox.next_available_at(tx, "pacs") == after(700)


def test_many_senders_never_share_a_delivery(database: Database) -> None:
    store_study(database)
    for revision in range(1, 31):
        enqueue(database, record_report(database, report(revision)))

    def drain(sender: int) -> list[int]:
        mine: list[int] = []
        while claimed := claim(database, 100, owner=f"here:{sender}:x", limit=3):
            mine += [item.id for item in claimed]
        return mine

    with ThreadPoolExecutor(6) as threads:
        claimed = Counter(item for found in threads.map(drain, range(6)) for item in found)
    assert set(claimed.values()) == {1}
    assert len(claimed) == 30


def test_what_was_sent_is_kept_with_the_rendition_that_was_accepted(
    database: Database, delivery: Delivery
) -> None:
    accepted = delivery.alternatives[1].sop_instance_uid
    with database.write() as tx:
        outbox.mark_sent(tx, delivery, at=after(101), sop_instance_uid=accepted, status=0xB000)
    [seen] = listing(database)
    assert (seen.state, seen.sent_sop_instance_uid, seen.status) == (
        DeliveryState.SENT,
        accepted,
        0xB000,
    )
    with database.read() as tx:
        [event] = trail.search(tx, action=trail.Action.DELIVERY_SENT)
    assert (event.peer, event.study_id, event.patient_id) == ("pacs", 1, "P1")
    assert event.detail["status"] == "0xB000"


def test_a_retried_delivery_waits(database: Database, delivery: Delivery) -> None:
    with database.write() as tx:
        outbox.retry(
            tx, delivery, at=after(101), available_at=after(160), code="PeerGone", message="refused"
        )
        assert outbox.next_available_at(tx, "pacs") == after(160)
    assert claim(database, 159) == []
    [again] = claim(database, 160)
    assert again.attempt == 2


def test_a_delivery_handed_back_loses_no_attempt(database: Database, delivery: Delivery) -> None:
    with database.write() as tx:
        outbox.hand_back(tx, delivery, after(101))
    [again] = claim(database, 101, owner="there:2:x")
    assert again.attempt == 1


def test_a_failed_delivery_is_revived_by_command(database: Database, delivery: Delivery) -> None:
    with database.write() as tx:
        outbox.fail(tx, delivery, at=after(101), code="EXPIRED", message="too old")
    assert claim(database, 9000) == []

    def requeue(**which: object) -> int:
        with database.write() as tx:
            return outbox.requeue(tx, now=after(9000), expires_at=after(9999), **which)  # type: ignore[arg-type]

    assert requeue(destination="archive") == 0
    assert requeue(ids=[delivery.id + 1]) == 0
    assert requeue(ids=[delivery.id], destination="pacs") == 1
    [again] = claim(database, 9000)
    assert (again.attempt, again.expires_at) == (1, after(9999))
    assert requeue(states=list(DeliveryState)) == 0  # what is being sent is left alone


def test_a_delivery_of_a_dead_process_is_rescued(database: Database, delivery: Delivery) -> None:
    with database.write() as tx:
        assert outbox.rescue(tx, after(101), lambda owner: False) == 0
        assert outbox.rescue(tx, after(101), lambda owner: owner == ME) == 1
    [again] = claim(database, 101, owner="there:2:x")
    assert again.attempt == 2


@pytest.mark.parametrize("ending", ["mark_sent", "retry", "fail", "hand_back", "renew"])
def test_whoever_was_paused_past_the_lease_can_end_nothing(
    database: Database, delivery: Delivery, ending: str
) -> None:
    with database.write() as tx:
        outbox.rescue(tx, after(100 + LEASE_S + 1), lambda owner: False)
    claim(database, 200)
    endings = {
        "mark_sent": lambda tx: outbox.mark_sent(
            tx, delivery, at=after(201), sop_instance_uid="1", status=0
        ),
        "retry": lambda tx: outbox.retry(
            tx, delivery, at=after(201), available_at=after(202), code="x", message="x"
        ),
        "fail": lambda tx: outbox.fail(tx, delivery, at=after(201), code="x", message="x"),
        "hand_back": lambda tx: outbox.hand_back(tx, delivery, after(201)),
        "renew": lambda tx: outbox.renew(tx, [delivery], after(201), LEASE_S),
    }
    with pytest.raises(ClaimLostError), database.write() as tx:
        endings[ending](tx)
    [seen] = listing(database)
    assert (seen.state, seen.attempt) == (DeliveryState.SENDING, 2)


def test_a_renewed_lease_keeps_the_delivery(database: Database, delivery: Delivery) -> None:
    with database.write() as tx:
        outbox.renew(tx, [delivery], after(120), LEASE_S)
        assert outbox.rescue(tx, after(100 + LEASE_S + 1), lambda owner: False) == 0
        outbox.mark_sent(tx, delivery, at=after(140), sop_instance_uid="1", status=0)


def test_the_outbox_is_listed_newest_first_by_state_and_destination(
    database: Database, report_id: int
) -> None:
    for destination in ("pacs", "archive"):
        enqueue(database, report_id, destination=destination)
    claim(database, 100, destination="pacs")
    with database.read() as tx:
        assert [item.destination for item in storage_listing.listing(tx)] == ["archive", "pacs"]
        [sending] = storage_listing.listing(tx, state=DeliveryState.SENDING)
        assert storage_listing.listing(tx, destination="archive", state=DeliveryState.SENDING) == []
    assert (sending.destination, sending.claimed_by) == ("pacs", ME)
    assert (sending.study_instance_uid, sending.accession_number) == ("1.2.9", "ACC1")
