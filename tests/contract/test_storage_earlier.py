"""Earlier estimates: what a pipeline found in a patient's studies that came before one."""

from dataclasses import replace

import pytest

from storage.corrections import ordered
from storage.corrections.ordered import Identification
from storage.database.transactions import Database
from storage.reading import cases
from storage.reading.earlier import EarlierFindings
from storage.states import Outcome
from storage.studies.orders import Order
from tests.contract.storing import (
    PIPELINE,
    after,
    digest,
    open_association,
    received,
    record_report,
    report,
    store,
)

PATIENT = {
    "issuer_of_patient_id": "HOSPITAL",
    "patient_birth_date": "19600101",
    "patient_sex": "F",
}


def study(database: Database, number: int, study_date: str, **changes: object) -> None:
    """The study with this number; each has one instance."""
    if number == 1:
        open_association(database)
    said = {"study_instance_uid": f"1.2.9.{number}", "study_date": study_date, **PATIENT, **changes}
    store(database, replace(received(number), **said))  # type: ignore[arg-type]


def estimated(database: Database, number: int, revision: int = 1, **changes: object) -> None:
    said = f'{{"study": {number}, "revision": {revision}}}'
    made = {"study_id": number, "findings_json": said, "objects": (), **changes}
    record_report(database, report(revision, **made))


def earlier(database: Database, number: int) -> list[EarlierFindings]:
    with database.read() as tx:
        return list(cases.load_case(tx, number, PIPELINE).earlier)


def numbers(database: Database, number: int) -> list[int]:
    return [item.study.study_id for item in earlier(database, number)]


def order() -> Order:
    return Order(actor="eve", at=after(200), reason="mixed up", pipelines=[PIPELINE])


@pytest.fixture
def three(database: Database) -> Database:
    """Three studies of a patient, received in another order than they were made in; two reports."""
    study(database, 1, "20260131")
    study(database, 2, "20240304", study_time="0915")
    study(database, 3, "20250310")
    for number in (2, 3):
        estimated(database, number)
    return database


def test_they_come_in_the_order_of_their_time_with_what_they_said(three: Database) -> None:
    found = earlier(three, 1)
    assert [item.study.at for item in found] == ["20240304091500", "20250310000000"]
    assert {item.bundle_digest for item in found} == {digest("bundle")}
    assert [item.findings_json for item in found] == [
        '{"study": 2, "revision": 1}',
        '{"study": 3, "revision": 1}',
    ]


def test_a_later_study_is_none_whenever_it_came(three: Database) -> None:
    estimated(three, 1)
    assert (numbers(three, 2), numbers(three, 3)) == ([], [2])


def test_of_one_day_the_time_decides(database: Database) -> None:
    study(database, 1, "20260131", study_time="0900")
    study(database, 2, "20260131", study_time="0830")
    study(database, 3, "20260131", study_time="0930")
    for number in (1, 2, 3):
        estimated(database, number)
    assert numbers(database, 1) == [2]


@pytest.mark.parametrize(
    "changes",
    [
        {"patient_id": "P2"},
        {"patient_id": ""},
        {"issuer_of_patient_id": "CLINIC"},
        {"patient_birth_date": "19600102"},
        {"patient_sex": "M"},
        {"study_date": ""},
        {"study_date": "2024.03.04"},
        {"issuer_of_patient_id": "", "patient_birth_date": ""},
    ],
)
def test_one_without_a_date_or_not_surely_of_the_patient_is_none(
    database: Database, changes: dict[str, str]
) -> None:
    study(database, 1, "20260131")
    study(database, 2, **({"study_date": "20240304"} | changes))
    estimated(database, 2)
    assert numbers(database, 1) == []


def test_a_withdrawn_one_is_none_until_it_is_reinstated(three: Database) -> None:
    with three.write() as tx:
        ordered.withdraw(tx, 2, order())
    assert numbers(three, 1) == [3], "at once, before the withdrawal is reported"
    with three.write() as tx:
        ordered.reinstate(tx, 2, order())
    assert numbers(three, 1) == [2, 3]


def test_one_of_two_patients_is_none_and_has_none(three: Database) -> None:
    store(
        three,
        replace(received(4), study_instance_uid="1.2.9.2", patient_id="P2", study_date="20240304"),
    )
    assert numbers(three, 1) == [3]
    estimated(three, 1)
    assert numbers(three, 2) == []


def test_a_corrected_one_is_of_whom_the_correction_says(three: Database) -> None:
    with three.write() as tx:
        ordered.correct_identification(tx, 3, Identification(patient_id="P2"), order())
    assert numbers(three, 1) == [2]


@pytest.mark.parametrize(
    ("outcome", "findings", "found"),
    [
        (Outcome.ESTIMATED, '{"study": 2, "revision": 2}', '{"study": 2, "revision": 2}'),
        (Outcome.NO_EFFECT, "", '{"study": 2, "revision": 1}'),
        (Outcome.ABSTAINED, "{}", None),
        (Outcome.WITHDRAWN, "{}", None),
    ],
)
def test_the_last_findings_of_a_study_count(
    three: Database, outcome: Outcome, findings: str, found: str | None
) -> None:
    estimated(three, 2, 2, outcome=outcome, findings_json=findings)
    said = {item.study.study_id: item.findings_json for item in earlier(three, 1)}
    assert said.get(2) == found


def test_each_pipeline_has_its_own(three: Database) -> None:
    with three.read() as tx:
        assert cases.load_case(tx, 1, "newborn").earlier == ()


def test_of_many_the_latest_twenty_are_told(database: Database) -> None:
    study(database, 1, "20260131")
    for number in range(2, 27):
        study(database, number, f"202501{number:02d}")
        estimated(database, number)
    assert numbers(database, 1) == list(range(7, 27))
