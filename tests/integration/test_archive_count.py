"""An archive is asked how much it has: Orthanc, dcmqrscp, and one that is away."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from dicom_node.retrieval.archive import DimseArchive
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import send_files
from dicom_node.study.archive_count import ask_archive
from storage.database.transactions import Database
from storage.studies.completeness import Evidence, evidence_of
from storage.tables import ArchiveCount
from tests.archived import ArchivedStudy, archived_study
from tests.contract.storing import open_association, received, store
from tests.dcmqrscp import dcmqrscp
from tests.orthanc import running_orthanc
from tests.peers import free_port


@contextmanager
def orthanc(folder: Path) -> Iterator[RemoteNode]:
    with running_orthanc(folder, modalities={"node": ("ECHONODE", "127.0.0.1", 9)}) as running:
        yield RemoteNode("pacs", "127.0.0.1", running.dicom_port, "ORTHANC", "ECHONODE")


@contextmanager
def qrscp(folder: Path) -> Iterator[RemoteNode]:
    with dcmqrscp(folder) as running:
        yield running.node


@pytest.fixture
def database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    shutil.copy(sqlite_template, tmp_path / "node.db")
    made = Database(f"sqlite:///{tmp_path / 'node.db'}")
    yield made
    made.close()


def keep(database: Database, study: ArchivedStudy, count: int) -> None:
    """Record the first instances of a study as received a while ago, on an open association."""
    open_association(database)
    for number, uid in enumerate(sorted(study.sop_instance_uids)[:count]):
        instance = received(
            number,
            sop_instance_uid=uid,
            study_instance_uid=study.uid,
            received_at=datetime.now(UTC) - timedelta(seconds=5),
        )
        store(database, instance)


def ask(database: Database, pacs: RemoteNode, *, answers: bool = True) -> Evidence:
    archive = DimseArchive(pacs, standstill_s=10)
    ask_archive(database, lambda: nullcontext(archive))
    with database.read() as tx:
        failures = tx.scalar(select(ArchiveCount.failures))
        evidence = evidence_of(tx, 1)
    assert evidence.archive_asked
    assert failures == (0 if answers else 1)
    return evidence


@pytest.mark.parametrize("kind", [orthanc, qrscp])
def test_an_archive_that_has_more_names_what_is_missing(
    tmp_path: Path, database: Database, kind: type
) -> None:
    study = archived_study(tmp_path / "study", 4)
    keep(database, study, 3)
    with kind(tmp_path / "pacs") as pacs:
        assert all(result.stored for result in send_files(pacs, study.files))
        evidence = ask(database, pacs)
    # dcmqrscp does not count; what it cannot tell changes nothing.
    expected = (4, 1) if kind is orthanc else (None, 0)
    assert (evidence.archive_instances, evidence.missing) == expected


def test_an_archive_that_has_as_many_is_asked_no_more(tmp_path: Path, database: Database) -> None:
    study = archived_study(tmp_path / "study", 2)
    keep(database, study, 2)
    with orthanc(tmp_path / "pacs") as pacs:
        assert all(result.stored for result in send_files(pacs, study.files))
        evidence = ask(database, pacs)
        assert ask(database, pacs) == evidence
    assert (evidence.archive_instances, evidence.missing) == (2, 0)


def test_an_archive_without_the_study_knows_nothing(tmp_path: Path, database: Database) -> None:
    keep(database, archived_study(tmp_path / "study", 1), 1)
    with orthanc(tmp_path / "pacs") as pacs:
        evidence = ask(database, pacs)
    assert evidence.archive_instances is None


def test_an_archive_that_is_away_is_left_alone_for_a_while(
    tmp_path: Path, database: Database
) -> None:
    keep(database, archived_study(tmp_path / "study", 1), 1)
    away = RemoteNode("pacs", "127.0.0.1", free_port(), "PACS", "ECHONODE")
    evidence = ask(database, away, answers=False)
    assert evidence.archive_instances is None
