"""Studies are searched by name, date and pipeline, and read page by page."""

import pytest

from storage.corrections.ordered import Identification, correct_identification
from storage.database.transactions import Database
from storage.reading.study_list import Place, StudySearch, list_studies
from storage.studies.orders import Order
from tests.contract.storing import PIPELINE, after, open_association, received, store

NAMES = ("MÜLLER^ANNA", "Mueller^Jo", "Muller^Anna^^Dr.", "Yamada^Tarou=山田^太郎", "O_Neil^50%")


def fill(database: Database) -> None:
    """Studies 1 to 5, one a second, of one patient and one day each."""
    open_association(database)
    for number, name in enumerate(NAMES, 1):
        instance = received(
            number,
            at_s=number,
            study_instance_uid=f"1.2.9.{number}",
            patient_name=name,
            study_date=f"2026010{number}" if number < 5 else "",
        )
        store(database, instance, [PIPELINE] if number < 3 else ["newborn"])


def found(database: Database, **wanted: object) -> list[int]:
    with database.read() as tx:
        return [item.study_id for item in list_studies(tx, StudySearch(**wanted))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "studies"),
    [
        ("müller^anna", [1]),
        ("muller*", [3, 1]),
        ("MU*LLER*", [3, 2, 1]),
        ("mueller^j?", [2]),
        ("Muller", []),
        ("山田*", [4]),
        ("yamada^tarou", [4]),
        ("o_n*", [5]),
        ("o?neil^50%", [5]),
        ("%", []),
        ("*", [5, 4, 3, 2, 1]),
    ],
)
def test_a_name_is_searched_with_wildcards_whatever_its_case_and_accents(
    database: Database, name: str, studies: list[int]
) -> None:
    fill(database)
    assert found(database, patient_name=name) == studies


def test_days_bound_the_study_date_and_sort_by_it(database: Database) -> None:
    fill(database)
    assert found(database, first_day="20260102", last_day="20260103") == [3, 2]
    assert found(database, first_day="20260103") == [4, 3]
    assert found(database, last_day="20260101") == [1]
    assert found(database, pipeline="newborn", last_day="20260109") == [4, 3]


def test_a_corrected_name_is_found_and_the_earlier_one_is_not(database: Database) -> None:
    fill(database)
    order = Order(actor="eve", at=after(9), reason="merged", pipelines=[])
    with database.write() as tx:
        correct_identification(tx, 1, Identification(patient_name="Roe^Ännie"), order)
    assert found(database, patient_name="roe^annie") == [1]
    assert found(database, patient_name="müller^anna") == []


@pytest.mark.parametrize("wanted", [StudySearch(), StudySearch(first_day="20260101")])
def test_pages_name_each_study_once_although_others_come_meanwhile(
    database: Database, wanted: StudySearch
) -> None:
    fill(database)
    seen, place = [], None
    for page in range(3):
        with database.read() as tx:
            rows = list_studies(tx, wanted, after=place, limit=2)
        seen += [row.study_id for row in rows]
        if rows:
            last = rows[-1]
            place = Place(last.study_date, last.last_received_at, last.study_id)
        late = received(
            50 + page, at_s=50, study_instance_uid=f"1.2.8.{page}", study_date="20270101"
        )
        store(database, late)
    assert seen == found(database, first_day=wanted.first_day)[3:]
