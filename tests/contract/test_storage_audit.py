"""What an admin can ask the audit, on either database."""

from datetime import timedelta, timezone

import pytest

from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Database
from tests.contract.storing import NOON, after, store_study


def record(database: Database, at_s: float, **changes: object) -> None:
    with database.write() as tx:
        trail.record(tx, Event(**{"action": Action.ECHO, "at": after(at_s), **changes}))  # type: ignore[arg-type]


def search(database: Database, **conditions: object) -> list[float]:
    """The times of what is found, in seconds after noon."""
    with database.read() as tx:
        found = trail.search(tx, **{"since": NOON, **conditions})  # type: ignore[arg-type]
    return [(event.at - NOON).total_seconds() for event in found]


def test_an_event_comes_back_as_it_was_written(database: Database) -> None:
    event = Event(
        action=Action.DATA_VIEWED,
        at=after(0.000123),
        outcome="failure",
        actor="jane",
        peer="cart",
        address="10.0.0.7",
        association_id="a1",
        study_id=7,
        patient_id="P1",
        accession_number="ACC1",
        sop_instance_uid="1.2.3",
        detail={"text": "Ærø", "number": 3, "share": 0.5, "flag": True, "nothing": None},
    )
    with database.write() as tx:
        trail.record(tx, event)
    with database.read() as tx:
        [found] = trail.search(tx, peer="cart")
    assert {name: getattr(found, name) for name in Event.__slots__} == {
        name: getattr(event, name) for name in Event.__slots__
    }
    assert found.at.utcoffset() == timedelta(0)


def test_events_are_found_newest_first_within_a_time(database: Database) -> None:
    for at_s in (1, 3, 2):
        record(database, at_s)
    assert search(database) == [3, 2, 1]
    assert search(database, newest_first=False) == [1, 2, 3]
    assert search(database, since=after(2)) == [3, 2]
    assert search(database, until=after(2)) == [1]
    assert search(database, limit=1) == [3]


@pytest.mark.parametrize(
    "condition",
    [
        {"peer": "cart"},
        {"patient_id": "P1"},
        {"accession_number": "ACC1"},
        {"action": Action.DATA_VIEWED},
        {"study_id": 7},
    ],
)
def test_events_are_found_by_one_condition_or_several(
    database: Database, condition: dict[str, object]
) -> None:
    record(database, 1)
    record(database, 2, **condition)
    record(database, 3, **condition, outcome="failure")
    assert search(database, **condition) == [3, 2]
    assert search(database, **condition, until=after(3)) == [2]


def test_an_event_of_a_study_is_found_by_its_patient(database: Database) -> None:
    store_study(database)
    record(database, 50, study_id=1)
    assert search(database, patient_id="P1", accession_number="ACC1", action=Action.ECHO) == [50]


def test_a_time_of_another_zone_is_the_same_time(database: Database) -> None:
    elsewhere = timezone(timedelta(hours=-7))
    with database.write() as tx:
        trail.record(tx, Event(action=Action.ECHO, at=after(5).astimezone(elsewhere)))
    assert search(database, since=after(5), until=after(6).astimezone(elsewhere)) == [5]


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="time zone"):
        record(database, 0, at=NOON.replace(tzinfo=None))
