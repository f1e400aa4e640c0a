"""What waits for a time of day goes on waiting as long as it was to, however the clock is set."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from dicom_node.study.decision import due_by_associations
from storage.audit import trail
from storage.audit.trail import Action
from storage.clock.jumps import Jump, absorb
from storage.database.transactions import Database
from storage.delivery import ladder, outbox
from storage.reading.browse import StudyDetail, show_study
from storage.states import Ending, Rung
from storage.studies import archive_counts, completeness
from storage.studies.completeness import Evidence
from storage.work import jobs
from tests.contract.storing import (
    LEASE_S,
    ME,
    QUIET_S,
    RULES,
    after,
    claim,
    complete,
    end_association,
    open_association,
    received,
    record_report,
    report,
    result_object,
    store,
)

HOUR_S = 3600.0
both_ways = pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S, 20.0, -20.0])


def jump(database: Database, at_s: float, by_s: float) -> None:
    """The clock that showed `at_s` seconds after noon is set; it is noticed half a second later."""
    with database.write() as tx:
        absorb(tx, Jump(after(at_s + 0.5), after(at_s + 0.5 + by_s), 0.5), ME)


def study(database: Database) -> StudyDetail:
    with database.read() as tx:
        return show_study(tx, 1)


def known(database: Database) -> Evidence:
    with database.read() as tx:
        return completeness.evidence_of(tx, 1)


@pytest.fixture
def receiving(database: Database) -> Iterator[Database]:
    """A study whose only instance came at noon; its association is still open."""
    open_association(database)
    store(database, received())
    yield database


@both_ways
def test_a_quiet_period_lasts_as_long_as_before(receiving: Database, by_s: float) -> None:
    jump(receiving, 30, by_s)
    assert complete(receiving, by_s + QUIET_S - 1) is None
    assert complete(receiving, by_s + QUIET_S) == 1


@both_ways
def test_the_hard_limit_stays_as_far_away(receiving: Database, by_s: float) -> None:
    jump(receiving, 30, by_s)
    for at_s in range(40, 640, 20):  # it goes on arriving
        store(receiving, received(at_s, at_s + by_s))
    assert complete(receiving, by_s + 599) is None
    assert complete(receiving, by_s + 600) == 1
    assert study(receiving).revisions[0].reason == "hard limit"


@both_ways
def test_what_came_after_the_jump_waits_by_the_new_time(database: Database, by_s: float) -> None:
    open_association(database)
    store(database, received(at_s=30.2 + by_s))
    jump(database, 30, by_s)
    with database.read() as tx:
        due_at, _ = due_by_associations(completeness.evidence_of(tx, 1), RULES)
    assert due_at == after(30.2 + by_s + QUIET_S)


@both_ways
def test_a_jump_is_audited_with_its_size(receiving: Database, by_s: float) -> None:
    jump(receiving, 30, by_s)
    with receiving.read() as tx:
        [event] = trail.search(tx, action=Action.CLOCK_JUMPED)
    assert event.detail == {"jump_s": by_s}


@both_ways
def test_an_association_that_broke_before_a_jump_is_still_waited_for(
    receiving: Database, by_s: float
) -> None:
    end_association(receiving, how=Ending.ABORTED, at_s=5)
    jump(receiving, 30, by_s)
    with receiving.read() as tx:
        assert completeness.evidence_of(tx, 1).broken


@both_ways
def test_what_an_archive_said_before_a_jump_counts_as_before(
    receiving: Database, by_s: float
) -> None:
    question = archive_counts.Question(1, "1.2.9", 1, 0)
    with receiving.write() as tx:
        archive_counts.record_count(tx, question, "pacs", after(10), 1, frozenset())
    jump(receiving, 30, by_s)
    with receiving.read() as tx:
        assert completeness.evidence_of(tx, 1).archive_asked


def test_there_and_back_again_is_as_if_nothing_had_happened(receiving: Database) -> None:
    before = known(receiving)
    jump(receiving, 10, HOUR_S)
    jump(receiving, 20 + HOUR_S, -HOUR_S)
    assert known(receiving) == before


def test_what_is_due_stays_due_when_the_clock_goes_back(receiving: Database) -> None:
    jump(receiving, 30, -HOUR_S)
    assert len(claim(receiving, 31 - HOUR_S)) == 1


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S, -20.0])
def test_a_retry_waits_as_long_as_before(receiving: Database, by_s: float) -> None:
    [job] = claim(receiving, 1)
    with receiving.write() as tx:
        jobs.retry(tx, job, at=after(2), available_at=after(40), code="X", message="x")
    jump(receiving, 10, by_s)
    assert not claim(receiving, by_s + 39)
    assert claim(receiving, by_s + 40.1)


@both_ways
def test_a_living_worker_keeps_its_lease(receiving: Database, by_s: float) -> None:
    [job] = claim(receiving, 1)
    jump(receiving, 10, by_s)

    def rescued(at_s: float) -> int:
        with receiving.write() as tx:
            return jobs.rescue(tx, after(at_s), lambda _: False)

    assert rescued(by_s + 10.6) == 0
    with receiving.write() as tx:
        jobs.finish(tx, job, after(by_s + 11))


def test_a_lease_that_nobody_renews_runs_out_after_a_jump_too(receiving: Database) -> None:
    claim(receiving, 1)
    jump(receiving, 10, -HOUR_S)
    with receiving.write() as tx:
        assert jobs.rescue(tx, after(1.1 + LEASE_S - HOUR_S), lambda _: False) == 1


@both_ways
def test_a_delivery_expires_at_the_age_it_was_to(receiving: Database, by_s: float) -> None:
    complete(receiving, QUIET_S)
    report_id = record_report(receiving, report())
    queued, expires = after(100), after(100 + 2 * HOUR_S)
    with receiving.write() as tx:
        outbox.enqueue(tx, report_id, kind="SR", destination="pacs", now=queued, expires_at=expires)
    jump(receiving, 200, by_s)
    assert moved_expiry(receiving) == expires + timedelta(seconds=by_s)


def moved_expiry(database: Database) -> datetime:
    with database.write() as tx:
        [delivery] = outbox.claim(
            tx, destination="pacs", owner=ME, now=after(3 * HOUR_S), lease_s=LEASE_S
        )
    return delivery.expires_at


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S, -20.0])
def test_what_climbs_waits_and_expires_as_it_was_to(receiving: Database, by_s: float) -> None:
    complete(receiving, QUIET_S)
    report_id = record_report(receiving, report())
    sent = result_object("SR", 0).sop_instance_uid
    with receiving.write() as tx:
        outbox.enqueue(
            tx, report_id, kind="SR", destination="pacs", now=after(90), expires_at=after(900)
        )
        [item] = outbox.claim(tx, destination="pacs", owner=ME, now=after(90), lease_s=LEASE_S)
        outbox.mark_sent(tx, item, at=after(90), sop_instance_uid=sent, status=0)
        ladder.begin(
            tx,
            item.id,
            destination="pacs",
            goal=Rung.COMMITTED,
            at=after(90),
            expires_at=after(2 * HOUR_S),
        )
        ladder.claim(tx, destination="pacs", now=after(90), again_at=after(1000), limit=1)
    jump(receiving, 100, by_s)
    with receiving.write() as tx:
        assert ladder.next_due_at(tx, "pacs") == after(1000 + by_s)
        [climb] = ladder.claim(
            tx, destination="pacs", now=after(1000 + by_s), again_at=after(9000), limit=1
        )
    assert climb.expires_at == after(2 * HOUR_S + by_s)
