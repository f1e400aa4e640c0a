"""Rejections and corrections, on either database."""

from dataclasses import replace

import pytest

from storage.audit import trail
from storage.audit.trail import Action
from storage.corrections import ordered, rejections
from storage.corrections.ordered import Identification
from storage.corrections.rejections import Note
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.errors import NotFoundError
from storage.intake.received import Receipt
from storage.reading import cases
from storage.reading.browse import show_study
from storage.reading.cases import Case
from storage.states import DueReason, JobKind, Outcome, StudyState
from storage.studies.orders import Order
from storage.work import results
from tests.contract.storing import (
    PIPELINE,
    after,
    complete,
    end_association,
    open_association,
    received,
    record_report,
    report,
    result_object,
    store,
    store_study,
    work,
)


def reported_study(database: Database, instances: int = 3) -> None:
    """The study 1.2.9 is complete and reported, all jobs done."""
    store_study(database, instances)
    assert complete(database, 10) == 1
    work(database, 11)
    work(database, 12)
    record_report(database, report())


def order(at_s: float = 200, reason: str = "because") -> Order:
    return Order(actor="eve", at=after(at_s), reason=reason, pipelines=[PIPELINE])


def keep(database: Database, instance_id: int, code: str, *numbers: int, ignored: str = "") -> bool:
    note = Note(code, {f"1.2.3.{number}": "1.2.9" for number in numbers}, ignored)
    with database.write() as tx:
        return rejections.record_note(tx, instance_id, note, after(150), [PIPELINE])


def note_elsewhere(database: Database) -> int:
    """An instance of another study, which will be a rejection note; returns its id."""
    open_association(database, "a2", at_s=100)
    store(
        database,
        received(99, at_s=100, association="a2", study_instance_uid="1.2.10", modality="KO"),
    )
    end_association(database, "a2", at_s=101)
    with database.read() as tx:
        return show_study(tx, "1.2.10").instances[0].instance_id


def case(database: Database) -> Case:
    with database.read() as tx:
        return cases.load_case(tx, 1, PIPELINE)


def rejected(database: Database) -> dict[str, str | None]:
    return {item.sop_instance_uid: item.rejected for item in case(database).instances}


def revision(database: Database) -> int:
    with database.read() as tx:
        return show_study(tx, "1").summary.revision


def actions(database: Database) -> list[Action]:
    with database.read() as tx:
        return [event.action for event in trail.search(tx, limit=1000)]


def test_a_note_takes_instances_back_and_opens_a_revision_once(database: Database) -> None:
    reported_study(database)
    note = note_elsewhere(database)
    assert keep(database, note, "113001", 1, 2)
    assert not keep(database, note, "113001", 1, 2)
    assert rejected(database) == {"1.2.3.1": "113001", "1.2.3.2": "113001", "1.2.3.3": None}
    assert revision(database) == 2
    with database.read() as tx:
        assert show_study(tx, "1").revisions[-1].reason is DueReason.CORRECTION
    assert work(database, 300) == [JobKind.CONCLUDE, JobKind.PREPARE]
    assert actions(database).count(Action.REJECTION_NOTE_APPLIED) == 1


def test_of_several_reasons_the_strongest_holds(database: Database) -> None:
    reported_study(database)
    first = note_elsewhere(database)
    keep(database, first, "113037", 1)
    keep(database, 1, "113001", 1)
    assert rejected(database)["1.2.3.1"] == "113037"


@pytest.mark.parametrize(("code", "ignored"), [("113039", ""), ("113001", "may not")])
def test_some_notes_are_kept_without_effect(database: Database, code: str, ignored: str) -> None:
    reported_study(database)
    assert keep(database, note_elsewhere(database), code, 1, ignored=ignored)
    assert not any(rejected(database).values())
    assert revision(database) == 1
    with database.read() as tx:
        [seen] = rejections.notes_of(tx, 1)
        lately = rejections.ignored_since(tx, after(100))
        assert not rejections.ignored_since(tx, after(200))
    assert (seen.code, seen.instances, seen.ignored_because) == (code, 1, ignored)
    assert lately == ({"cart": 1} if ignored else {})


def test_an_instance_may_be_rejected_before_it_comes(database: Database) -> None:
    keep(database, note_elsewhere(database), "113038", 1, 2)
    store_study(database, 2)
    with database.read() as tx:
        assert rejections.rejected_in(tx, 2) == {"1.2.3.1": "113038", "1.2.3.2": "113038"}


def test_a_note_that_names_the_wrong_study_takes_nothing_back(database: Database) -> None:
    reported_study(database)
    instance_id, note = note_elsewhere(database), Note("113001", {"1.2.3.1": "1.2.777"})
    with database.write() as tx:
        assert rejections.record_note(tx, instance_id, note, after(150), [PIPELINE])
    assert not any(rejected(database).values())
    assert revision(database) == 1


def test_a_note_has_its_effect_in_the_commit_that_receives_it(database: Database) -> None:
    reported_study(database)
    open_association(database, "a2", at_s=100)
    elsewhere = received(99, at_s=100, association="a2", study_instance_uid="1.2.10")
    store(database, replace(elsewhere, note=Note("113001", {"1.2.3.1": "1.2.9"})))
    assert rejected(database)["1.2.3.1"] == "113001"
    assert revision(database) == 2
    with database.read() as tx:
        assert rejections.waiting_notes(tx, elsewhere.sop_class_uid) == []


def test_a_note_that_a_job_was_to_read_waits_until_it_is_recorded(database: Database) -> None:
    reported_study(database)
    waiting = note_elsewhere(database)
    with database.read() as tx:
        found = rejections.waiting_notes(tx, received().sop_class_uid)
    assert [note.instance_id for note in found] == [waiting]
    keep(database, waiting, "113001", 1)
    with database.read() as tx:
        assert rejections.waiting_notes(tx, received().sop_class_uid) == []


def test_a_rejected_stranger_ends_the_conflict_of_patients(database: Database) -> None:
    store_study(database, 2)
    store(database, received(3, patient_id="P2"))
    assert case(database).patient_conflict
    keep(database, 1, "113038", 3)
    assert not case(database).patient_conflict


def test_a_corrected_identification_is_the_study_s_and_leaves_old_and_new_in_the_audit(
    database: Database,
) -> None:
    reported_study(database)
    corrected = Identification(patient_id="P9", patient_birth_date="19500101")
    with database.write() as tx:
        assert ordered.correct_identification(tx, 1, corrected, order()) == 2
    with database.read() as tx:
        assert show_study(tx, "1").summary.patient_id == "P9"
        [event] = trail.search(tx, action=Action.DEMOGRAPHICS_CORRECTED)
    assert (event.actor, event.patient_id) == ("eve", "P9")
    assert event.detail["patient_id_old"] == "P1"
    assert event.detail["patient_id_new"] == "P9"
    assert case(database).identification == {"patient_id": "P9", "patient_birth_date": "19500101"}


def test_a_later_correction_adds_to_an_earlier_one(database: Database) -> None:
    reported_study(database)
    with database.write() as tx:
        first = Identification(patient_id="P8", accession_number="A8")
        ordered.correct_identification(tx, 1, first, order(200))
        ordered.correct_identification(tx, 1, Identification(patient_id="P9"), order(201))
    assert case(database).identification == {"patient_id": "P9", "accession_number": "A8"}
    assert revision(database) == 3


@pytest.mark.parametrize(
    ("patient_id", "conflict"), [("P1", False), ("P9", False), ("P2", True), ("", True)]
)
def test_after_a_correction_the_former_patient_is_the_same_one(
    database: Database, patient_id: str, conflict: bool
) -> None:
    reported_study(database)
    with database.write() as tx:
        ordered.correct_identification(tx, 1, Identification(patient_id="P9"), order())
    late = received(7, at_s=300, patient_id=patient_id, patient_name="Somebody^Else")
    assert store(database, late) is Receipt.STORED
    assert case(database).patient_conflict is conflict


def test_an_administrator_may_say_that_two_patients_are_one(database: Database) -> None:
    store_study(database, 2)
    store(database, received(3, patient_id="P2"))
    complete(database, 100)
    with database.write() as tx:
        merged = Identification(patient_id="P2")
        ordered.correct_identification(tx, 1, merged, order(), same_patient=True)
    assert not case(database).patient_conflict


def test_a_withdrawal_holds_until_the_study_is_reinstated(database: Database) -> None:
    reported_study(database)
    with database.write() as tx:
        assert ordered.withdraw(tx, 1, order(200, "deleted")) == 2
    assert case(database).withdrawn == "deleted"
    store(database, received(9, at_s=210))
    assert case(database).withdrawn == "deleted"
    with database.write() as tx:
        assert ordered.reinstate(tx, 1, order(220)) is None
    assert case(database).withdrawn is None
    with database.read() as tx:
        assert show_study(tx, "1").summary.state is StudyState.RECEIVING


def test_a_study_is_found_by_uid_or_number_only(database: Database) -> None:
    store_study(database)
    with database.read() as tx:
        assert ordered.study_id_of(tx, "1.2.9") == ordered.study_id_of(tx, "1") == 1
        for unknown in ("ACC1", "", "2", "1" * 40):
            with pytest.raises(NotFoundError):
                ordered.study_id_of(tx, unknown)


def test_a_report_waits_for_the_report_of_an_earlier_revision(database: Database) -> None:
    store_study(database)
    assert complete(database, 10) == 1
    assert work(database, 11) == [JobKind.PREPARE]
    with database.write() as tx:
        ordered.withdraw(tx, 1, order(12))
    assert work(database, 13) == [JobKind.CONCLUDE]
    assert work(database, 14) == [JobKind.CONCLUDE]
    assert work(database, 15) == []


def test_what_waits_of_a_withdrawn_report_is_called_off_for_good(database: Database) -> None:
    reported_study(database)
    withdrawn = report(
        2, outcome=Outcome.WITHDRAWN, objects=(result_object("SR", name="w"),), supersedes=1
    )
    with database.write() as tx:
        outbox.enqueue(tx, 1, kind="SR", destination="pacs", now=after(1), expires_at=after(9e5))
        later = results.record_report(tx, withdrawn)
        outbox.enqueue(
            tx, later, kind="SR", destination="pacs", now=after(2), expires_at=after(9e5)
        )
        assert outbox.call_off(tx, later, after(3)) == 1
        assert outbox.requeue(tx, now=after(4), expires_at=after(9e5)) == 0
        [left] = outbox.claim(
            tx, destination="pacs", owner="here:1:b.1", now=after(5), lease_s=9, limit=9
        )
    assert left.report_id == later


def test_what_was_sent_can_be_taken_back_until_it_was(database: Database) -> None:
    reported_study(database)
    assert case(database).reported == ()
    with database.write() as tx:
        outbox.enqueue(tx, 1, kind="SR", destination="pacs", now=after(1), expires_at=after(9e5))
        [held] = outbox.claim(
            tx, destination="pacs", owner="here:1:b.1", now=after(5), lease_s=9, limit=9
        )
        best = held.alternatives[0]
        outbox.mark_sent(tx, held, at=after(6), sop_instance_uid=best.sop_instance_uid, status=0)
    assert case(database).reported == (replace(best, destination="pacs"),)
    note = result_object("RN", name="n")
    record_report(database, report(2, outcome=Outcome.WITHDRAWN, objects=(note,), supersedes=1))
    assert case(database).reported == ()


def send(database: Database, destination: str, *, arrives: bool = True) -> str:
    """Send the report to a destination, which takes the best of it; its UID."""
    with database.write() as tx:
        outbox.enqueue(
            tx, 1, kind="SR", destination=destination, now=after(1), expires_at=after(9e5)
        )
        [held] = outbox.claim(
            tx, destination=destination, owner="here:1:b.1", now=after(5), lease_s=9, limit=9
        )
        best = held.alternatives[0].sop_instance_uid
        if arrives:
            outbox.mark_sent(tx, held, at=after(6), sop_instance_uid=best, status=0)
    return best


def test_each_destination_takes_back_what_it_holds_itself(database: Database) -> None:
    reported_study(database)
    sent = send(database, "pacs")
    assert {(item.destination, item.sop_instance_uid) for item in case(database).reported} == {
        ("pacs", sent)
    }
    send(database, "viewer")
    note = replace(result_object("RN", name="n"), destination="pacs")
    record_report(database, report(2, outcome=Outcome.WITHDRAWN, objects=(note,), supersedes=1))
    assert [item.destination for item in case(database).reported] == ["viewer"]


def test_what_is_on_its_way_counts_once_in_the_form_that_is_being_sent(
    database: Database,
) -> None:
    reported_study(database)
    sent = send(database, "pacs", arrives=False)
    assert [item.sop_instance_uid for item in case(database).reported] == [sent]


def test_a_note_for_one_destination_is_offered_to_no_other(database: Database) -> None:
    reported_study(database)
    notes = [
        replace(result_object("RN", name=where), preference=number, destination=where)
        for number, where in enumerate(("archive", "pacs"))
    ]
    record_report(database, report(2, outcome=Outcome.WITHDRAWN, objects=tuple(notes)))
    for where in ("archive", "pacs"):
        with database.write() as tx:
            outbox.enqueue(tx, 2, kind="RN", destination=where, now=after(1), expires_at=after(9e5))
            [held] = outbox.claim(
                tx, destination=where, owner="here:1:b.1", now=after(5), lease_s=9, limit=9
            )
        assert [item.destination for item in held.alternatives] == [where]
