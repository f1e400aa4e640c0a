"""When a study is complete, on either database."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicom_node.study.completing import complete_due_studies
from dicom_node.study.decision import due_by_associations
from storage.audit import trail
from storage.database.transactions import Database
from storage.reading.browse import show_study
from storage.reading.study_list import StudySummary
from storage.states import DueReason, Ending, StudyState
from storage.studies.associations import (
    close_association,
    lose_dead_associations,
    touch_associations,
)
from storage.studies.completeness import SETTLING, evidence_of
from storage.studies.revisions import due_studies
from tests.contract.storing import (
    HARD_LIMIT_S,
    PIPELINE,
    QUIET_S,
    RELEASE_QUIET_S,
    RULES,
    after,
    claim,
    complete,
    end_association,
    open_association,
    received,
    store,
    store_study,
    work,
)


def study(database: Database, key: str = "1.2.9") -> StudySummary:
    with database.read() as tx:
        return show_study(tx, key).summary


def due(database: Database, key: str = "1.2.9") -> tuple[object, DueReason]:
    with database.read() as tx:
        known = evidence_of(tx, show_study(tx, key).summary.study_id)
    return due_by_associations(known, RULES)


def touch(database: Database, at_s: float, association: str = "a1") -> None:
    with database.write() as tx:
        touch_associations(tx, {association: after(at_s)})


def test_a_study_is_due_a_quiet_period_after_its_last_instance(database: Database) -> None:
    open_association(database)
    store(database, received(1, at_s=0))
    store(database, received(2, at_s=10))
    assert due(database) == (after(10 + QUIET_S), DueReason.QUIET_PERIOD)


def test_the_hard_limit_bounds_a_study_that_never_ends(database: Database) -> None:
    open_association(database)
    store(database, received(1, at_s=0))
    store(database, received(2, at_s=HARD_LIMIT_S - 1))
    assert due(database) == (after(HARD_LIMIT_S), DueReason.HARD_LIMIT)
    touch(database, HARD_LIMIT_S + 5)
    assert due(database) == (after(HARD_LIMIT_S), DueReason.HARD_LIMIT)


def test_the_most_patient_peer_decides(database: Database) -> None:
    open_association(database, "slow")
    open_association(database, "fast")
    store(database, received(1, at_s=0, association="slow", quiet_s=90.0))
    store(database, received(2, at_s=1, association="fast", quiet_s=5.0))
    assert due(database) == (after(90), DueReason.QUIET_PERIOD)


def test_of_what_one_association_brings_the_most_patient_decides(database: Database) -> None:
    open_association(database)
    store(database, received(1, at_s=0, quiet_s=3.0))
    assert due(database) == (after(3), DueReason.QUIET_PERIOD)
    store(database, received(2, at_s=1, quiet_s=60.0))
    store(database, received(3, at_s=2, quiet_s=3.0))
    assert due(database) == (after(62), DueReason.QUIET_PERIOD)


def test_a_normal_release_shortens_the_wait(database: Database) -> None:
    open_association(database)
    store(database, received())
    end_association(database, at_s=2)
    assert due(database) == (after(2 + RELEASE_QUIET_S), DueReason.ASSOCIATION_RELEASED)


@pytest.mark.parametrize("how", [Ending.ABORTED, Ending.LOST])
def test_another_ending_does_not(database: Database, how: Ending) -> None:
    open_association(database)
    store(database, received())
    end_association(database, how=how, at_s=2)
    assert due(database) == (after(QUIET_S), DueReason.QUIET_PERIOD)


def test_a_release_never_makes_a_study_wait_longer(database: Database) -> None:
    open_association(database)
    store(database, received())
    end_association(database, at_s=QUIET_S - 1)
    assert due(database) == (after(QUIET_S), DueReason.QUIET_PERIOD)


def test_a_release_shortens_nothing_while_another_association_carries_the_study(
    database: Database,
) -> None:
    open_association(database, "a1")
    open_association(database, "a2")
    store(database, received(1, association="a1"))
    store(database, received(2, association="a2"))
    end_association(database, "a1", at_s=2)
    assert due(database)[1] is DueReason.QUIET_PERIOD
    end_association(database, "a2", at_s=4)
    assert due(database) == (after(4 + RELEASE_QUIET_S), DueReason.ASSOCIATION_RELEASED)


def test_a_release_shortens_nothing_after_another_association_was_aborted(
    database: Database,
) -> None:
    open_association(database, "a1")
    open_association(database, "a2")
    store(database, received(1, association="a1"))
    store(database, received(2, association="a2"))
    end_association(database, "a1", Ending.ABORTED, at_s=2)
    end_association(database, "a2", at_s=4)
    assert due(database)[1] is DueReason.QUIET_PERIOD


def test_an_abort_in_an_earlier_revision_no_longer_counts(database: Database) -> None:
    open_association(database, "a1")
    store(database, received(1, association="a1"))
    end_association(database, "a1", Ending.ABORTED, at_s=2)
    complete(database, 100)
    open_association(database, "a2", 200)
    store(database, received(2, at_s=200, association="a2"))
    end_association(database, "a2", at_s=201)
    assert due(database) == (after(201 + RELEASE_QUIET_S), DueReason.ASSOCIATION_RELEASED)


def test_an_instance_after_a_release_starts_the_quiet_period_anew(database: Database) -> None:
    store_study(database)
    open_association(database, "a2", 2)
    store(database, received(2, at_s=3, association="a2"))
    assert due(database) == (after(3 + QUIET_S), DueReason.QUIET_PERIOD)


def test_interleaved_studies_of_one_association_are_each_shortened(database: Database) -> None:
    open_association(database)
    for number in range(6):
        store(database, received(number, study_instance_uid=f"1.2.9.{number % 2}"))
    end_association(database, at_s=5)
    for key in ("1.2.9.0", "1.2.9.1"):
        assert study(database, key).instances == 3
        assert due(database, key) == (
            after(5 + RELEASE_QUIET_S),
            DueReason.ASSOCIATION_RELEASED,
        )


def test_a_second_ending_of_an_association_changes_nothing(database: Database) -> None:
    open_association(database)
    store(database, received())
    end_association(database, how=Ending.ABORTED, at_s=2)
    end_association(database, how=Ending.RELEASED, at_s=3)
    assert due(database)[1] is DueReason.QUIET_PERIOD


def test_of_associations_that_end_at_once_the_second_sees_the_first(database: Database) -> None:
    for number, name in enumerate(("a1", "a2")):
        open_association(database, name)
        store(database, received(number, association=name))
    second = threading.Thread(target=end_association, args=(database, "a2"), kwargs={"at_s": 2})
    with database.write() as tx:
        close_association(tx, "a1", Ending.RELEASED, after(2))
        second.start()
        second.join(0.5)  # it waits for the first one's commit
    second.join()
    assert due(database) == (after(2 + RELEASE_QUIET_S), DueReason.ASSOCIATION_RELEASED)


def test_bytes_that_flow_keep_a_study_from_being_due(database: Database) -> None:
    open_association(database)
    store(database, received())
    touch(database, 50)
    assert due(database) == (after(50 + QUIET_S), DueReason.QUIET_PERIOD)
    touch(database, 40)
    assert due(database)[0] == after(50 + QUIET_S)


def test_an_association_that_went_on_to_other_studies_holds_up_no_earlier_one(
    database: Database,
) -> None:
    open_association(database)
    store(database, received(1, at_s=0))
    store(database, received(2, at_s=QUIET_S + 1, study_instance_uid="1.2.10"))
    touch(database, QUIET_S + 2)
    assert due(database, "1.2.9")[0] == after(QUIET_S)
    assert due(database, "1.2.10")[0] == after(2 * QUIET_S + 2)


def test_associations_of_a_dead_listener_are_lost(database: Database) -> None:
    open_association(database, "a1", owner="here:1:x")
    open_association(database, "a2", owner="here:2:x")
    with database.write() as tx:
        assert lose_dead_associations(tx, lambda owner: owner == "here:1:x", after(9)) == 1
        assert lose_dead_associations(tx, lambda owner: owner == "here:1:x", after(9)) == 0
        [event] = trail.search(tx, action=trail.Action.ASSOCIATION_CLOSED)
    assert (event.association_id, event.detail["ending"]) == ("a1", "lost")


def swept(database: Database, at_s: float, limit: int = 10) -> list[int]:
    with database.read() as tx:
        return due_studies(tx, after(at_s), limit)


def look(database: Database, at_s: float) -> int:
    return complete_due_studies(database, after(at_s), [PIPELINE], RULES)


def test_only_what_is_to_be_judged_is_swept(database: Database) -> None:
    open_association(database)
    store(database, received(1, at_s=0))
    store(database, received(2, at_s=5, study_instance_uid="1.2.10"))
    settled_s = SETTLING.total_seconds()
    assert swept(database, settled_s - 0.1) == []
    assert swept(database, settled_s) == [1]
    assert swept(database, 100) == [1, 2]
    assert swept(database, 100, limit=1) == [1]


def test_a_study_that_goes_on_arriving_is_judged_once_a_quiet_period(database: Database) -> None:
    open_association(database)
    for at_s in range(0, 180, 2):
        store(database, received(at_s, at_s=at_s))
        look(database, at_s + 1)
        looks_again_at = study(database).look_at
        assert looks_again_at is not None
        assert looks_again_at <= after(at_s + QUIET_S)
        assert bool(swept(database, at_s + 1.5)) is False
    assert looks_again_at >= after(178)


def test_a_release_has_its_study_judged_at_once(database: Database) -> None:
    open_association(database)
    store(database, received())
    assert look(database, 1) == 0
    end_association(database, at_s=10)
    assert look(database, 11) == 0
    assert study(database).look_at == after(10 + RELEASE_QUIET_S)
    assert look(database, 10 + RELEASE_QUIET_S) == 1
    assert study(database).look_at is None


def test_completing_queues_the_conclusion_and_stores_the_reason(database: Database) -> None:
    store_study(database)
    assert complete(database, 10) == 1
    with database.read() as tx:
        seen = show_study(tx, "1.2.9")
    assert seen.summary.state is StudyState.COMPLETE
    assert [revision.reason for revision in seen.revisions] == [DueReason.ASSOCIATION_RELEASED]
    assert seen.events[-1].action == "STUDY_COMPLETE"
    assert seen.events[-1].detail == {
        "revision": 1,
        "reason": "association released",
        "instances": 1,
    }
    assert work(database, 10) == ["prepare"]
    assert [job.revision for job in claim(database, 10)] == [1]


def test_a_study_is_not_complete_before_it_is_due(database: Database) -> None:
    open_association(database)
    store(database, received())
    assert complete(database, QUIET_S - 1) is None
    assert study(database).state is StudyState.RECEIVING


def test_of_many_sweepers_one_completes_a_study(database: Database) -> None:
    store_study(database)
    with ThreadPoolExecutor(6) as threads:
        revisions = list(threads.map(lambda _: complete(database, 10), range(6)))
    assert sorted(revision or 0 for revision in revisions) == [0, 0, 0, 0, 0, 1]


def test_a_late_instance_reopens_its_study_for_another_revision(database: Database) -> None:
    store_study(database)
    complete(database, 10)
    open_association(database, "a2", 1000)
    store(database, received(2, at_s=1000, association="a2"))
    assert study(database).state is StudyState.RECEIVING
    assert due(database) == (after(1000 + QUIET_S), DueReason.QUIET_PERIOD)
    assert complete(database, 1000 + QUIET_S) == 2
    with database.read() as tx:
        seen = show_study(tx, "1.2.9")
    assert [revision.instances for revision in seen.revisions] == [1, 2]
    assert "STUDY_REOPENED" in [event.action for event in seen.events]


def test_a_reopened_study_has_a_hard_limit_of_its_own(database: Database) -> None:
    store_study(database)
    complete(database, 10)
    open_association(database, "a2", 1000)
    store(database, received(2, at_s=1000, association="a2"))
    store(database, received(3, at_s=1000 + HARD_LIMIT_S - 1, association="a2"))
    assert due(database) == (after(1000 + HARD_LIMIT_S), DueReason.HARD_LIMIT)
