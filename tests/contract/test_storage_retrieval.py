"""Pulls: what is written down of them, so that one that was killed can go on."""

from datetime import timedelta

import pytest

from storage.audit.trail import Action, search
from storage.database.transactions import Database
from storage.errors import ArchiveBusyError, NotFoundError
from storage.keeping.purge import purge_study
from storage.retrieval import pulls
from storage.retrieval.listing import find_pull, list_pulls, studies_of
from storage.retrieval.pulls import Fetched, Order, StudyToFetch
from storage.states import FetchState, PullState
from tests.contract.storing import (
    ME,
    NOON,
    after,
    complete,
    open_association,
    received,
    record_report,
    report,
    store,
    store_study,
    work,
)

OTHER = "here:2:boot.2"


def order(database: Database, archive: str = "pacs", owner: str = ME) -> int:
    given = Order(archive=archive, actor="jane", criteria={"patient_id": "P1"}, priors=1, at=NOON)
    with database.write() as tx:
        return pulls.order(tx, given, owner, lambda _: False)


def study(uid: str = "1.2.9", **values: str) -> StudyToFetch:
    return StudyToFetch(
        study_instance_uid=uid,
        patient_id="P1",
        accession_number="ACC1",
        study_date="20260131",
        listed=2,
        **values,
    )


def add(database: Database, pull_id: int, *studies: StudyToFetch) -> None:
    with database.write() as tx:
        for one in studies:
            pulls.add_study(tx, pull_id, one)
        pulls.search_ended(tx, pull_id)


def fetch_next(database: Database, pull_id: int, state: FetchState) -> str:
    with database.write() as tx:
        pull, found = find_pull(tx, pull_id), pulls.next_study(tx, pull_id)
        assert found
        pulls.begin_study(tx, found)
        came = Fetched(state=state, listed=2, present=2 if state is FetchState.DONE else 1)
        pulls.end_study(tx, pull, found, came, after(1))
        return found.study_instance_uid


def test_a_pull_goes_from_study_to_study_and_ends(database: Database) -> None:
    pull_id = order(database)
    add(database, pull_id, study("1"), study("2", prior_of_uid="1"), study("1"))
    assert [fetch_next(database, pull_id, FetchState.DONE) for _ in range(2)] == ["1", "2"]
    with database.write() as tx:
        assert pulls.next_study(tx, pull_id) is None
        ended = pulls.end_pull(tx, pull_id, after(2))
    assert (ended.state, ended.studies, ended.done, ended.present) == (PullState.DONE, 2, 2, 4)
    assert ended.claimed_by is None
    assert ended.criteria == {}
    with database.read() as tx:
        assert [one.prior_of_uid for one in studies_of(tx, pull_id)] == ["", "1"]


def test_what_is_incomplete_is_fetched_again_when_it_is_resumed(database: Database) -> None:
    pull_id = order(database)
    add(database, pull_id, study("1"), study("2"), study("3"))
    fetch_next(database, pull_id, FetchState.DONE)
    fetch_next(database, pull_id, FetchState.INCOMPLETE)
    fetch_next(database, pull_id, FetchState.FAILED)
    with database.write() as tx:
        assert pulls.end_pull(tx, pull_id, after(2)).state is PullState.INCOMPLETE
        left = pulls.resume(tx, None, ME, lambda _: False)
    assert (left.id, left.criteria) == (pull_id, {"patient_id": "P1"})
    again = [fetch_next(database, pull_id, FetchState.DONE) for _ in range(2)]
    assert again == ["2", "3"]
    with database.write() as tx:
        assert pulls.end_pull(tx, pull_id, after(3)).state is PullState.DONE
        with pytest.raises(NotFoundError):
            pulls.resume(tx, None, ME, lambda _: False)


def test_one_pull_at_a_time_from_an_archive(database: Database) -> None:
    first = order(database)
    order(database, archive="another", owner=OTHER)
    with pytest.raises(ArchiveBusyError):
        order(database, owner=OTHER)
    with database.write() as tx:
        pulls.leave(tx, first)
    order(database, owner=OTHER)


def test_a_pull_whose_process_died_is_taken_up_by_another(database: Database) -> None:
    pull_id = order(database)
    add(database, pull_id, study("1"))
    with database.write() as tx:
        found = pulls.next_study(tx, pull_id)
        assert found
        pulls.begin_study(tx, found)  # and then it is killed
    with database.write() as tx, pytest.raises(ArchiveBusyError):
        pulls.resume(tx, pull_id, OTHER, lambda _: False)
    with database.write() as tx:
        pulls.resume(tx, pull_id, OTHER, lambda owner: owner == ME)
        again = pulls.next_study(tx, pull_id)
    assert again
    assert (again.study_instance_uid, again.attempt) == ("1", 1)


def test_a_pull_that_is_not_there_cannot_be_resumed(database: Database) -> None:
    with database.write() as tx, pytest.raises(NotFoundError):
        pulls.resume(tx, 7, ME, lambda _: False)


def test_files_that_are_here_count_and_our_own_results_too(database: Database) -> None:
    store_study(database, instances=2)
    complete(database, 100)
    work(database, 101)
    made = report()
    record_report(database, made)
    ours = {item.sop_instance_uid for item in made.objects}
    with database.read() as tx:
        assert pulls.held_instances(tx, "1.2.9") == {"1.2.3.1", "1.2.3.2"} | ours
        assert pulls.held_instances(tx, "1.2.8") == frozenset()


def test_the_audit_says_who_fetched_what(database: Database) -> None:
    store_study(database)
    pull_id = order(database)
    add(database, pull_id, study())
    fetch_next(database, pull_id, FetchState.INCOMPLETE)
    with database.write() as tx:
        pulls.end_pull(tx, pull_id, after(2))
    with database.read() as tx:
        events = {event.action: event for event in search(tx, peer="pacs", limit=100)}
    searched, fetched = events[Action.ARCHIVE_SEARCHED], events[Action.STUDY_FETCHED]
    assert (searched.actor, searched.patient_id) == ("jane", "P1")
    assert (fetched.actor, fetched.study_id, fetched.accession_number) == ("jane", 1, "ACC1")
    assert (fetched.outcome, fetched.detail["present"]) == ("failure", 1)
    assert events[Action.PULL_ENDED].outcome == "failure"


def test_a_purged_study_leaves_its_pull(database: Database) -> None:
    open_association(database)
    store(database, received())
    complete(database, 100)
    work(database, 101)
    pull_id = order(database)
    add(database, pull_id, study())
    fetch_next(database, pull_id, FetchState.DONE)
    with database.write() as tx:
        pulls.end_pull(tx, pull_id, after(2))
        purge_study(tx, 1, actor="jane", reason="test", now=after(3), force=True)
    with database.read() as tx:
        assert studies_of(tx, pull_id) == []
        assert find_pull(tx, pull_id).criteria == {}


def test_pulls_are_listed_newest_first(database: Database) -> None:
    first, second = order(database), order(database, archive="another")
    with database.read() as tx:
        listed = list_pulls(tx)
    assert [one.id for one in listed] == [second, first]
    assert listed[0].ordered_at - NOON == timedelta(0)
