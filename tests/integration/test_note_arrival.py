"""Rejection notes are read as they arrive, whatever way they come, before they are answered."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import func, select

from dicom_node.intake.file_meta import file_meta
from dicom_node.intake.keeping import Arrived
from dicom_node.intake.note_keeping import read_waiting_notes
from storage import tables
from storage.audit.trail import Action
from storage.corrections import rejections
from storage.work import jobs
from tests.fetching import Fetcher, dataset_of
from tests.objects import SECONDARY_CAPTURE, write_object
from tests.rejection_notes import encoded, note
from tests.scp_listening import Node, listening, parts, peer, send

ARCHIVE = peer("ARCHIVE", may=frozenset({"store", "reject"}))
STUDY = "1.2.9"


@pytest.fixture
def rejected(tmp_path: Path) -> Dataset:
    file = write_object(tmp_path / "image.dcm", SECONDARY_CAPTURE, study_instance_uid=STUDY)
    return dcmread(file)


@pytest.fixture
def note_file(tmp_path: Path, rejected: Dataset) -> Path:
    file = tmp_path / "note.dcm"
    file.write_bytes(encoded(note("113001", [rejected])))
    return file


def taken_back(node: Node) -> list[str]:
    with node.database.read() as tx:
        return list(rejections.rejected_in(tx, 1))


def count_jobs(node: Node) -> int | None:
    with node.database.read() as tx:
        return tx.scalar(select(func.count()).select_from(tables.Job))


def test_by_c_store_from_who_may_reject(tmp_path: Path, rejected: Dataset, note_file: Path) -> None:
    with listening(tmp_path, ARCHIVE) as node:
        assert send(node.port, parts(note_file), calling="ARCHIVE") == [0]
        assert taken_back(node) == [rejected.SOPInstanceUID]
        assert [event.peer for event in node.events(Action.REJECTION_NOTE_APPLIED)] == ["archive"]
        assert count_jobs(node) == 0


def test_by_c_store_from_who_may_not(tmp_path: Path, note_file: Path) -> None:
    with listening(tmp_path) as node:
        assert send(node.port, parts(note_file)) == [0]
        assert taken_back(node) == []
        [event] = node.events(Action.REJECTION_NOTE_IGNORED)
        assert event.detail["reason"] == "its sender may not reject"


def test_a_note_that_is_sent_twice_has_its_effect_once(tmp_path: Path, note_file: Path) -> None:
    with listening(tmp_path, ARCHIVE) as node:
        assert send(node.port, *[parts(note_file)] * 2, calling="ARCHIVE") == [0, 0]
        assert len(node.events(Action.REJECTION_NOTE_APPLIED)) == 1


@pytest.mark.parametrize("may_reject", [True, False])
def test_fetched_from_an_archive(tmp_path: Path, note_file: Path, may_reject: bool) -> None:
    with listening(tmp_path) as node:
        fetcher, sent = Fetcher(node), dcmread(note_file)
        classes, uid = str(sent.SOPClassUID), str(sent.SOPInstanceUID)
        syntax = str(sent.file_meta.TransferSyntaxUID)
        head = file_meta(classes, uid, syntax)
        carrier = replace(fetcher.carrier, may_reject=may_reject)
        with carrier.bringing(lambda: 0) as origin, node.spool.incoming() as file:
            file.write(head + dataset_of(note_file))
            arrived = Arrived(
                file=file,
                offset=len(head),
                sop_class_uid=classes,
                sop_instance_uid=uid,
                transfer_syntax_uid=syntax,
            )
            fetcher.keeper.keep(arrived, origin)
        assert bool(taken_back(node)) is may_reject


def test_one_that_an_older_version_left_to_a_job_is_read_when_the_worker_starts(
    tmp_path: Path, rejected: Dataset, note_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path, ARCHIVE) as node:
        monkeypatch.setattr("dicom_node.intake.keeping.note_in", lambda *_, **__: None)
        assert send(node.port, parts(note_file), calling="ARCHIVE") == [0]
        [study] = node.studies()
        with node.database.write() as tx:
            [instance] = study.instances
            jobs.queue_prepare(tx, 1, instance.instance_id, instance.received_at, ["any"])
        for _ in range(2):
            read_waiting_notes(node.database, node.spool, {"archive"}, [])
        assert taken_back(node) == [rejected.SOPInstanceUID]
        assert len(node.events(Action.REJECTION_NOTE_APPLIED)) == 1
