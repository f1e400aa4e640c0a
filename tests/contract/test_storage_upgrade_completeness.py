"""A database of 0.2.0 is taken over with its studies, and may then hold the new reasons."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from storage.database.transactions import Database
from storage.migrations import upgrading
from storage.reading.browse import show_study
from storage.states import DueReason, StudyState
from storage.studies.revisions import complete_study, due_studies
from storage.tables import Study
from storage.tables.columns import UtcDateTime
from tests.contract.storing import after, open_association

_STUDY = {
    "study_instance_uid": "1.2.9",
    "patient_id": "P1",
    "patient_name": "Doe^Jane",
    "accession_number": "A1",
    "study_date": "20260131",
    "patient_conflict": False,
    "state": StudyState.RECEIVING,
    "revision": 0,
    "instances": 1,
    "opened_at": after(0),
    "revision_began_at": after(0),
    "last_received_at": after(0),
    "due_at": after(60),
    "due_reason": "quiet period",
    "hard_limit_at": after(600),
}


def _type(name: str) -> Any:
    """What a column holds; those that are no more held times and words."""
    if name in Study.__table__.c:
        return Study.__table__.c[name].type
    return UtcDateTime() if name.endswith("_at") else sa.String()


@pytest.fixture
def of_0_2_0(empty_url: str) -> Iterator[Database]:
    """A database as 0.2.0 left it, with one study that is being received."""
    database = Database(empty_url)
    with database.write() as tx:
        config = upgrading._alembic()
        config.attributes["connection"] = tx
        command.upgrade(config, "0.2.4")
        table = sa.table("study", *(sa.column(name) for name in _STUDY))
        types = {name: _type(name) for name in _STUDY}
        values = {
            name: sa.bindparam(name, value, type_=types[name]) for name, value in _STUDY.items()
        }
        tx.execute(sa.insert(table).values(values))
    yield database
    database.close()


def test_its_studies_go_on(of_0_2_0: Database) -> None:
    upgrading.upgrade(of_0_2_0)
    open_association(of_0_2_0)
    with of_0_2_0.write() as tx:
        assert due_studies(tx, after(60), 10) == [1]
        assert complete_study(tx, 1, after(60), [], reason=DueReason.ALL_EXPECTED) == 1
    with of_0_2_0.read() as tx:
        shown = show_study(tx, "1.2.9")
    assert [revision.reason for revision in shown.revisions] == [DueReason.ALL_EXPECTED]
