"""Looking at a patient: the studies in their order in time, with the reports that stand."""

from dataclasses import replace

from storage.database.transactions import Database
from storage.reading.patients import studies_of_patient
from storage.states import Outcome
from tests.contract.storing import (
    open_association,
    received,
    record_report,
    report,
    store,
)


def study(database: Database, number: int, study_date: str, **changes: object) -> None:
    if number == 1:
        open_association(database)
    said = {"study_instance_uid": f"1.2.9.{number}", "study_date": study_date, **changes}
    store(database, replace(received(number), **said))  # type: ignore[arg-type]


def test_they_come_in_their_order_in_time_with_the_last_report_of_each_pipeline(
    database: Database,
) -> None:
    study(database, 1, "20260131")
    study(database, 2, "20240304", study_time="0930")
    study(database, 3, "20240304", study_time="0830")
    study(database, 4, "20250101", patient_id="P2")
    record_report(database, report(1))
    record_report(database, report(2, outcome=Outcome.WITHDRAWN))
    record_report(database, report(3, outcome=Outcome.NO_EFFECT, findings_json=""))
    record_report(database, report(1, pipeline="newborn"))

    with database.read() as tx:
        found, left_out = studies_of_patient(tx, "P1", 10)
        last, older = studies_of_patient(tx, "P1", 1)
        nobody, _ = studies_of_patient(tx, "P3", 10)

    assert ([each.summary.study_id for each in found], left_out) == ([3, 2, 1], 0)
    assert [(made.pipeline, made.revision, made.outcome) for made in found[2].reports] == [
        ("echo_haemodynamics", 2, Outcome.WITHDRAWN),
        ("newborn", 1, Outcome.ESTIMATED),
    ]
    assert found[0].reports == ()
    assert ([each.summary.study_id for each in last], older) == ([1], 2)
    assert nobody == []


def test_another_patient_under_the_same_id_is_marked(database: Database) -> None:
    study(database, 1, "20260131", issuer_of_patient_id="HOSPITAL", patient_birth_date="19600101")
    study(database, 2, "20250131", issuer_of_patient_id="CLINIC")
    study(database, 3, "20240131", patient_birth_date="19600101")
    with database.read() as tx:
        found, _ = studies_of_patient(tx, "P1", 10)
    assert [(each.issuer_of_patient_id, each.is_same_patient) for each in found] == [
        ("", True),
        ("CLINIC", False),
        ("HOSPITAL", True),
    ]
