"""Transactions, migrations and the errors of either database."""

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from storage.audit import trail
from storage.audit.trail import Action
from storage.database import transactions
from storage.database.transactions import Database
from storage.errors import (
    DatabaseUnavailableError,
    SchemaMismatchError,
    StorageError,
    StorageFullError,
)
from storage.intake.instances import record_instance
from storage.intake.received import Receipt
from storage.migrations import upgrading
from storage.reading.browse import show_study
from storage.tables import Base
from tests.contract.storing import NOON, open_association, received, store, store_study


def echoes(database: Database) -> int:
    with database.read() as tx:
        return len(trail.search(tx, action=Action.ECHO))


def echo(tx: transactions.Transaction) -> None:
    trail.record(tx, trail.Event(action=Action.ECHO, at=NOON))


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = Database(empty_url, busy_timeout_s=20)
    yield database
    database.close()


# Migrations


def test_an_empty_database_says_what_to_do(empty: Database) -> None:
    assert upgrading.check(empty).current is None
    with pytest.raises(SchemaMismatchError, match="echonode db upgrade"):
        upgrading.require_current(empty)
    with pytest.raises(SchemaMismatchError, match="echonode db upgrade"):
        echoes(empty)


def test_an_upgrade_is_audited_and_once_is_enough(empty: Database) -> None:
    upgrading.upgrade(empty)
    upgrading.upgrade(empty)
    upgrading.require_current(empty)
    state = upgrading.check(empty)
    assert state.current == state.head
    with empty.read() as tx:
        [event] = trail.search(tx)
    assert event.action is Action.SCHEMA_UPGRADED
    assert event.detail == {"from": None, "to": state.head}


def test_the_migrations_make_the_tables_that_the_program_knows(empty: Database) -> None:
    upgrading.upgrade(empty)
    with empty.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_check_the_same_words(empty: Database) -> None:
    upgrading.upgrade(empty)
    with empty.read() as tx:
        inspector = sa.inspect(tx)
        for name, table in Base.metadata.tables.items():
            made = {check["name"] for check in inspector.get_check_constraints(name)}
            known = {
                f"ck_{name}_{column.name}"
                for column in table.columns
                if isinstance(column.type, sa.Enum)
            }
            assert made == known, name


def test_a_state_that_nobody_knows_is_refused(database: Database) -> None:
    store_study(database)
    with pytest.raises(StorageError), database.write() as tx:
        tx.execute(sa.text("UPDATE study SET state = 'lost'"))


def test_every_table_and_column_says_what_it_is(database: Database) -> None:
    with database.read() as tx:
        if database.dialect == "postgresql":
            inspector = sa.inspect(tx)
            for name in Base.metadata.tables:
                assert inspector.get_table_comment(name)["text"]
                assert all(column["comment"] for column in inspector.get_columns(name))
        else:
            for name, table in Base.metadata.tables.items():
                text = tx.scalar(sa.text(f"SELECT sql FROM sqlite_master WHERE name = '{name}'"))
                assert all(f"/* {column.comment} */" in text for column in table.columns)


def test_a_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    with database.write() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = 'from the future'"))
    try:
        with pytest.raises(SchemaMismatchError, match="cannot upgrade"):
            upgrading.upgrade(database)
        with pytest.raises(SchemaMismatchError, match="from the future"):
            upgrading.require_current(database)
    finally:
        with database.write() as tx:
            tx.execute(
                sa.text(
                    f"UPDATE alembic_version SET version_num = '{upgrading.check(database).head}'"
                )
            )


def _upgrade(url: str, barrier: multiprocessing.Barrier) -> None:  # type: ignore[valid-type]
    barrier.wait()
    database = Database(url)
    upgrading.upgrade(database)
    database.close()


def test_two_processes_that_upgrade_at_once_both_succeed(empty: Database, empty_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3, timeout=20)
    processes = [context.Process(target=_upgrade, args=(empty_url, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    upgrading.require_current(empty)


# Transactions


def test_a_block_that_fails_writes_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as tx:
        echo(tx)
        raise RuntimeError
    assert echoes(database) == 0


def test_reading_changes_nothing(database: Database) -> None:
    store_study(database)
    with suppress(StorageError), database.read() as tx:  # PostgreSQL refuses, SQLite forgets
        echo(tx)
    assert echoes(database) == 0


def test_a_reader_sees_one_state_and_holds_up_no_writer(database: Database) -> None:
    with database.read() as reading:
        assert len(trail.search(reading, action=Action.ECHO)) == 0
        with database.write() as tx:
            echo(tx)
        assert len(trail.search(reading, action=Action.ECHO)) == 0
    assert echoes(database) == 1


def test_many_threads_write_and_read_at_once(database: Database) -> None:
    def use() -> None:
        for _ in range(5):
            with database.write() as tx:
                echo(tx)
            echoes(database)

    threads = [threading.Thread(target=use) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert echoes(database) == 100


def test_sqlite_syncs_every_commit(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "echonode.db")
    database = Database(f"sqlite:///{tmp_path / 'echonode.db'}")
    with database.read() as tx:
        pragmas = [
            tx.scalar(sa.text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    database.close()
    assert pragmas == ["wal", 2, 1]


# Errors


def test_a_locked_database_is_unavailable_and_nothing_is_written(url: str) -> None:
    database = Database(url, busy_timeout_s=0.2)
    open_association(database)
    with _lock(url), pytest.raises(DatabaseUnavailableError):
        store(database, received())
    assert store(database, received()) is Receipt.STORED
    database.close()


@contextmanager
def _lock(url: str) -> Iterator[None]:
    """Hold, from outside, a lock that every writer needs."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as held:
            held.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as held:
            held.execute("LOCK TABLE study IN ACCESS EXCLUSIVE MODE")
            yield


def test_threads_that_wait_too_long_for_their_turn_are_told(url: str) -> None:
    database = Database(url, busy_timeout_s=0.2)
    open_association(database)
    with database.write() as tx:
        record_instance(tx, received(), [])
        with pytest.raises(DatabaseUnavailableError):
            store_in_thread(database)
    database.close()


def store_in_thread(database: Database) -> None:
    caught: list[Exception] = []

    def run() -> None:
        try:
            store(database, received())
        except StorageError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


def test_a_server_that_went_away_is_unavailable_and_welcome_back(
    postgresql_url: str, restart_postgresql: Callable[[], None]
) -> None:
    database = Database(postgresql_url)
    before = echoes(database)
    with pytest.raises(DatabaseUnavailableError), database.write() as tx:
        echo(tx)
        restart_postgresql()
        echo(tx)
    with database.write() as tx:
        echo(tx)
    assert echoes(database) == before + 1
    database.close()


def test_no_server_at_all_is_unavailable() -> None:
    database = Database("postgresql+psycopg://postgres@127.0.0.1:1/echonode")
    with pytest.raises(DatabaseUnavailableError):
        upgrading.check(database)


def test_no_folder_for_the_file_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'echonode.db'}")
    with pytest.raises(DatabaseUnavailableError):
        upgrading.check(database)


def test_no_error_repeats_what_a_row_holds(database: Database) -> None:
    open_association(database)
    with pytest.raises(StorageError) as caught:
        open_association(database)
    assert "a1" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "association" in str(caught.value)


def test_a_full_disk_is_told_from_a_locked_database(
    sqlite_template: Path, small_disk: Path
) -> None:
    shutil.copy(sqlite_template, small_disk / "echonode.db")
    database = Database(f"sqlite:///{small_disk / 'echonode.db'}")
    open_association(database)
    with pytest.raises(StorageFullError):
        for number in range(5000):
            store(database, received(number, patient_name="x" * 2000))
    (small_disk / "ballast").unlink()
    number = stored(database)
    assert number > 0
    assert store(database, received(9999, at_s=1)) is Receipt.STORED
    assert stored(database) == number + 1
    database.close()


def stored(database: Database) -> int:
    with database.read() as tx:
        return show_study(tx, "1.2.9").summary.instances


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB, of which the file `ballast` takes one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("no small disk can be mounted here")
    (disk / "ballast").write_bytes(bytes(1 << 20))
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
