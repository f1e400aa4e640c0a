"""Identifying texts of any length are kept bounded, found again, and never taken for each other."""

import pytest

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.intake.received import Receipt
from storage.keeping import purge
from storage.reading import browse
from storage.reading.browse import show_study
from storage.reading.study_list import StudySearch, list_studies
from storage.tables.columns import IDENTIFYING, LONGEST_TEXT, PeerText, storable
from tests.contract.storing import ME, after, open_association, received, store

HUGE = "x" * 70_000
TEXTS = ("patient_id", "patient_name", "accession_number", "study_date", "modality")


@pytest.fixture
def open_(database: Database) -> Database:
    open_association(database)
    return database


@pytest.mark.parametrize("script", ["x", "山", "\U0001f600"], ids=["ASCII", "Han", "four bytes"])
def test_an_instance_whose_texts_are_endless_is_kept_with_their_beginning(
    open_: Database, script: str
) -> None:
    huge = dict.fromkeys(TEXTS, script * 70000)
    assert store(open_, received(**huge, instance_number=script * 70_000)) is Receipt.STORED
    with open_.read() as tx:
        summary = show_study(tx, 1).summary
        [event] = trail.search(tx, action=Action.INSTANCE_STORED)
    for text in (summary.patient_id, summary.accession_number, event.patient_id):
        assert text is not None
        assert len(text) <= LONGEST_TEXT
        assert text.startswith(script * 200 + "... (70000 characters, SHA-256 ")


def test_a_text_of_the_standards_length_is_kept_whole(open_: Database) -> None:
    name = "=".join(["a" * 64, "b" * 64, "c" * 64])
    store(open_, received(patient_name=name, patient_id="1" * 64))
    with open_.read() as tx:
        [row] = tx.execute(tables.Study.__table__.select()).all()
    assert (row.patient_name, row.patient_id) == (name, "1" * 64)


def test_the_same_endless_id_is_the_same_patient(open_: Database) -> None:
    store(open_, received(1, patient_id=HUGE))
    store(open_, received(2, patient_id=HUGE))
    with open_.read() as tx:
        assert not show_study(tx, 1).summary.patient_conflict


def test_endless_ids_that_differ_at_their_end_are_two_patients(open_: Database) -> None:
    store(open_, received(1, patient_id=HUGE + "1"))
    store(open_, received(2, patient_id=HUGE + "2"))
    with open_.read() as tx:
        assert show_study(tx, 1).summary.patient_conflict


def test_a_study_is_found_and_purged_by_its_endless_id(open_: Database) -> None:
    store(open_, received(patient_id=HUGE, accession_number=HUGE))
    with open_.read() as tx:
        [found] = list_studies(tx, StudySearch(patient_id=HUGE), limit=9)
        assert browse.find_study(tx, HUGE) == found.study_id
        assert purge.studies_of(tx, HUGE) == [found.study_id]
        assert len(trail.search(tx, patient_id=HUGE, limit=9)) > 0


def test_no_detail_of_an_event_fills_pages(database: Database) -> None:
    event = trail.Event(
        action=Action.REQUEST_REFUSED, at=after(0), actor=ME, detail={"reason": HUGE, "count": 3}
    )
    with database.write() as tx:
        trail.record(tx, event)
    with database.read() as tx:
        [found] = trail.search(tx, action=Action.REQUEST_REFUSED)
    assert found.detail["count"] == 3
    assert len(str(found.detail["reason"])) <= 2000


def test_what_was_bounded_once_stays_as_it_is() -> None:
    once = storable(HUGE)
    assert storable(once) == once


def test_every_index_over_a_peers_text_holds_bounded_ones() -> None:
    """A PostgreSQL index takes rows of 2704 bytes: two texts of 256 characters of 4 bytes."""
    for table in tables.Base.metadata.sorted_tables:
        for made in table.indexes:
            texts = [column for column in made.columns if column.name in IDENTIFYING]
            assert len(texts) * LONGEST_TEXT * 4 < 2704
            assert all(isinstance(column.type, PeerText) for column in texts)
