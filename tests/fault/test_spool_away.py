"""The spool is away for a moment, or a file, memory: nothing is concluded from that, and it heals.

A volume that is not mounted is an empty folder in the spool's place; `filled` where an earlier
program has made its folders there.
"""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dicom_node import app
from dicom_node.retry_decision import LIES_IN_THE_INSTANCE
from dicom_node.settings.file import read_settings
from storage.alarms import about_work
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.errors import SpoolAwayError
from storage.files.spool import Spool
from storage.keeping import removal, retention
from storage.keeping.retention import Rules
from storage.states import Outcome
from storage.studies import preparing
from tests.contract.storing import open_association, received, store
from tests.peers import wait_until
from tests.scp_listening import item, listening, send
from tests.work_bench import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("dicom_node.retry_decision._FIRST_RETRY_S", 0.05)
    monkeypatch.setattr("dicom_node.retry_decision._LONGEST_RETRY_S", 0.1)
    made = Bench(tmp_path, maximum_attempts=2)
    yield made
    made.database.close()


class Volume:
    """The volume that a spool lies on."""

    def __init__(self, root: Path, *, filled: bool = False) -> None:
        self._root = root
        self._elsewhere = root.with_name("volume")
        self._filled = filled

    def unmount(self) -> None:
        self._root.rename(self._elsewhere)
        self._root.mkdir()
        if self._filled:
            for name in ("incoming", "objects", *(f"objects/{n:02x}" for n in range(256))):
                (self._root / name).mkdir()

    def mount(self) -> None:
        """Mount it again; what was written in its place meanwhile is what tests look for."""
        written = [file for file in self._root.rglob("*") if file.is_file()]
        assert written == [], "nothing is written where the spool should be"
        shutil.rmtree(self._root)
        self._elsewhere.rename(self._root)


@contextmanager
def running(bench: Bench) -> Iterator[None]:
    thread = threading.Thread(target=bench.engine.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        bench.engine.stop()
        thread.join(20)
    assert not thread.is_alive()


def count(bench: Bench, action: Action) -> int:
    with bench.database.read() as tx:
        return len(trail.search(tx, action=action, limit=10_000))


def loops_used(bench: Bench) -> list[int]:
    """How many instances each report left out."""
    return [report.findings_json.count("NOT_ANALYSED") for report in bench.study().reports]


@pytest.mark.parametrize("filled", [False, True])
def test_while_the_spool_is_away_a_worker_waits_and_claims_nothing(
    bench: Bench, filled: bool
) -> None:
    bench.receive(4)
    bench.complete()
    volume = Volume(bench.spool.root, filled=filled)
    volume.unmount()
    with running(bench):
        threading.Event().wait(1.5)
        assert set(bench.jobs().values()) == {("queued", 0, None)}
        assert count(bench, Action.JOB_CLAIMED) == 0
        volume.mount()
        wait_until(bench.reported, 20, "the report")
    assert set(bench.jobs().values()) == {("done", 1, None)}
    assert loops_used(bench) == [0]
    assert "could not be analysed" not in bench.study().reports[0].findings_json


def test_a_spool_that_goes_while_loops_are_analysed_costs_them_no_attempt(bench: Bench) -> None:
    volume, once = Volume(bench.spool.root), threading.Event()

    def unmount(_looks: object) -> None:
        if not once.is_set():
            once.set()
            volume.unmount()

    bench.receive(8)
    bench.complete()
    bench.pipeline.on_encode = unmount
    with running(bench):
        wait_until(once.is_set, 20, "the first batch")
        threading.Event().wait(1.5)
        volume.mount()
        wait_until(bench.reported, 20, "the report")
    assert set(bench.jobs().values()) == {("done", 1, None)}
    assert loops_used(bench) == [0]
    assert count(bench, Action.JOB_FAILED) == count(bench, Action.JOB_RETRY) == 0
    assert count(bench, Action.JOB_HANDED_BACK) <= 8, "once each"


def test_a_spool_that_goes_while_the_report_is_made_delays_it(bench: Bench) -> None:
    volume = Volume(bench.spool.root)
    bench.receive(2)
    bench.run_until(bench.all_ended)
    bench.complete()
    bench.engine = bench.new_engine()
    bench.pipeline.on_conclude = volume.unmount
    with running(bench):
        wait_until(lambda: count(bench, Action.JOB_HANDED_BACK) == 1, 20, "it is put off")
        assert bench.study().reports == ()
        bench.pipeline.on_conclude = lambda: None
        volume.mount()
        wait_until(bench.reported, 20, "the report")
    assert len(bench.study().reports) == 1
    assert bench.study().revisions[0].failures == {}


@contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, number: int, fails: Callable[[Path], bool]
) -> Iterator[None]:
    """Opening some files fails with this error."""
    open_path = Path.open

    def opened(path: Path, *arguments: Any, **named: Any) -> Any:
        if fails(path):
            raise OSError(number, os.strerror(number))
        return open_path(path, *arguments, **named)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", opened)
        yield


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_file_that_cannot_be_read_now_holds_up_the_report_for_all_to_see(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    bench.receive(3)
    bench.complete()
    bad = bench.spool.path(bench.study().instances[1].digest)
    monkeypatch.setattr("dicom_node.retry_decision._PATIENCE", 1000)
    with running(bench):
        with failing(monkeypatch, number, lambda path: path == bad):
            wait_until(lambda: bench.jobs()[2][1] >= 3, 20, "it is tried again and again")
            assert bench.study().reports == ()
            with bench.database.read() as tx:
                [alarm] = about_work.alarms(tx, LIES_IN_THE_INSTANCE, 9)
            assert (alarm.standing, alarm.message) == (
                "waits",
                "the disk could not read the stored file",
            )
        wait_until(bench.reported, 20, "the report")
    assert loops_used(bench) == [0]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EIO])
def test_a_worker_that_can_open_no_file_waits_until_it_can(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    bench.receive(3)
    bench.complete()
    with running(bench):
        with failing(monkeypatch, number, lambda path: bench.spool.root in path.parents):
            threading.Event().wait(1.0)
            assert {state for state, _, _ in bench.jobs().values()} <= {"queued", "done", "running"}
            assert bench.study().reports == ()
        wait_until(bench.reported, 20, "the report")
    assert loops_used(bench) == [0]
    assert count(bench, Action.JOB_FAILED) == 0


def test_when_memory_was_short_for_too_long_nothing_is_said_of_half_a_study_and_it_heals(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, short = bench.pipeline.look, threading.Event()
    short.set()

    def scarce(instance: Path, selected: Any) -> int:
        number = look(instance, selected)
        if number == 2 and short.is_set():
            raise MemoryError
        return number

    monkeypatch.setattr(bench.pipeline, "look", scarce)
    monkeypatch.setattr("dicom_node.retry_decision._PATIENCE", 1)
    bench.receive(3)
    bench.complete()
    bench.run_until(bench.reported)
    [report] = bench.study().reports
    assert report.outcome is Outcome.ABSTAINED
    assert "1 of the study's 3 instances could not be analysed" in report.findings_json
    short.clear()
    with bench.database.write() as tx:
        later = datetime.now(UTC) + timedelta(minutes=11)
        assert preparing.give_second_chances(tx, later, LIES_IN_THE_INSTANCE) == 1
        tx.exec_driver_sql("UPDATE job SET available_at = created_at WHERE state = 'queued'")
    bench.engine = bench.new_engine()
    with running(bench):
        wait_until(lambda: len(bench.study().reports) == 2, 20, "the whole report")
    assert "could not be analysed" not in bench.study().reports[1].findings_json


def test_a_file_that_is_lost_is_told_as_missing_and_comes_back_when_it_is_sent_again(
    bench: Bench,
) -> None:
    bench.receive(3)
    bench.complete()
    lost = bench.study().instances[0]
    path = bench.spool.path(lost.digest)
    content = path.read_bytes()
    path.unlink()
    bench.run_until(bench.reported)
    [report] = bench.study().reports
    assert "the stored file is missing or damaged" in report.findings_json
    assert "An estimate from the rest could be wrong" in report.findings_json
    bench.spool.put(content)
    open_association(bench.database, "a2")
    again = replace(received(1), digest=lost.digest, association_id="a2")
    store(bench.database, replace(again, received_at=datetime.now(UTC) - timedelta(seconds=1)))
    bench.engine = bench.new_engine()
    with running(bench):
        wait_until(lambda: len(bench.study().reports) == 2, 20, "the whole report")
    assert "could not be analysed" not in bench.study().reports[1].findings_json


def test_retention_and_removal_take_an_empty_mount_point_for_no_spool(bench: Bench) -> None:
    bench.receive(1)
    rules = Rules(timedelta(0), timedelta(0), minimum_free_bytes=1 << 62)
    volume = Volume(bench.spool.root)
    volume.unmount()
    with pytest.raises(SpoolAwayError):
        retention.retain(bench.database, bench.spool, rules, datetime.now(UTC))
    with pytest.raises(SpoolAwayError), removal.holding(bench.spool):
        pass
    volume.mount()
    assert count(bench, Action.FILES_REMOVED) == 0


@pytest.mark.parametrize("filled", [False, True])
def test_instances_are_refused_as_out_of_resources_while_the_spool_is_away(
    tmp_path: Path, filled: bool
) -> None:
    one, two = item(), item()
    with listening(tmp_path) as node:
        volume = Volume(node.spool.root, filled=filled)
        volume.unmount()
        assert send(node.port, one, two) == [0xA700, 0xA700]
        volume.mount()
        assert send(node.port, one, two) == [0, 0]
        assert len(node.spool_files()) == 2


SETTINGS = '[node]\nstate_dir = "state"\n[storage]\nspool_dir = "spool"\nlow_water_bytes = 0\n'


@contextmanager
def site(folder: Path) -> Iterator[tuple[Any, Database]]:
    (folder / "node.toml").write_text(SETTINGS)
    settings = read_settings(folder / "node.toml", {})
    database = app.open_database(settings)
    try:
        yield settings, database
    finally:
        database.close()


def test_at_start_a_spool_that_is_away_is_not_made_anew(tmp_path: Path) -> None:
    with site(tmp_path) as (settings, database):
        made = app.open_spool(settings, database)
        digest = made.put(b"file").digest
        volume = Volume(made.root)
        volume.unmount()
        for _ in range(2):
            with pytest.raises(SpoolAwayError, match="mount the spool's volume"):
                app.open_spool(settings, database)
        volume.mount()
        assert app.open_spool(settings, database).exists(digest)


def spool_of_an_earlier_version(folder: Path, database: Database) -> Spool:
    """Without a marker, and with files that the database names."""
    spool = Spool(folder / "spool")
    open_association(database)
    for number in range(4):
        digest = spool.put(f"instance {number}".encode()).digest
        store(database, received(number, digest=digest))
    (spool.root / "spool.id").unlink()
    return spool


def test_the_spool_of_an_earlier_version_is_known_by_its_files(tmp_path: Path) -> None:
    with site(tmp_path) as (settings, database):
        old = spool_of_an_earlier_version(tmp_path, database)
        volume = Volume(old.root, filled=True)
        volume.unmount()
        with pytest.raises(SpoolAwayError, match="does not hold the files that the database names"):
            app.open_spool(settings, database)
        volume.mount()
        adopted = app.open_spool(settings, database)
        assert adopted.identity == app.open_spool(settings, database).identity
        assert len(list(adopted.digests())) == 4


def test_machines_that_share_a_spool_agree_on_it_and_one_with_another_folder_is_told(
    tmp_path: Path,
) -> None:
    with site(tmp_path) as (settings, database):
        shared = app.open_spool(settings, database)
        elsewhere = settings.model_copy(
            update={
                "storage": settings.storage.model_copy(update={"spool_dir": tmp_path / "local"})
            }
        )
        with pytest.raises(SpoolAwayError, match="is not the spool"):
            app.open_spool(elsewhere, database)
        assert not (tmp_path / "local").exists()
        assert app.open_spool(settings, database).identity == shared.identity
