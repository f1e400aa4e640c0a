"""How deliveries climb from being accepted to being read back, on either database."""

from datetime import datetime

import pytest

from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.delivery import ladder, outbox
from storage.delivery.commitment_answers import ask, record_answer
from storage.delivery.ladder import Climb
from storage.delivery.listing import DeliveryView, listing
from storage.errors import ClaimLostError
from storage.states import ClimbState, DeliveryState, Rung
from storage.work.results import ResultObject
from tests.contract.storing import (
    LEASE_S,
    ME,
    after,
    record_report,
    report,
    result_object,
    store_study,
)

SENT_S, EXPIRES_S, TIMEOUT_S = 120.0, 5000.0, 600.0
SR = result_object("SR", 0)


def accept(database: Database, at_s: float = SENT_S, goal: Rung = Rung.READ_BACK) -> None:
    """What is pending is sent and accepted, as the SR that is preferred."""
    with database.write() as tx:
        for item in outbox.claim(
            tx, destination="pacs", owner=ME, now=after(at_s), lease_s=LEASE_S, limit=9
        ):
            outbox.mark_sent(
                tx, item, at=after(at_s), sop_instance_uid=SR.sop_instance_uid, status=0
            )
            ladder.begin(
                tx,
                item.id,
                destination="pacs",
                goal=goal,
                at=after(at_s),
                expires_at=after(EXPIRES_S),
            )


@pytest.fixture
def delivered(database: Database) -> Database:
    """A database with one delivery that was accepted and has to be committed and read back."""
    store_study(database)
    report_id = record_report(database, report())
    with database.write() as tx:
        outbox.enqueue(
            tx,
            report_id,
            kind="SR",
            destination="pacs",
            now=after(100),
            expires_at=after(EXPIRES_S),
        )
    accept(database)
    return database


def claim(database: Database, at_s: float = SENT_S, destination: str = "pacs") -> list[Climb]:
    with database.write() as tx:
        return ladder.claim(
            tx, destination=destination, now=after(at_s), again_at=after(at_s + 300), limit=9
        )


def the_climb(database: Database, at_s: float = SENT_S) -> Climb:
    [climb] = claim(database, at_s)
    return climb


def asks(database: Database, climb: Climb, uid: str = "2.25.1", at_s: float = SENT_S) -> None:
    with database.write() as tx:
        ask(tx, [climb.question], transaction_uid=uid, at=after(at_s))
        ladder.await_report(tx, climb, after(at_s + TIMEOUT_S))


def reports(
    database: Database, reason: int | None = None, uid: str = "2.25.1", at_s: float = 130
) -> bool:
    committed, failed = {SR.sop_instance_uid}, {}
    if reason is not None:
        committed, failed = set(), {SR.sop_instance_uid: reason}
    with database.write() as tx:
        return record_answer(
            tx, uid, committed=committed, failed=failed, by="archive", at=after(at_s)
        )


def reach(database: Database, climb: Climb, rung: Rung, at_s: float) -> None:
    with database.write() as tx:
        ladder.reach(tx, climb, rung, at=after(at_s), evidence="because", now=after(at_s))


def view(database: Database, destination: str = "pacs") -> DeliveryView:
    with database.read() as tx:
        [found] = listing(tx, destination=destination)
    return found


def due_at(database: Database) -> datetime | None:
    with database.read() as tx:
        return ladder.next_due_at(tx, "pacs")


def test_a_climb_brings_the_object_as_it_was_accepted(delivered: Database) -> None:
    climb = the_climb(delivered)
    assert (climb.rung, climb.goal, climb.attempt) == (Rung.ACCEPTED, Rung.READ_BACK, 1)
    assert (climb.study_id, climb.study_instance_uid) == (1, "1.2.9")
    assert (
        ResultObject(
            **{name: getattr(SR, name) for name in ("kind", "preference", "digest", "size_bytes")},
            sop_class_uid=climb.sop_class_uid,
            sop_instance_uid=climb.sop_instance_uid,
            series_instance_uid=climb.series_instance_uid,
        )
        == SR
    )


def test_a_claim_is_a_postponement_that_outlives_its_holder(delivered: Database) -> None:
    assert claim(delivered)
    assert claim(delivered) == []
    assert due_at(delivered) == after(SENT_S + 300)
    assert [climb.attempt for climb in claim(delivered, SENT_S + 300)] == [2]


def test_whose_claim_was_taken_over_changes_nothing(delivered: Database) -> None:
    first = the_climb(delivered)
    the_climb(delivered, SENT_S + 300)
    with pytest.raises(ClaimLostError):
        reach(delivered, first, Rung.COMMITTED, 500)
    assert view(delivered).rung is Rung.ACCEPTED


def test_each_destination_climbs_for_itself(delivered: Database) -> None:
    assert claim(delivered, destination="archive") == []
    with delivered.read() as tx:
        assert ladder.next_due_at(tx, "archive") is None


def test_rung_by_rung_to_the_goal_with_evidence_and_audit(delivered: Database) -> None:
    climb = the_climb(delivered)
    assert climb.next_rung is Rung.COMMITTED
    reach(delivered, climb, Rung.COMMITTED, 130)
    assert view(delivered).standing == "committed; waiting for the archive to list it"
    climb = the_climb(delivered, 130)
    assert climb.next_rung is Rung.READ_BACK
    reach(delivered, climb, Rung.READ_BACK, 140)
    seen = view(delivered)
    assert (seen.standing, seen.climb, seen.trouble) == ("read back", ClimbState.ARRIVED, "")
    assert (seen.committed_at, seen.read_back_at) == (after(130), after(140))
    assert (seen.commitment, seen.read_back) == ("because", "because")
    assert claim(delivered, 4000) == []
    with delivered.read() as tx:
        for action in (Action.DELIVERY_COMMITTED, Action.DELIVERY_READ_BACK):
            [event] = trail.search(tx, action=action)
            assert (event.peer, event.study_id) == ("pacs", 1)
            assert event.sop_instance_uid == SR.sop_instance_uid


def test_a_report_makes_due_what_waits_for_it(delivered: Database) -> None:
    asks(delivered, the_climb(delivered))
    assert due_at(delivered) == after(SENT_S + TIMEOUT_S)
    assert reports(delivered, at_s=130)
    climb = the_climb(delivered, 130)
    assert climb.commitment.times == 1
    assert climb.commitment.answer is not None
    assert climb.commitment.answer.failure_reason is None
    assert (climb.commitment.answer.by, climb.commitment.answer.at) == ("archive", after(130))


def test_a_report_that_comes_before_the_asking_is_over_is_not_missed(delivered: Database) -> None:
    climb = the_climb(delivered)
    asks(delivered, climb)
    reports(delivered, at_s=SENT_S + 1)
    with delivered.write() as tx:  # the asking failed after all
        ladder.try_again(tx, climb, after(140), code="TIMEOUT", message="no response")
    assert the_climb(delivered, 140).commitment.answer is not None


def test_what_nobody_asked_is_not_known(delivered: Database) -> None:
    assert not reports(delivered, uid="2.25.404")


def test_the_first_report_on_a_transaction_counts(delivered: Database) -> None:
    asks(delivered, the_climb(delivered))
    assert reports(delivered, at_s=130)
    assert reports(delivered, reason=0x0112, at_s=131)
    answer = the_climb(delivered, 131).commitment.answer
    assert answer is not None
    assert answer.failure_reason is None


def test_a_report_that_leaves_the_object_out_is_no_answer(delivered: Database) -> None:
    asks(delivered, the_climb(delivered))
    with delivered.write() as tx:
        known = record_answer(
            tx, "2.25.1", committed={"2.25.8"}, failed={}, by="archive", at=after(130)
        )
    assert known
    assert claim(delivered, 130) == []
    assert the_climb(delivered, SENT_S + TIMEOUT_S).commitment.answer is None


def test_a_failure_counts_as_answer_to_the_last_asking_only(delivered: Database) -> None:
    asks(delivered, the_climb(delivered), "2.25.1")
    climb = the_climb(delivered, SENT_S + TIMEOUT_S)
    asks(delivered, climb, "2.25.2", SENT_S + TIMEOUT_S)
    reports(delivered, reason=0x0110, uid="2.25.1", at_s=800)
    assert the_climb(delivered, 800).commitment.answer is None
    reports(delivered, uid="2.25.1", at_s=801)  # too late: the first report counts
    reports(delivered, uid="2.25.2", at_s=802)
    answer = the_climb(delivered, 802).commitment.answer
    assert answer is not None
    assert (answer.transaction_uid, answer.failure_reason) == ("2.25.2", None)


def test_what_stalled_is_listed_and_counted_and_climbs_on_when_asked_to(
    delivered: Database,
) -> None:
    climb = the_climb(delivered)
    with delivered.write() as tx:
        ladder.stall(tx, climb, after(130), code="X", message="why")
    seen = view(delivered)
    assert seen.standing == "accepted; given up waiting for storage commitment"
    assert (seen.trouble, seen.climb) == ("X: why", ClimbState.STALLED)
    with delivered.read() as tx:
        assert ladder.stalled_counts(tx) == {"pacs": 1}
        assert len(listing(tx, climb=ClimbState.STALLED)) == 1
        [event] = trail.search(tx, action=Action.DELIVERY_STALLED)
    assert (event.outcome, event.detail["code"]) == ("failure", "X")
    assert claim(delivered, 4000) == []
    with delivered.write() as tx:
        assert ladder.resume(tx, ids=[99], now=after(4000), expires_at=after(9000)) == 0
        assert ladder.resume(tx, ids=[seen.id], now=after(4000), expires_at=after(9000)) == 1
    assert the_climb(delivered, 4000).expires_at == after(9000)


def test_after_a_new_beginning_an_old_failure_does_not_count(delivered: Database) -> None:
    climb = the_climb(delivered)
    asks(delivered, climb)
    reports(delivered, reason=0x0119)
    climb = the_climb(delivered, 130)
    with delivered.write() as tx:
        ladder.stall(tx, climb, after(131), code="X", message="why")
        ladder.resume(tx, destination="pacs", now=after(200), expires_at=after(9000))
    commitment = the_climb(delivered, 200).commitment
    assert (commitment.times, commitment.answer) == (0, None)


def test_a_late_commitment_lifts_what_had_stalled_and_a_late_failure_does_not(
    delivered: Database,
) -> None:
    climb = the_climb(delivered)
    asks(delivered, climb, "2.25.1")
    climb = the_climb(delivered, SENT_S + TIMEOUT_S)
    asks(delivered, climb, "2.25.2", SENT_S + TIMEOUT_S)
    with delivered.write() as tx:
        ladder.stall(tx, climb, after(4000), code="NO_COMMITMENT_REPORT", message="silence")
    reports(delivered, reason=0x0110, uid="2.25.2", at_s=4001)
    assert claim(delivered, 4001) == []
    reports(delivered, uid="2.25.1", at_s=4002)
    answer = the_climb(delivered, 4002).commitment.answer
    assert answer is not None
    assert answer.failure_reason is None


def test_what_the_destination_lost_is_sent_once_more_and_climbs_anew(delivered: Database) -> None:
    climb = the_climb(delivered)
    asks(delivered, climb)
    reports(delivered, reason=0x0112)
    climb = the_climb(delivered, 130)
    with delivered.write() as tx:
        ladder.send_again(tx, climb, after(130), expires_at=after(9000), code="LOST")
    assert (view(delivered).state, view(delivered).standing) == (DeliveryState.PENDING, "pending")
    assert claim(delivered, 8000) == []
    accept(delivered, 8001)
    climb = the_climb(delivered, 8001)
    assert (climb.resent, climb.rung, climb.commitment.answer) == (1, Rung.ACCEPTED, None)
    with delivered.read() as tx:
        [event] = trail.search(tx, action=Action.DELIVERY_SENT_AGAIN)
    assert event.detail["code"] == "LOST"


def test_where_there_is_no_commitment_the_next_rung_is_to_be_read_back(
    delivered: Database,
) -> None:
    climb = the_climb(delivered, 130)
    with delivered.write() as tx:
        ladder.do_without_commitment(tx, climb, after(130), "none is offered")
    climb = the_climb(delivered, 130)
    assert (climb.without_commitment, climb.next_rung) == (True, Rung.READ_BACK)
    reach(delivered, climb, Rung.READ_BACK, 140)
    seen = view(delivered)
    assert (seen.commitment, seen.committed_at) == ("none is offered", None)
    assert seen.standing == "read back"


def test_what_a_later_report_withdrew_climbs_no_further_and_is_not_sent_again(
    delivered: Database,
) -> None:
    asks(delivered, the_climb(delivered))
    later = record_report(delivered, report(2, made_at=after(200)))
    with delivered.write() as tx:
        outbox.call_off(tx, later, after(200))
    reports(delivered, reason=0x0112, at_s=201)
    assert claim(delivered, 4000) == []
    seen = view(delivered)
    assert (seen.climb, seen.standing) == (ClimbState.ARRIVED, "accepted")
    assert seen.trouble == "WITHDRAWN: a later report withdrew it"


def test_a_delivery_that_need_not_climb_stands_as_accepted(delivered: Database) -> None:
    with delivered.write() as tx:
        outbox.enqueue(
            tx, 1, kind="SC", destination="other", now=after(100), expires_at=after(EXPIRES_S)
        )
        [item] = outbox.claim(tx, destination="other", owner=ME, now=after(100), lease_s=LEASE_S)
        outbox.mark_sent(tx, item, at=after(101), sop_instance_uid="2.25.5", status=0)
    assert view(delivered, "other").standing == "accepted"
