"""What is said about a study, what is made of it and what is ordered, on either database."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from dicom_node.study.completing import complete_due_studies
from dicom_node.study.decision import Rules
from storage.alarms.listing import study_alarms
from storage.audit import trail as storage_audit
from storage.audit.trail import Action
from storage.clock.jumps import Jump, absorb
from storage.database.transactions import Database
from storage.errors import NotFoundError
from storage.keeping import purge
from storage.reading.browse import show_study
from storage.reading.study_list import StudySummary
from storage.states import AnnouncementKind, DueReason, Ending, StepState, StudyState
from storage.studies import announcements, archive_counts, orders
from storage.studies.announcements import Announcement, Change
from storage.studies.completeness import Evidence, evidence_of, missing_uids
from storage.studies.orders import Order
from tests.contract.storing import (
    HARD_LIMIT_S,
    ME,
    PIPELINE,
    QUIET_S,
    after,
    complete,
    end_association,
    open_association,
    received,
    record_report,
    report,
    store,
    store_study,
)

RULES = Rules(release_quiet_s=3, abort_quiet_s=300, hard_limit_s=HARD_LIMIT_S)


def uids(*numbers: int) -> frozenset[str]:
    """The SOP Instance UIDs of `received(number)`."""
    return frozenset(f"1.2.3.{number}" for number in numbers)


def said(
    state: StepState | None = StepState.IN_PROGRESS,
    instance_uids: frozenset[str] | None = None,
    at_s: float = 0,
    **changes: object,
) -> Announcement:
    values: dict[str, object] = {
        "kind": AnnouncementKind.STEP,
        "sop_instance_uid": "1.2.4",
        "state": state,
        "instance_uids": instance_uids,
        "peer": "cart",
        "at": after(at_s),
    }
    return Announcement(**values | changes)  # type: ignore[arg-type]


def announce(database: Database, what: Announcement, studies: Sequence[str] = ("1.2.9",)) -> bool:
    with database.write() as tx:
        return announcements.announce(tx, what, studies)


def change(database: Database, what: Announcement) -> Change:
    with database.write() as tx:
        return announcements.change_step(tx, what)


def notify(database: Database, *numbers: int, at_s: float = 0) -> None:
    """An Instance Availability Notification of the study 1.2.9."""
    kind = AnnouncementKind.AVAILABILITY
    announce(
        database, said(StepState.COMPLETED, uids(*numbers), at_s, kind=kind, sop_instance_uid="1.5")
    )


def tick(database: Database, at_s: float, rules: Rules = RULES) -> int:
    return complete_due_studies(database, after(at_s), [PIPELINE], rules)


def summary(database: Database) -> StudySummary:
    with database.read() as tx:
        return show_study(tx, "1.2.9").summary


def why(database: Database) -> list[DueReason]:
    with database.read() as tx:
        return [revision.reason for revision in show_study(tx, "1.2.9").revisions]


def known(database: Database) -> Evidence:
    with database.read() as tx:
        return evidence_of(tx, 1)


def lacking(database: Database) -> dict[int, int]:
    """How many instances each study lacks by the alarms that stand."""
    with database.read() as tx:
        return {alarm.study_id: alarm.missing for alarm in study_alarms(tx, 10)}


def actions(database: Database) -> list[Action]:
    with database.read() as tx:
        return [event.action for event in storage_audit.search(tx, newest_first=False)]


def order(at_s: float) -> Order:
    return Order(actor="anna", at=after(at_s), reason="on the phone", pipelines=[PIPELINE])


# Procedure steps


def test_a_study_waits_for_the_end_of_its_step(database: Database) -> None:
    announce(database, said())
    store_study(database, 2)
    assert tick(database, 100) == 0
    change(database, said(StepState.COMPLETED, uids(1, 2), 200))
    assert tick(database, 200) == 1
    assert why(database) == [DueReason.ALL_EXPECTED]


def test_all_that_was_announced_completes_a_study_at_once_on_an_open_association(
    database: Database,
) -> None:
    announce(database, said())
    change(database, said(StepState.COMPLETED, uids(1, 2)))
    open_association(database)
    store(database, received(1, at_s=5))
    assert tick(database, 7) == 0
    store(database, received(2, at_s=8))
    assert tick(database, 9.5) == 0, "quiet for a moment"
    assert tick(database, 11) == 1
    assert why(database) == [DueReason.ALL_EXPECTED]


def test_missing_instances_are_waited_for_until_they_come(database: Database) -> None:
    store_study(database, 2)
    announce(database, said(at_s=2))
    change(database, said(StepState.COMPLETED, uids(1, 2, 3), 2))
    assert tick(database, 100) == 0
    with database.read() as tx:
        assert missing_uids(tx, 1, 10) == ["1.2.3.3"]
    open_association(database, "a2", 100)
    store(database, received(3, at_s=101, association="a2"))
    assert tick(database, 102.5) == 0
    assert tick(database, 105) == 1
    assert lacking(database) == {}


def test_a_step_that_says_nothing_new_about_instances_leaves_them(database: Database) -> None:
    store_study(database, 2)
    announce(database, said(instance_uids=uids(1, 2, 3), at_s=2))
    change(database, said(None, None, 3))
    assert (known(database).in_progress, known(database).announced) == (1, 3)
    change(database, said(StepState.DISCONTINUED, uids(1), 4))
    assert (known(database).in_progress, known(database).announced) == (0, 1)
    assert tick(database, 5) == 1


def test_a_step_that_ended_cannot_be_changed(database: Database) -> None:
    announce(database, said())
    assert change(database, said(StepState.COMPLETED)) is Change.DONE
    assert change(database, said(StepState.DISCONTINUED)) is Change.TOO_LATE
    assert not announce(database, said())


def test_only_who_began_a_step_knows_it(database: Database) -> None:
    announce(database, said())
    assert change(database, said(StepState.COMPLETED, peer="other")) is Change.UNKNOWN
    assert change(database, said(StepState.COMPLETED, sop_instance_uid="1.9")) is Change.UNKNOWN


def test_a_step_of_two_studies_holds_up_both(database: Database) -> None:
    open_association(database)
    for number, study in ((1, "1.2.9"), (2, "1.2.10")):
        store(database, received(number, study_instance_uid=study))
    end_association(database, at_s=1)
    announce(database, said(at_s=2), ["1.2.9", "1.2.10"])
    assert tick(database, 100) == 0
    change(database, said(StepState.COMPLETED, uids(1, 2), 101))
    assert tick(database, 101) == 2


def test_every_announcement_is_in_the_audit(database: Database) -> None:
    announce(database, said())
    store_study(database)
    change(database, said(StepState.COMPLETED, uids(1), 2))
    with database.read() as tx:
        events = storage_audit.search(tx, action=Action.STUDY_ANNOUNCED, newest_first=False)
    assert [(event.study_id, event.patient_id) for event in events] == [(None, None), (1, "P1")]
    assert events[1].detail == {
        "kind": "procedure step",
        "state": "completed",
        "instances": 1,
    }


# The alarm


def raise_alarm(database: Database) -> None:
    """Of four announced instances of the study two came until its hard limit."""
    store_study(database, 2)
    notify(database, 1, 2, 3, 4, at_s=2)
    assert tick(database, 100) == 0
    assert tick(database, HARD_LIMIT_S - 1) == 0
    assert tick(database, HARD_LIMIT_S) == 1


def test_at_the_hard_limit_a_study_goes_on_and_an_alarm_is_raised(database: Database) -> None:
    raise_alarm(database)
    assert why(database) == [DueReason.HARD_LIMIT]
    assert lacking(database) == {1: 2}
    with database.read() as tx:
        [event] = storage_audit.search(tx, action=Action.INSTANCES_MISSING)
        [done] = storage_audit.search(tx, action=Action.STUDY_COMPLETE)
    assert (event.outcome, event.detail) == ("failure", {"missing": 2})
    assert done.detail == {
        "revision": 1,
        "reason": "hard limit",
        "instances": 2,
        "announced": 4,
        "missing": 2,
    }


def test_an_alarm_ends_when_the_missing_come(database: Database) -> None:
    raise_alarm(database)
    open_association(database, "a2", 1000)
    store(database, received(3, at_s=1000, association="a2"))
    tick(database, 1000 + QUIET_S)
    assert lacking(database) == {1: 1}
    store(database, received(4, at_s=1100, association="a2"))
    tick(database, 1100 + QUIET_S)
    assert lacking(database) == {}
    assert actions(database).count(Action.INSTANCES_ARRIVED) == 1
    assert actions(database).count(Action.INSTANCES_MISSING) == 1


def test_what_was_given_up_holds_up_no_later_revision(database: Database) -> None:
    raise_alarm(database)
    open_association(database, "a2", 1000)
    store(database, received(9, at_s=1000, association="a2"))
    end_association(database, "a2", at_s=1001)
    assert tick(database, 1004) == 1
    assert lacking(database) == {1: 2}


def test_instances_announced_of_a_complete_study_are_missed_in_time(database: Database) -> None:
    store_study(database)
    complete(database, 10)
    notify(database, 1, 2, at_s=20)
    assert tick(database, 20) == 0
    assert tick(database, 20 + HARD_LIMIT_S - 1) == 0
    assert lacking(database) == {}
    tick(database, 20 + HARD_LIMIT_S)
    assert lacking(database) == {1: 1}
    tick(database, 30 + HARD_LIMIT_S)
    assert actions(database).count(Action.INSTANCES_MISSING) == 1


def test_our_own_objects_are_never_missing(database: Database) -> None:
    store_study(database)
    complete(database, 10)
    made = report()
    record_report(database, made)
    own = frozenset(item.sop_instance_uid for item in made.objects)
    kind = AnnouncementKind.AVAILABILITY
    announce(database, said(StepState.COMPLETED, uids(1) | own, 20, kind=kind))
    assert known(database).missing == 0


def test_the_wait_for_missing_instances_moves_with_the_clock(database: Database) -> None:
    store_study(database)
    notify(database, 1, 2, at_s=2)
    tick(database, 100)
    with database.write() as tx:
        absorb(tx, Jump(after(200), after(200 - 3600), 0.5), ME)
    assert tick(database, HARD_LIMIT_S - 3600 - 1) == 0
    assert tick(database, HARD_LIMIT_S - 3600) == 1
    assert lacking(database) == {1: 1}


# Associations


def test_an_abort_lengthens_the_wait(database: Database) -> None:
    open_association(database)
    store(database, received())
    end_association(database, how=Ending.ABORTED, at_s=1)
    assert tick(database, QUIET_S) == 0
    assert tick(database, 299) == 0
    assert tick(database, 300) == 1
    assert why(database) == [DueReason.ASSOCIATION_BROKEN]


def test_a_second_try_that_goes_well_makes_up_for_an_abort(database: Database) -> None:
    open_association(database)
    store(database, received(1))
    end_association(database, how=Ending.ABORTED, at_s=1)
    open_association(database, "a2", 5)
    store(database, received(2, at_s=6, association="a2"))
    end_association(database, "a2", at_s=7)
    assert tick(database, 6 + QUIET_S) == 1
    assert why(database) == [DueReason.QUIET_PERIOD]


def test_an_abort_is_forgotten_when_all_that_was_announced_is_here(database: Database) -> None:
    open_association(database)
    store(database, received(1))
    end_association(database, how=Ending.ABORTED, at_s=1)
    notify(database, 1, at_s=2)
    assert tick(database, 3) == 1
    assert why(database) == [DueReason.ALL_EXPECTED]


# The archive

ASKING = Rules(release_quiet_s=3, hard_limit_s=HARD_LIMIT_S, archive_patience_s=10)


def questions(database: Database, at_s: float) -> list[archive_counts.Question]:
    with database.read() as tx:
        return archive_counts.studies_to_ask_about(
            tx, after(at_s), quiet=timedelta(seconds=1), limit=10
        )


def answer(database: Database, at_s: float, count: int | None, *named: int) -> None:
    [question] = questions(database, at_s)
    with database.write() as tx:
        archive_counts.record_count(tx, question, "pacs", after(at_s), count, uids(*named))


def no_answer(database: Database, at_s: float, again_at: datetime) -> None:
    [question] = questions(database, at_s)
    with database.write() as tx:
        archive_counts.record_no_answer(tx, question, after(at_s), again_at)


def test_an_archive_is_asked_once_in_each_pause(database: Database) -> None:
    open_association(database)
    store(database, received(1))
    assert questions(database, 0.5) == []
    answer(database, 1, 1)
    assert questions(database, 20) == []
    store(database, received(2, at_s=21))
    assert [item.instances for item in questions(database, 22)] == [2]
    complete(database, 21 + QUIET_S)
    assert questions(database, 100) == []


def test_who_did_not_answer_is_asked_again_later(database: Database) -> None:
    store_study(database)
    no_answer(database, 2, again_at=after(12))
    assert questions(database, 11) == []
    assert [item.failures for item in questions(database, 12)] == [1]


def test_an_archive_that_has_more_is_waited_for(database: Database) -> None:
    store_study(database, 2)
    answer(database, 2, 3, 1, 2, 3)
    assert tick(database, 100, ASKING) == 0
    open_association(database, "a2", 100)
    store(database, received(3, at_s=101, association="a2"))
    end_association(database, "a2", at_s=101)
    answer(database, 103, 3)
    assert tick(database, 104, ASKING) == 1
    assert why(database) == [DueReason.ALL_EXPECTED]


def test_what_an_archive_no_longer_has_is_no_longer_missing(database: Database) -> None:
    open_association(database)
    store(database, received(1))
    answer(database, 1, 2, 1, 2)
    assert known(database).missing == 1
    store(database, received(3, at_s=5))
    answer(database, 7, 2)
    assert known(database).missing == 0


@pytest.mark.parametrize("answers", [True, False])
def test_an_archive_that_does_not_know_changes_nothing(database: Database, answers: bool) -> None:
    store_study(database)
    if answers:
        answer(database, 2, None)
    else:
        no_answer(database, 2, again_at=after(12))
    assert tick(database, 3.9, ASKING) == 0
    assert tick(database, 4, ASKING) == 1
    assert why(database) == [DueReason.ASSOCIATION_RELEASED]


def test_its_answer_is_waited_for_only_a_moment(database: Database) -> None:
    store_study(database)
    assert tick(database, 4, ASKING) == 0
    assert tick(database, 13, ASKING) == 0
    assert tick(database, 14, ASKING) == 1


def test_an_archive_that_has_as_many_ends_the_wait_after_an_abort(database: Database) -> None:
    open_association(database)
    store(database, received())
    end_association(database, how=Ending.ABORTED, at_s=1)
    answer(database, 2, 1)
    assert tick(database, 3, ASKING) == 1
    assert why(database) == [DueReason.ALL_EXPECTED]


def test_an_archive_that_has_less_ends_no_wait(database: Database) -> None:
    open_association(database)
    store(database, received(1))
    store(database, received(2))
    end_association(database, how=Ending.ABORTED, at_s=1)
    answer(database, 2, 1)
    assert tick(database, QUIET_S, ASKING) == 0


def test_an_archive_that_has_as_many_shortens_nothing_while_somebody_sends(
    database: Database,
) -> None:
    open_association(database)
    store(database, received())
    answer(database, 2, 1)
    assert tick(database, 10, ASKING) == 0
    assert tick(database, QUIET_S, ASKING) == 1
    assert why(database) == [DueReason.QUIET_PERIOD]


# Orders


def test_a_held_study_waits_even_beyond_its_hard_limit(database: Database) -> None:
    store_study(database)
    with database.write() as tx:
        orders.hold(tx, 1, order(2))
    assert tick(database, 5) == 0
    assert tick(database, 2 * HARD_LIMIT_S + 4000) == 0
    with database.write() as tx:
        held = orders.hold_of(tx, 1)
        orders.release(tx, 1, order(10_000))
    assert held is not None
    assert (held.actor, held.reason) == ("anna", "on the phone")
    assert tick(database, 10_000) == 1


def test_a_hold_of_a_complete_study_waits_for_its_late_instances(database: Database) -> None:
    store_study(database)
    complete(database, 10)
    with database.write() as tx:
        orders.hold(tx, 1, order(20))
    open_association(database, "a2", 100)
    store(database, received(2, at_s=100, association="a2"))
    assert tick(database, 300) == 0
    with database.write() as tx:
        assert orders.complete_now(tx, 1, order(301)) == 2
        assert orders.hold_of(tx, 1) is None


def test_only_a_held_study_can_be_released(database: Database) -> None:
    store_study(database)
    with pytest.raises(NotFoundError), database.write() as tx:
        orders.release(tx, 1, order(2))


def test_an_administrator_completes_a_study_without_what_is_missing(database: Database) -> None:
    store_study(database)
    notify(database, 1, 2, at_s=2)
    with database.write() as tx:
        assert orders.complete_now(tx, 1, order(3)) == 1
    assert why(database) == [DueReason.ORDERED]
    tick(database, 10 * HARD_LIMIT_S)
    assert lacking(database) == {}
    with database.read() as tx:
        [event] = storage_audit.search(tx, action=Action.STUDY_COMPLETED_BY_HAND)
    assert (event.actor, event.detail) == ("anna", {"reason": "on the phone"})


def test_an_administrator_ends_an_alarm(database: Database) -> None:
    raise_alarm(database)
    with database.write() as tx:
        assert orders.complete_now(tx, 1, order(1000)) is None
    assert lacking(database) == {}
    assert summary(database).revision == 1


def test_a_rerun_is_a_new_revision(database: Database) -> None:
    store_study(database)
    complete(database, 10)
    with database.write() as tx:
        assert orders.rerun(tx, 1, order(20)) == 2
    assert why(database) == [DueReason.ASSOCIATION_RELEASED, DueReason.RERUN]
    assert summary(database).state is StudyState.COMPLETE
    assert actions(database).count(Action.STUDY_RERUN) == 1


# What is left behind


def test_a_purge_takes_all_that_was_said_along(database: Database) -> None:
    announce(database, said(instance_uids=uids(1, 2)))
    raise_alarm(database)
    with database.write() as tx:
        orders.hold(tx, 1, order(1000))
        purge.purge_study(tx, 1, actor="anna", reason="asked", now=after(1001), force=True)
        assert announcements.announce(tx, said(), ["1.2.9"]), "nothing is known of it any more"


def test_what_was_announced_and_never_came_is_forgotten(database: Database) -> None:
    announce(database, said(instance_uids=uids(1)))
    for before_s, is_forgotten in ((0, False), (1, True)):
        with database.write() as tx:
            announcements.forget_unclaimed(tx, after(before_s))
        assert (change(database, said(None)) is Change.UNKNOWN) == is_forgotten
