"""A purge removes all that names the patient, but the audit, and leaves a proof that does not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import cast, func, insert, select, types

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action
from storage.corrections import ordered
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.errors import NotFoundError, StudyBusyError
from storage.files.spool import Spool
from storage.keeping import inventory, purge, removal
from storage.keeping.purge import Purged
from storage.work.results import record_preparation
from tests.contract.storing import (
    ME,
    NOON,
    after,
    claim,
    complete,
    open_association,
    preparation,
    received,
    record_report,
    report,
    result_object,
    store,
    work,
)

LATER = NOON + timedelta(days=1)
MARKED: dict[str, Any] = {
    "patient_id": "MARKED-ID",
    "patient_name": "Marked^Name",
    "accession_number": "MARKED-ACC",
    "study_instance_uid": "1.2.77777",
    "series_instance_uid": "1.2.77777.1",
    "sop_instance_uid": "1.2.77777.1.1",
}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def marked(database: Database, spool: Spool) -> int:
    """The number of a study of a marked patient, reported and sent; beside it, another's."""
    open_association(database)
    store(database, received(1, digest=spool.put(b"other").digest))
    store(database, received(2, digest=spool.put(b"marked").digest, **MARKED))
    store(database, received(2, digest=spool.put(b"conflict").digest, **MARKED))
    work(database, 5)
    with database.write() as tx:
        record_preparation(tx, preparation(2, instance_json='{"uid": "1.2.77777.1.1"}'))
    complete(database, 100, study_id=2)
    work(database, 101)
    made = result_object("SR", name="marked")
    report_id = record_report(database, report(study_id=2, objects=(made,)))
    with database.write() as tx:
        outbox.enqueue(
            tx, report_id, kind="SR", destination="pacs", now=after(1), expires_at=after(9)
        )
        [item] = outbox.claim(tx, destination="pacs", owner=ME, now=after(2), lease_s=30)
        outbox.mark_sent(tx, item, at=after(3), sop_instance_uid="2.25.1", status=0)
    return 2


def naming(database: Database, text: str) -> set[str]:
    """The tables in which some column holds this text."""
    with database.read() as tx:
        return {
            table.name
            for table in tables.Base.metadata.tables.values()
            for column in table.columns
            if not isinstance(column.type, types.LargeBinary)
            and tx.scalar(select(func.count()).where(cast(column, types.String).like(f"%{text}%")))
        }


def do_purge(database: Database, study_id: int, **options: bool) -> Purged:
    with database.write() as tx:
        return purge.purge_study(
            tx, study_id, actor="admin", reason="asked for", now=LATER, **options
        )


def test_nothing_but_the_audit_names_the_patient_afterwards(
    database: Database, marked: int
) -> None:
    assert "study" in naming(database, "Marked^Name")
    purged = do_purge(database, marked)
    assert (purged.study_id, purged.instances, purged.files) == (2, 1, 3)
    assert purged.audit_events > 5
    for value in (*MARKED.values(), "Marked"):
        assert naming(database, value) <= {"audit_event"}, value
    assert naming(database, "Marked^Name") == set()


def test_the_event_tells_who_when_and_why_but_not_whose(database: Database, marked: int) -> None:
    do_purge(database, marked)
    with database.read() as tx:
        [event] = trail.search(tx, action=Action.STUDY_PURGED)
    assert (event.actor, event.at, event.study_id) == ("admin", LATER, marked)
    assert (event.patient_id, event.accession_number, event.sop_instance_uid) == (None, None, None)
    assert event.detail["reason"] == "asked for"


def test_who_knows_the_uid_can_have_the_proof(database: Database, marked: int) -> None:
    do_purge(database, marked)
    with database.read() as tx:
        [proof] = purge.proofs(tx, MARKED["study_instance_uid"])
        assert (proof.study_id, proof.actor, proof.reason) == (marked, "admin", "asked for")
        assert purge.proofs(tx, "1.2.9") == []


def test_its_files_leave_and_other_patients_stay(
    database: Database, spool: Spool, marked: int
) -> None:
    do_purge(database, marked)
    assert removal.remove_queued(database, spool, LATER).files == 3
    with database.read() as tx:
        assert [
            item.what for item in inventory.differences(inventory.needed_files(tx), spool)
        ] == []
        assert tx.scalar(select(func.count()).select_from(tables.Instance)) == 1
    assert removal.waiting(database) == 0


def test_a_study_in_work_is_purged_by_force_only(database: Database, marked: int) -> None:
    store(database, received(3, **MARKED | {"sop_instance_uid": "1.2.77777.1.2"}))
    with pytest.raises(StudyBusyError, match="not complete"):
        do_purge(database, marked)
    complete(database, 500, study_id=marked)
    with pytest.raises(StudyBusyError, match="job"):
        do_purge(database, marked)
    held = [job for job in claim(database, 501) if job.study_id == marked]
    assert do_purge(database, marked, force=True).instances == 2
    assert held


def test_a_number_is_never_given_twice(database: Database, marked: int) -> None:
    """Else the audit of the purged study would seem to be the next one's."""
    do_purge(database, marked)
    store(database, received(9, study_instance_uid="1.2.10"))
    with database.read() as tx:
        assert ordered.study_id_of(tx, "1.2.10") == marked + 1


def test_the_study_may_come_again_as_a_new_one(database: Database, marked: int) -> None:
    do_purge(database, marked)
    assert store(database, received(2, **MARKED)).value == "stored"


def test_a_patients_studies_are_found(database: Database, marked: int) -> None:
    with database.read() as tx:
        assert list(purge.studies_of(tx, "MARKED-ID")) == [marked]
        assert ordered.study_id_of(tx, "2") == ordered.study_id_of(tx, "1.2.77777") == marked
        with pytest.raises(NotFoundError):
            ordered.study_id_of(tx, "1.2.3.4")


def test_every_row_that_points_at_the_study_goes_by_whatever_table(
    database: Database, marked: int
) -> None:
    """Tables of other rooms are found by their links."""
    with database.write() as tx:
        tx.execute(
            insert(tables.Base.metadata.tables["rejection_note"]).values(
                instance_id=2, code="113001", ignored_because="", recorded_at=LATER
            )
        )
    do_purge(database, marked)
    with database.read() as tx:
        table = tables.Base.metadata.tables["rejection_note"]
        assert tx.scalar(select(func.count()).select_from(table)) == 0


def test_nothing_is_left_in_the_file_of_an_embedded_database(
    database: Database, marked: int, tmp_path: Path
) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL overwrites by VACUUM, which is the server's to run")
    do_purge(database, marked)
    assert purge.forget_deleted(database)
    left = b"".join(path.read_bytes() for path in tmp_path.glob("echonode.db*"))
    assert b"Marked^Name" not in left
    assert b"1.2.77777.1\x00" not in left


def test_files_without_rows_and_rows_without_files_are_told(
    database: Database, spool: Spool
) -> None:
    open_association(database)
    gone, there = spool.put(b"gone").digest, spool.put(b"there").digest
    store(database, received(1, digest=gone))
    store(database, received(2, digest=there))
    stray = spool.put(b"stray").digest
    spool.path(gone).unlink()
    with database.read() as tx:
        found = set(inventory.differences(inventory.needed_files(tx), spool))
        assert inventory.study_of_file(tx, gone) == 1
    assert found == {(gone, "no file"), (stray, "no row")}
    assert inventory.clear_left_behind(database, spool, NOON - timedelta(days=99999)) == 0
    assert inventory.clear_left_behind(database, spool, NOON) == 1
    assert removal.remove_queued(database, spool, NOON).files == 1
    assert not spool.exists(stray)
    assert spool.exists(there)
