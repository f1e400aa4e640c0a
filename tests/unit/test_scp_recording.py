"""Instances that are ready at the same time are committed together, and fail alone."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dicom_node.intake.recording import Recorder
from storage.database.owner import this_process
from storage.database.transactions import Database, Transaction
from storage.errors import DatabaseUnavailableError, StorageError, StorageFullError
from storage.files.spool import Settling, SpoolFile
from storage.intake.received import Receipt, Received
from storage.migrations.upgrading import upgrade
from storage.reading.study_list import list_studies
from storage.studies.associations import Association, open_association
from storage.tables import AssociationStudy
from tests.peers import wait_until

TWELVE_LEAD, ECHO = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.3.1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class CountingDatabase(Database):
    """Counts commits; `gate` holds them up, `is_gone` refuses them."""

    commits = 0
    is_gone = False
    gate = threading.Event()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        self.gate.wait(10)
        if self.is_gone:
            raise DatabaseUnavailableError("the server is gone")
        with super().write() as tx:
            yield tx
        self.commits += 1


@pytest.fixture
def database(tmp_path: Path) -> Iterator[CountingDatabase]:
    opened = CountingDatabase(f"sqlite:///{tmp_path / 'node.db'}")
    opened.gate.set()
    upgrade(opened)
    with opened.write() as tx:
        open_association(
            tx,
            Association(
                association_id="here",
                peer="cart",
                calling_aet="CART",
                called_aet="ECHONODE",
                address="127.0.0.1",
                owner=this_process(),
                opened_at=NOW,
            ),
        )
    opened.commits = 0
    yield opened
    opened.close()


def durable() -> Settling:
    """A file that has become durable."""
    done: Future[None] = Future()
    done.set_result(None)
    return Settling(SpoolFile("0" * 64, 1), done)


def received(number: int, association_id: str = "here") -> Received:
    return Received(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.7",
        sop_instance_uid=f"1.2.3.{number}",
        study_instance_uid=f"1.2.{number % 3 + 1}",
        series_instance_uid="1.2.9",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        patient_id="4711",
        patient_name="",
        accession_number="",
        study_date="",
        modality="US",
        instance_number="1",
        digest=f"{number:064x}",
        size_bytes=1,
        association_id=association_id,
        peer="cart",
        received_at=NOW,
        quiet_s=60,
    )


def record_at_once(
    recorder: Recorder, database: CountingDatabase, items: list[Received]
) -> list[Receipt | Exception]:
    """Record each in a thread of its own; all wait while the first is held in its commit."""
    outcomes: dict[int, Receipt | Exception] = {}

    def record(number: int) -> None:
        try:
            outcomes[number] = recorder.record(items[number], durable())
        except StorageError as error:
            outcomes[number] = error

    database.gate.clear()
    threads = [threading.Thread(target=record, args=(number,)) for number in range(len(items))]
    threads[0].start()
    wait_until(lambda: not recorder._waiting and recorder._committing.locked())
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: len(recorder._waiting) == len(items) - 1)
    database.gate.set()
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in range(len(items))]


def test_a_lone_instance_is_committed_at_once(database: CountingDatabase) -> None:
    assert Recorder(database, ("one",)).record(received(1), durable()) is Receipt.STORED
    assert database.commits == 1


def test_what_needs_less_quiet_than_its_peer_does_not_wait_for_it(
    database: CountingDatabase,
) -> None:
    recorder = Recorder(database, ("echo_haemodynamics", "ecg_ph"))
    for number, (sop_class_uid, quiet_s) in enumerate(
        [(TWELVE_LEAD, 60.0), (TWELVE_LEAD, 1.0), (ECHO, 60.0)]
    ):
        sent = replace(received(number), sop_class_uid=sop_class_uid, quiet_s=quiet_s)
        recorder.record(sent, durable())
    with database.read() as tx:
        found = tx.execute(
            select(AssociationStudy.quiet_s).order_by(AssociationStudy.study_id)
        ).scalars()
        assert list(found) == [3.0, 1.0, 60.0]


def test_those_that_wait_share_one_commit(database: CountingDatabase) -> None:
    recorder = Recorder(database, ("one",))
    outcomes = record_at_once(recorder, database, [received(number) for number in range(12)])
    assert outcomes == [Receipt.STORED] * 12
    assert database.commits == 2
    with database.read() as tx:
        assert sum(study.instances for study in list_studies(tx, limit=10)) == 12


def test_one_that_cannot_be_recorded_takes_no_other_along(database: CountingDatabase) -> None:
    recorder = Recorder(database, ("one",))
    items = [received(number) for number in range(5)]
    items[3] = received(3, association_id="never opened")
    outcomes = record_at_once(recorder, database, items)
    assert [isinstance(outcome, StorageError) for outcome in outcomes] == [False] * 3 + [
        True,
        False,
    ]
    with database.read() as tx:
        assert sum(study.instances for study in list_studies(tx, limit=10)) == 4


def test_the_same_instance_twice_in_one_commit_is_stored_once(database: CountingDatabase) -> None:
    recorder = Recorder(database, ("one",))
    outcomes = record_at_once(recorder, database, [received(0), received(7), received(7)])
    assert sorted(map(str, outcomes)) == ["duplicate", "stored", "stored"]


def test_without_the_database_all_hear_so_and_later_ones_are_taken(
    database: CountingDatabase,
) -> None:
    recorder = Recorder(database, ("one",))
    database.is_gone = True
    outcomes = record_at_once(recorder, database, [received(number) for number in range(4)])
    assert all(isinstance(outcome, DatabaseUnavailableError) for outcome in outcomes)
    database.is_gone = False
    assert recorder.record(received(1), durable()) is Receipt.STORED


def test_nothing_is_committed_before_its_file_is_durable(database: CountingDatabase) -> None:
    settling = Settling(SpoolFile("0" * 64, 1), Future())
    recorder = Recorder(database, ("one",))
    recording = threading.Thread(target=recorder.record, args=(received(1), settling))
    recording.start()
    recording.join(0.2)
    assert recording.is_alive()
    assert database.commits == 0
    settling.done.set_result(None)
    recording.join(10)
    assert database.commits == 1


def test_a_file_that_never_became_durable_is_not_recorded(database: CountingDatabase) -> None:
    settling = Settling(SpoolFile("0" * 64, 1), Future())
    settling.done.set_exception(StorageFullError("spool: No space left on device"))
    with pytest.raises(StorageFullError):
        Recorder(database, ("one",)).record(received(1), settling)
    with database.read() as tx:
        assert list_studies(tx) == []
