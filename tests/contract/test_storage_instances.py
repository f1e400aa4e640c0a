"""What becomes of a received instance, on either database."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations

import pytest

from storage.audit import trail
from storage.database.transactions import Database
from storage.errors import StorageError
from storage.intake.instances import record_refusal
from storage.intake.received import Receipt
from storage.reading.browse import StudyDetail, show_study
from storage.reading.study_list import StudySearch, list_studies
from storage.states import StudyState
from tests.contract.storing import (
    ME,
    NOON,
    after,
    claim,
    complete,
    digest,
    end_association,
    open_association,
    received,
    record_report,
    report,
    result_object,
    store,
    store_study,
)


def actions(database: Database) -> list[str]:
    with database.read() as tx:
        return [event.action for event in trail.search(tx, since=NOON, newest_first=False)]


def study(database: Database, key: str = "1.2.9") -> StudyDetail:
    with database.read() as tx:
        return show_study(tx, key)


def test_a_new_instance_opens_its_study_and_queues_a_job_for_each_pipeline(
    database: Database,
) -> None:
    open_association(database)
    assert store(database, received(), ["echo", "newborn"]) is Receipt.STORED
    seen = study(database)
    assert seen.summary.state is StudyState.RECEIVING
    assert seen.summary.instances == 1
    assert [made.pipeline for made in seen.instances[0].preparations] == ["echo", "newborn"]
    assert [job.instance_id for job in claim(database, 0)] == [seen.instances[0].instance_id] * 2
    assert actions(database)[:3] == ["ASSOCIATION_OPENED", "STUDY_OPENED", "INSTANCE_STORED"]


def test_the_same_bytes_again_change_nothing_but_the_audit(database: Database) -> None:
    open_association(database)
    store(database, received())
    before = study(database)
    assert store(database, received(at_s=9)) is Receipt.DUPLICATE
    after_it = study(database)
    assert (after_it.summary, after_it.instances) == (before.summary, before.instances)
    assert actions(database)[-1] == "INSTANCE_DUPLICATE"


def test_other_bytes_under_the_same_uid_are_noted_and_the_first_stay(database: Database) -> None:
    open_association(database)
    store(database, received())
    other = received(digest=digest("other bytes"))
    assert store(database, other) is Receipt.CONFLICT
    assert store(database, other) is Receipt.CONFLICT
    assert [instance.digest for instance in study(database).instances] == [received().digest]
    assert actions(database)[-2:] == ["INSTANCE_CONFLICT"] * 2


def test_a_known_uid_under_another_study_opens_no_study(database: Database) -> None:
    open_association(database)
    store(database, received())
    stray = received(study_instance_uid="1.2.10", digest=digest("stray"))
    assert store(database, stray) is Receipt.CONFLICT
    with database.read() as tx:
        assert len(list_studies(tx)) == 1


def test_our_own_report_that_comes_back_does_not_touch_its_study(database: Database) -> None:
    store_study(database)
    complete(database, 10)
    ours = result_object("SR")
    record_report(database, report(objects=(ours,)))
    open_association(database, "a2", 200)
    returned = received(at_s=200, association="a2", sop_instance_uid=ours.sop_instance_uid)
    assert store(database, returned) is Receipt.OWN_RESULT
    assert study(database).summary.state is StudyState.COMPLETE
    assert actions(database)[-1] == "OWN_RESULT_RETURNED"


def test_an_instance_of_another_patient_is_stored_and_marked(database: Database) -> None:
    open_association(database)
    store(database, received(1))
    assert store(database, received(2, patient_id="P2")) is Receipt.STORED
    seen = study(database)
    assert [instance.patient_differs for instance in seen.instances] == [False, True]
    assert seen.summary.patient_conflict
    assert seen.summary.patient_id == "P1"
    with database.read() as tx:
        [event] = trail.search(tx, patient_id="P2", action=trail.Action.PATIENT_DIFFERS)
    assert event.outcome == "failure"


JANE = {"patient_id": "P1", "patient_name": "Doe^Jane", "patient_birth_date": "19500101"}


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "the other way round"])
@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"patient_name": "Doe^J"}, False),  # the ID decides
        ({"patient_id": ""}, False),  # a blank ID is no other patient
        ({"patient_id": "", "patient_name": "DOE^JANE^^ ", "patient_birth_date": ""}, False),
        ({"patient_id": "", "patient_name": "Roe^Jane"}, False),  # born on the same day
        ({"patient_id": "", "patient_birth_date": "19510101"}, False),  # of the same name
        ({"patient_id": "", "patient_name": "Roe^Rick", "patient_birth_date": ""}, True),
        ({"patient_id": "", "patient_name": "Roe^Rick", "patient_birth_date": "19900101"}, True),
        ({"issuer_of_patient_id": "B"}, False),
        ({"patient_name": "Roe^Rick", "patient_birth_date": "19900101"}, True),
    ],
)
def test_who_a_patient_is_does_not_depend_on_who_came_first(
    database: Database, changes: dict[str, str], differs: bool, turned: bool
) -> None:
    both = [received(1, **JANE), received(2, **{**JANE, **changes})]
    open_association(database)
    for one in reversed(both) if turned else both:
        store(database, one)
    assert study(database).summary.patient_conflict is differs
    assert [item.patient_differs for item in study(database).instances] == [False, differs]


def test_the_same_id_of_another_issuer_is_another_patient(database: Database) -> None:
    open_association(database)
    store(database, received(1, **JANE, issuer_of_patient_id="A"))
    store(database, received(2, **JANE, issuer_of_patient_id="B"))
    assert not study(database).summary.patient_conflict, "name and birth date are the same"
    rick = {"patient_name": "Roe^Rick", "patient_birth_date": "19900101"}
    store(database, received(3, patient_id="P1", issuer_of_patient_id="B", **rick))
    assert study(database).summary.patient_conflict


def test_a_study_is_completed_by_the_instance_that_knows_more(database: Database) -> None:
    open_association(database)
    store(database, received(1, patient_id="", patient_name=""))
    assert study(database).summary.patient_id == ""
    store(database, received(2, **JANE))
    store(database, received(3, patient_id="", patient_name="Doe"))
    seen = study(database).summary
    assert (seen.patient_id, seen.patient_name, seen.patient_conflict) == ("P1", "Doe^Jane", False)


def test_two_strangers_in_one_study_are_found_in_whatever_order_a_blank_comes(
    database: Database,
) -> None:
    blank = {"patient_id": "", "patient_name": "", "patient_birth_date": ""}
    people = [received(1, **JANE), received(2, **blank), received(3, patient_id="P2")]
    open_association(database)
    for number, order in enumerate(permutations(people)):
        for one in order:
            uid = f"{one.sop_instance_uid}.{number}"
            changed = replace(one, study_instance_uid=f"1.2.9.{number}", sop_instance_uid=uid)
            store(database, changed)
        assert study(database, f"1.2.9.{number}").summary.patient_conflict


def test_without_any_patient_id_the_name_decides(database: Database) -> None:
    open_association(database)
    store(database, received(1, patient_id=""))
    store(database, received(2, patient_id="", patient_name="Roe^Rick"))
    assert study(database).summary.patient_conflict


def test_a_refusal_is_audited_with_the_status_that_was_answered(database: Database) -> None:
    with database.write() as tx:
        record_refusal(
            tx,
            at=after(0),
            peer="cart",
            address="10.0.0.7",
            association_id=None,
            sop_instance_uid=None,
            status=0xA700,
            reason="StorageFullError",
        )
    with database.read() as tx:
        [event] = trail.search(tx, peer="cart")
    assert event.detail == {"status": "0xA700", "reason": "StorageFullError"}


def test_an_instance_without_its_association_is_refused_whole(database: Database) -> None:
    with pytest.raises(StorageError):
        store(database, received(association="never opened"))
    with database.read() as tx:
        assert list_studies(tx) == []
        assert trail.search(tx, since=NOON) == []


def test_of_many_threads_with_one_uid_one_stores_it(database: Database) -> None:
    open_association(database)
    with ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda _: store(database, received()), range(8)))
    assert sorted(receipts) == [Receipt.DUPLICATE] * 7 + [Receipt.STORED]
    assert study(database).summary.instances == 1


def _store_in_process(url: str, barrier: multiprocessing.Barrier, outcomes, who: int) -> None:  # type: ignore[no-untyped-def,valid-type]
    database = Database(url)
    for number in range(10):
        barrier.wait()
        same = received(number, study_instance_uid=f"1.2.9.{number}")
        other = replace(same, digest=digest(f"{number} of {who}")) if number % 2 else same
        outcomes.put((number, store(database, other).value))
    database.close()


def test_two_processes_that_race_end_as_one_stored_and_one_repeated(
    database: Database, url: str
) -> None:
    open_association(database)
    context = multiprocessing.get_context("spawn")
    barrier, outcomes = context.Barrier(2, timeout=20), context.Queue()
    processes = [
        context.Process(target=_store_in_process, args=(url, barrier, outcomes, who))
        for who in (1, 2)
    ]
    for process in processes:
        process.start()
    seen = sorted(outcomes.get(timeout=30) for _ in range(20))
    for process in processes:
        process.join()
    for number in range(10):
        expected = ["conflict", "stored"] if number % 2 else ["duplicate", "stored"]
        assert [outcome for which, outcome in seen if which == number] == expected
        assert len(study(database, f"1.2.9.{number}").instances) == 1


def test_studies_of_many_associations_at_once_keep_their_count(database: Database) -> None:
    def send(association: int) -> None:
        name = f"a{association}"
        open_association(database, name)
        for number in range(10):
            uid = f"1.2.{association}.{number}"
            store(database, received(association=name, sop_instance_uid=uid, digest=digest(uid)))
        end_association(database, name, at_s=1)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(send, range(6)))
    assert study(database).summary.instances == 60
    assert ME in {event.actor for event in _closed(database)}
    assert all(event.detail["instances"] == 10 for event in _closed(database))


def _closed(database: Database) -> list[trail.RecordedEvent]:
    with database.read() as tx:
        return trail.search(tx, action=trail.Action.ASSOCIATION_CLOSED)


def test_text_that_no_database_can_hold_is_kept_as_far_as_it_can(database: Database) -> None:
    open_association(database)
    odd = {"patient_id": "P\0\ud800", "patient_name": "Ærø^" + "x" * 190}
    assert store(database, received(1, **odd)) is Receipt.STORED
    assert store(database, received(2, **odd)) is Receipt.STORED
    seen = study(database)
    assert not seen.summary.patient_conflict
    assert (seen.summary.patient_id[0], seen.summary.patient_name) == ("P", odd["patient_name"])
    with database.read() as tx:
        assert trail.search(tx, patient_id=odd["patient_id"])
        assert list_studies(tx, StudySearch(patient_id=odd["patient_id"]))
