"""Companions: which other studies of a patient take part in a report, and what follows."""

from dataclasses import replace

import pytest

from storage.corrections import ordered, rejections
from storage.corrections.ordered import Identification
from storage.database.transactions import Database
from storage.keeping.purge import purge_study
from storage.reading import cases
from storage.reading.browse import show_study
from storage.reading.companions import Reach, anchors_near, companions
from storage.states import DueReason, JobKind, Outcome
from storage.studies import anchors
from storage.studies.orders import Order
from storage.work import jobs
from tests.contract.storing import (
    PIPELINE,
    after,
    claim,
    complete,
    open_association,
    received,
    record_report,
    report,
    store,
    work,
)

FILM, ECG = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.9.1.1"
REACH = Reach({FILM, ECG}, 7)
#: A film on the 31st; what else it says of its patient.
PATIENT = {
    "issuer_of_patient_id": "HOSPITAL",
    "patient_birth_date": "19600101",
    "patient_sex": "F",
}


def film(database: Database, **changes: object) -> None:
    """Study 1, of the film."""
    open_association(database)
    store(database, replace(received(1), sop_class_uid=FILM, **(PATIENT | changes)))  # type: ignore[arg-type]


def ecg(database: Database, number: int = 2, **changes: object) -> None:
    """The next study, of an ECG two days later."""
    usual = {"study_date": "20260202", "study_time": "0815", "sop_class_uid": ECG}
    said = {"study_instance_uid": f"1.2.9.{number}", **PATIENT, **usual, **changes}
    store(database, replace(received(number), **said))  # type: ignore[arg-type]


def order(at_s: float = 200) -> Order:
    return Order(actor="eve", at=after(at_s), reason="mixed up", pipelines=[PIPELINE])


def found(database: Database, study_id: int = 1) -> list[int]:
    with database.read() as tx:
        return [other.study_id for other in companions(tx, study_id, REACH)]


def near(database: Database, study_id: int = 2) -> list[int]:
    with database.read() as tx:
        return anchors_near(tx, study_id, PIPELINE, REACH)


def reasons(database: Database, study_id: int = 1) -> list[DueReason]:
    with database.read() as tx:
        return [revision.reason for revision in show_study(tx, str(study_id)).revisions]


def keep(database: Database, *companion_ids: int) -> None:
    with database.write() as tx:
        anchors.keep_companions(tx, 1, PIPELINE, companion_ids)


def revise(database: Database, at_s: float = 150) -> None:
    with database.write() as tx:
        anchors.revise_anchors(tx, [(1, PIPELINE), (1, PIPELINE)], after(at_s))


def reported_film(database: Database, **changes: object) -> None:
    film(database, **changes)
    work(database, 2)
    complete(database, 90)
    work(database, 91)
    record_report(database, report(1))


@pytest.mark.parametrize("study_date", ["20260124", "20260131", "20260207"])
def test_a_study_within_the_days_takes_part_before_and_after(
    database: Database, study_date: str
) -> None:
    film(database)
    ecg(database, study_date=study_date)
    assert (found(database, 1), found(database, 2)) == ([2], [1])


@pytest.mark.parametrize(
    "changes",
    [
        {"study_date": "20260123"},
        {"study_date": "20260208"},
        {"study_date": ""},
        {"study_date": "2026.02.02"},
        {"patient_id": "P2"},
        {"patient_id": ""},
        {"issuer_of_patient_id": "CLINIC"},
        {"patient_birth_date": "19600102"},
        {"patient_sex": "M"},
        {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.3.1"},
        {"issuer_of_patient_id": "", "patient_birth_date": ""},
    ],
)
def test_a_study_too_far_or_not_surely_of_the_patient_takes_no_part(
    database: Database, changes: dict[str, object]
) -> None:
    reported_film(database)
    ecg(database, **changes)
    assert (found(database), near(database)) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"patient_birth_date": ""},
        {"patient_birth_date": "1960.01.01"},
        {"patient_sex": ""},
        {"patient_sex": "O"},
        {"patient_name": "Doe-Roe^Jane"},
        {"issuer_of_patient_id": ""},
    ],
)
def test_what_a_study_leaves_open_is_no_contradiction(
    database: Database, changes: dict[str, object]
) -> None:
    reported_film(database)
    ecg(database, **changes)
    assert (found(database), near(database)) == ([2], [1])


def test_they_come_in_the_order_of_their_time(database: Database) -> None:
    film(database)
    ecg(database, 2, study_time="0930")
    ecg(database, 3, study_time="08:15:30.5")
    with database.read() as tx:
        assert [other.at for other in companions(tx, 1, REACH)] == [
            "20260202081530",
            "20260202093000",
        ]


@pytest.mark.parametrize("study_date", ["99991231", "00010101", "2026013", "20261301", ""])
def test_a_study_without_a_sensible_date_has_none(database: Database, study_date: str) -> None:
    film(database, study_date=study_date)
    ecg(database, study_date=study_date)
    assert (found(database, 1), near(database, 2)) == ([], [])


def test_a_withdrawn_study_and_one_of_two_patients_take_no_part(database: Database) -> None:
    film(database)
    ecg(database, 2)
    ecg(database, 3)
    store(
        database,
        replace(received(4), study_instance_uid="1.2.9.3", patient_id="P2", study_date="20260202"),
    )
    with database.write() as tx:
        ordered.withdraw(tx, 2, order())
    assert found(database) == []
    assert found(database, 2) == [], "nothing is reported of it either"
    with database.write() as tx:
        ordered.reinstate(tx, 2, order())
    assert found(database) == [2]


def test_a_corrected_study_is_of_whom_the_correction_says(database: Database) -> None:
    film(database)
    ecg(database, patient_id="P2")
    assert found(database) == []
    with database.write() as tx:
        corrected = Identification(patient_id="P1", patient_birth_date="19600101")
        ordered.correct_identification(tx, 2, corrected, order())
    assert found(database) == [2]
    with database.write() as tx:
        corrected = Identification(patient_birth_date="19700101")
        ordered.correct_identification(tx, 2, corrected, order())
    assert found(database) == []


def test_a_case_holds_what_stands_of_companions_and_its_classes(database: Database) -> None:
    film(database)
    ecg(database, 2)
    for number, sop_class in ((3, ECG), (4, "1.2.840.10008.5.1.4.1.1.7")):
        ecg(database, number, study_instance_uid="1.2.9.2", sop_class_uid=sop_class)
    note = rejections.Note("113001", {"1.2.3.3": "1.2.9.2"})
    with database.write() as tx:
        rejections.record_note(tx, 4, note, after(5), [PIPELINE])
    with database.read() as tx:
        case = cases.load_case(tx, 1, PIPELINE, REACH)
        alone = cases.load_case(tx, 1, PIPELINE)
    assert [item.sop_instance_uid for item in case.companions] == ["1.2.3.2"]
    assert case.companions[0].of == (2, "1.2.9.2", "20260202081500")
    assert [item.sop_instance_uid for item in case.instances] == ["1.2.3.1"]
    assert (case.at, alone.companions) == ("20260131000000", ())


def test_a_report_waits_for_what_is_prepared_of_companions(database: Database) -> None:
    film(database)
    work(database, 2)
    ecg(database)
    keep(database, 2)
    complete(database, 90)
    [preparing] = claim(database, 91)
    assert (preparing.kind, preparing.study_id) == (JobKind.PREPARE, 2)
    assert claim(database, 92) == []
    with database.write() as tx:
        jobs.finish(tx, preparing, after(93))
    assert [job.kind for job in claim(database, 94)] == [JobKind.CONCLUDE]


def test_a_report_is_revised_once_and_not_while_one_is_to_be_made(database: Database) -> None:
    reported_film(database)
    revise(database)
    assert reasons(database)[1:] == [DueReason.COMPANION]
    revise(database)
    assert len(reasons(database)) == 2, "the one that waits takes it in"
    work(database, 160)
    revise(database)
    assert reasons(database)[2:] == [DueReason.COMPANION]


def test_a_study_that_is_being_received_takes_it_in_when_it_is_complete(
    database: Database,
) -> None:
    film(database)
    revise(database)
    assert reasons(database) == []


def test_a_report_that_is_being_made_may_have_come_too_early(database: Database) -> None:
    film(database)
    work(database, 2)
    complete(database, 90)
    assert near_after_ecg(database) == [], "it waits, so it takes the other study in"
    claim(database, 92)
    assert near(database) == [1]


def near_after_ecg(database: Database) -> list[int]:
    ecg(database)
    return near(database)


def test_only_what_a_pipeline_has_reported_is_revised(database: Database) -> None:
    film(database)
    work(database, 2)
    complete(database, 90)
    work(database, 91)
    record_report(database, report(1, outcome=Outcome.NOT_APPLICABLE, objects=()))
    ecg(database)
    assert near(database) == []


def test_what_was_only_stored_of_a_study_is_revised_too(database: Database) -> None:
    film(database)
    work(database, 2)
    complete(database, 90)
    work(database, 91)
    record_report(database, report(1, outcome=Outcome.ABSTAINED, objects=()))
    ecg(database)
    assert near(database) == [1]


def test_a_purge_leaves_no_trace_of_what_took_part(database: Database) -> None:
    reported_film(database)
    ecg(database)
    work(database, 100)
    keep(database, 2)
    with database.write() as tx:
        assert anchors.anchors_of(tx, 2) == [(1, PIPELINE)]
        purge_study(tx, 2, actor="eve", reason="law", now=after(200), force=True)
        assert anchors.anchors_of(tx, 2) == []
    assert found(database) == []
