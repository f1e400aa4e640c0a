"""A database of 0.5.0 is taken over with what it knows of whom its studies are."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic import command

from storage.database.transactions import Database
from storage.migrations import upgrading
from storage.reading.companions import Reach, companions
from storage.tables import Study, StudyCorrection, StudyPatient
from tests.contract.storing import after
from tests.contract.test_storage_upgrade_completeness import _STUDY as A_STUDY
from tests.contract.test_storage_upgrade_completeness import _type as study_type

US = "1.2.840.10008.5.1.4.1.1.3.1"


def insert(tx: sa.Connection, table: sa.Table, **values: object) -> None:
    """A row of an older table, which lacks columns of today's."""
    study = table is Study.__table__
    columns = (
        sa.column(name, study_type(name) if study else table.c[name].type) for name in values
    )
    tx.execute(sa.insert(sa.table(table.name, *columns)).values(values))


@pytest.fixture
def of_0_5_0(empty_url: str) -> Iterator[Database]:
    """A database as 0.5.0 left it: a study that says whose it is, and one that was corrected."""
    database = Database(empty_url)
    with database.write() as tx:
        config = upgrading._alembic()
        config.attributes["connection"] = tx
        command.upgrade(config, "0.4.4")
        for number in (1, 2):
            study = A_STUDY | {"id": number, "study_instance_uid": f"1.2.{number}"}
            insert(tx, Study.__table__, **study)
        named = {"patient_id": "P1", "patient_name": "Doe^Jane"}
        for number, (study_id, issuer, born, differs) in enumerate(
            [
                (1, "", "", False),
                (1, "CLINIC", "19990101", True),
                (1, "HOSPITAL", "19600101", False),
                (2, "CLINIC", "19600101", False),
            ],
            1,
        ):
            told = {"issuer_of_patient_id": issuer, "patient_birth_date": born}
            row = {"id": number, "study_id": study_id, "differs": differs, **named, **told}
            insert(tx, StudyPatient.__table__, **row)
        for number, issuer in enumerate(("WRONG", "HOSPITAL", None), 1):
            insert(
                tx,
                StudyCorrection.__table__,
                id=number,
                study_id=2,
                kind="identification",
                at=after(0),
                actor="eve",
                reason="mixed up",
                issuer_of_patient_id=issuer,
                patient_sex="F",
                previous_patient_id="P1",
                previous_patient_name="Doe^Jane",
            )
    yield database
    database.close()


def test_studies_keep_what_was_said_first_or_corrected_last(of_0_5_0: Database) -> None:
    upgrading.upgrade(of_0_5_0)
    study = Study
    columns = (study.issuer_of_patient_id, study.patient_birth_date, study.patient_sex)
    with of_0_5_0.read() as tx:
        rows = tx.execute(sa.select(*columns, study.study_time).order_by(study.id)).all()
        assert companions(tx, 1, Reach({US}, 7)) == []
    assert rows == [("HOSPITAL", "19600101", None, None), ("HOSPITAL", "19600101", "F", None)]
