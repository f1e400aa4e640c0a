"""What peers ask us to commit and what they are told, on either database."""

from collections.abc import Sequence

import pytest

from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.errors import ClaimLostError
from storage.keeping import promises, purge, retention
from storage.keeping.promises import FailureReason, Holdings, Owed, Reference
from tests.contract.storing import (
    after,
    complete,
    digest,
    received,
    record_report,
    report,
    store,
    store_study,
    work,
)

US = "1.2.840.10008.5.1.4.1.1.3.1"
ONE, TWO = Reference(US, "1.2.3.1"), Reference(US, "1.2.3.2")
DAY_S = 86_400.0


@pytest.fixture
def node(database: Database) -> Database:
    """A database with two received instances."""
    store_study(database, instances=2)
    return database


def ask(
    database: Database,
    references: Sequence[Reference] = (ONE, TWO),
    uid: str = "2.25.1",
    at_s: float = 100,
) -> int:
    with database.write() as tx:
        return promises.record_request(
            tx,
            references,
            transaction_uid=uid,
            peer="cart",
            association_id="a1",
            at=after(at_s),
            expires_at=after(at_s + DAY_S),
        )


def claim(database: Database, at_s: float = 100, peer: str | None = None) -> list[Owed]:
    with database.write() as tx:
        return promises.claim_owed(tx, now=after(at_s), again_at=after(at_s + 300), peer=peer)


def held(database: Database, owed: Owed, lost: Sequence[str] = ()) -> Holdings:
    with database.read() as tx:
        return promises.holdings(tx, owed, lambda digest: digest not in lost)


def answer(database: Database, at_s: float = 100) -> Holdings:
    [owed] = claim(database, at_s)
    return held(database, owed)


def test_what_was_received_is_committed(node: Database) -> None:
    ask(node)
    assert answer(node) == Holdings((ONE, TWO), {})


def test_what_never_came_is_no_such_instance(node: Database) -> None:
    missing = Reference(US, "1.2.3.99")
    ask(node, [ONE, missing])
    assert answer(node) == Holdings((ONE,), {missing: FailureReason.NO_SUCH_INSTANCE})


def test_another_sop_class_is_a_conflict(node: Database) -> None:
    wrong = Reference("1.2.840.10008.5.1.4.1.1.7", "1.2.3.1")
    ask(node, [wrong])
    assert answer(node).failed == {wrong: FailureReason.CLASS_INSTANCE_CONFLICT}


def test_a_file_that_left_the_spool_is_not_committed(node: Database) -> None:
    ask(node)
    assert work(node, 10)
    complete(node, 100)
    work(node, 100)
    record_report(node, report())
    with node.write() as tx:
        assert retention.mark_finished(tx, after(2 * DAY_S), after(DAY_S), 9)
    assert set(answer(node).failed.values()) == {FailureReason.NO_SUCH_INSTANCE}


def test_a_file_that_is_missing_on_the_disk_is_not_committed(node: Database) -> None:
    ask(node)
    [owed] = claim(node)
    told = held(node, owed, lost=[digest("instance 2")])
    assert told == Holdings((ONE,), {TWO: FailureReason.NO_SUCH_INSTANCE})


def test_who_sent_other_bytes_under_the_uid_hears_that_they_are_not_held(node: Database) -> None:
    store(node, received(1, 50, digest=digest("other bytes")))
    ask(node)
    assert answer(node).failed == {ONE: FailureReason.NO_SUCH_INSTANCE}


def test_what_is_held_is_what_is_held_when_the_report_is_made(node: Database) -> None:
    three = Reference(US, "1.2.3.3")
    ask(node, [three])
    store(node, received(3, 100))
    assert answer(node).committed == (three,)


def test_the_same_request_again_is_owed_again_and_is_one(node: Database) -> None:
    first = ask(node)
    [owed] = claim(node)
    with node.write() as tx:
        promises.mark_reported(tx, owed, held(node, owed), after(101))
    assert claim(node, 200) == []
    assert ask(node, (TWO, ONE), at_s=200) == first
    assert answer(node, 200) == Holdings((ONE, TWO), {})


def test_other_instances_under_a_used_transaction_uid_all_fail(node: Database) -> None:
    ask(node, [ONE])
    ask(node, [TWO])
    first, second = claim(node)
    assert held(node, first) == Holdings((ONE,), {})
    assert held(node, second).failed == {TWO: FailureReason.DUPLICATE_TRANSACTION_UID}


def test_a_request_of_thousands_is_recorded_and_answered(node: Database) -> None:
    many = [Reference(US, f"1.2.4.{number}") for number in range(3000)]
    ask(node, [ONE, *many])
    [owed] = claim(node)
    told = held(node, owed)
    assert (told.committed, len(told.failed)) == ((ONE,), 3000)
    with node.write() as tx:
        promises.mark_reported(tx, owed, told, after(101))
    with node.read() as tx:
        [event] = trail.search(tx, action=Action.COMMITMENT_REPORTED)
    assert (event.outcome, event.peer) == ("failure", "cart")
    assert event.detail == {"request": 1, "committed": 1, "0x0112": 3000}


def test_a_claim_is_a_postponement_and_the_late_holder_changes_nothing(node: Database) -> None:
    ask(node)
    [first] = claim(node, peer="cart")
    assert claim(node, peer="cart") == []
    [second] = claim(node, 400, peer="cart")
    with pytest.raises(ClaimLostError), node.write() as tx:
        promises.mark_reported(tx, first, Holdings((), {}), after(401))
    with node.write() as tx:
        promises.report_later(tx, second, after(500), "away")
    assert claim(node, 499) == []
    assert [owed.attempt for owed in claim(node, 500)] == [3]


def test_only_reports_to_the_peer_in_question_are_claimed(node: Database) -> None:
    ask(node)
    assert claim(node, peer="other") == []
    with node.read() as tx:
        assert promises.is_due(tx, "cart", after(100))
        assert not promises.is_due(tx, "other", after(100))


def test_what_could_not_be_reported_is_given_up_and_seen(node: Database) -> None:
    ask(node)
    with node.read() as tx:
        assert promises.unreported(tx, since=after(0), before=after(99)) == {}
        assert promises.unreported(tx, since=after(0), before=after(101)) == {"cart": 1}
    with node.write() as tx:
        assert promises.give_up_expired(tx, after(99 + DAY_S)) == 0
        assert promises.give_up_expired(tx, after(100 + DAY_S)) == 1
    assert claim(node, 200 + DAY_S) == []
    with node.read() as tx:
        assert promises.unreported(tx, since=after(0), before=after(0)) == {"cart": 1}
        [event] = trail.search(tx, action=Action.COMMITMENT_GIVEN_UP)
    assert (event.outcome, event.peer) == ("failure", "cart")


def test_a_purge_takes_the_requests_items_along(node: Database) -> None:
    ask(node)
    with node.write() as tx:
        purge.purge_study(tx, 1, actor="admin", reason="asked to", now=after(200), force=True)
    [owed] = claim(node)
    told = held(node, owed)
    assert told.is_empty
    with node.write() as tx:
        promises.give_up(tx, owed, after(201))
    assert claim(node, 1000) == []
