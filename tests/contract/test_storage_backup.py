"""A backup is one state with every file it needs, and comes back whole or not at all."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from storage.database.transactions import Database
from storage.delivery import outbox
from storage.errors import BackupError
from storage.files.spool import Spool
from storage.keeping import backup, inventory, removal
from storage.migrations import upgrading
from tests import postgresql
from tests.contract.storing import (
    LEASE_S,
    ME,
    NOON,
    after,
    complete,
    open_association,
    received,
    record_report,
    report,
    result_object,
    store,
)
from tests.peers import require

CONTENTS = [b"first", b"second", b"third"]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def filled(database: Database, spool: Spool) -> Database:
    """A node that received three instances."""
    if database.dialect == "postgresql":
        require("pg_dump")
    open_association(database)
    for number, content in enumerate(CONTENTS, 1):
        store(database, received(number, digest=spool.put(content).digest))
    return database


@pytest.fixture
def elsewhere(
    database: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], tuple[str, Spool]]:
    """Makes empty places to restore to: the URL of a database, and a spool."""

    def place(name: str) -> tuple[str, Spool]:
        spool = Spool(tmp_path / name / "spool")
        if database.dialect == "sqlite":
            return f"sqlite:///{tmp_path / name / 'state' / 'node.db'}", spool
        return postgresql.create(request.getfixturevalue("postgresql_server")), spool

    return place


def needed(url: str) -> list[str]:
    database = Database(url)
    try:
        upgrading.require_current(database)
        with database.read() as tx:
            return list(inventory.needed_files(tx))
    finally:
        database.close()


def test_what_was_backed_up_comes_back(
    filled: Database, spool: Spool, tmp_path: Path, elsewhere: Callable[[str], tuple[str, Spool]]
) -> None:
    made = backup.make_backup(filled, spool, tmp_path / "backup", NOON)
    assert (made.count, made.missing) == (3, ())
    url, restored = elsewhere("new")
    backup.restore_backup(tmp_path / "backup", url, restored)
    assert needed(url) == list(restored.digests()) == list(spool.digests())
    for digest in restored.digests():
        restored.verify(digest)


def test_a_second_backup_brings_what_is_new_and_drops_what_is_gone(
    filled: Database, spool: Spool, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    backup.make_backup(filled, spool, folder, NOON)
    kept = Spool(folder)
    first = next(kept.digests())
    inode = kept.path(first).stat().st_ino
    stray = kept.put(b"of a study that was purged since").digest
    store(filled, received(4, digest=spool.put(b"fourth").digest))
    made = backup.make_backup(filled, spool, folder, after(1))
    assert made.count == 4
    assert kept.path(first).stat().st_ino == inode, "copied once"
    assert not kept.exists(stray)
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == sorted(
        [made.database, made.files, "backup.json", "spool.id"]
    )


def test_a_backup_that_is_cut_off_leaves_the_one_before(
    filled: Database,
    spool: Spool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: Callable[[str], tuple[str, Spool]],
) -> None:
    folder = tmp_path / "backup"
    backup.make_backup(filled, spool, folder, NOON)
    with monkeypatch.context() as broken:
        broken.setattr(os, "sync", _killed)
        with pytest.raises(KeyboardInterrupt):
            backup.make_backup(filled, spool, folder, after(1))
    url, restored = elsewhere("new")
    assert backup.restore_backup(folder, url, restored).made_at == NOON.isoformat()


def _killed() -> None:
    raise KeyboardInterrupt


def test_no_file_leaves_while_a_backup_runs(
    filled: Database, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def watched(*_: object) -> None:
        with removal.holding(spool) as ours:
            held.append(not ours)

    monkeypatch.setattr(backup, "_copy_files", watched)
    backup.make_backup(filled, spool, tmp_path / "backup", NOON)
    assert held == [True]


def test_a_file_that_is_damaged_already_is_named(
    filled: Database, spool: Spool, tmp_path: Path, elsewhere: Callable[[str], tuple[str, Spool]]
) -> None:
    gone, rotten, _ = spool.digests()
    spool.path(gone).unlink()
    spool.path(rotten).write_bytes(b"other")
    made = backup.make_backup(filled, spool, tmp_path / "backup", NOON)
    assert set(made.missing) == {gone, rotten}
    url, restored = elsewhere("new")
    backup.restore_backup(tmp_path / "backup", url, restored)
    assert len(needed(url)) == 3


def test_only_an_empty_place_takes_a_backup(
    filled: Database, spool: Spool, tmp_path: Path, elsewhere: Callable[[str], tuple[str, Spool]]
) -> None:
    folder = tmp_path / "backup"
    backup.make_backup(filled, spool, folder, NOON)
    url, empty = elsewhere("new")
    with pytest.raises(BackupError, match="spool is not empty"):
        backup.restore_backup(folder, url, spool)
    here = filled.url.render_as_string(hide_password=False)
    with pytest.raises(BackupError, match="there is a database"):
        backup.restore_backup(folder, here, empty)


def _lose_a_file(folder: Path) -> None:
    kept = Spool(folder)
    kept.path(next(kept.digests())).unlink()


def _damage_a_file(folder: Path) -> None:
    kept = Spool(folder)
    kept.path(next(kept.digests())).write_bytes(b"first bytes of another file")


def _damage_the_database(folder: Path) -> None:
    with next(folder.glob("database-*")).open("r+b") as file:
        file.seek(100)
        file.write(b"\xff")


def _lose_the_manifest(folder: Path) -> None:
    (folder / "backup.json").unlink()


@pytest.mark.parametrize(
    "harm", [_lose_a_file, _damage_a_file, _damage_the_database, _lose_the_manifest]
)
def test_a_damaged_backup_is_refused_before_there_is_a_database(
    filled: Database,
    spool: Spool,
    tmp_path: Path,
    harm: Callable[[Path], None],
    elsewhere: Callable[[str], tuple[str, Spool]],
) -> None:
    folder = tmp_path / "backup"
    backup.make_backup(filled, spool, folder, NOON)
    harm(folder)
    url, restored = elsewhere("new")
    with pytest.raises(BackupError, match=r"missing or damaged|not a backup, or an incomplete one"):
        backup.restore_backup(folder, url, restored)
    if filled.dialect == "sqlite":
        assert not (tmp_path / "new" / "state").exists()
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as admin:
            count = admin.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            assert count.fetchone() == (0,)


def test_without_the_databases_own_tool_it_says_what_to_install(
    filled: Database, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if filled.dialect == "sqlite":
        return
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BackupError, match="postgresql-client"):
        backup.make_backup(filled, spool, tmp_path / "backup", NOON)


def test_a_restored_node_sends_what_waited_with_the_same_bytes_and_nothing_twice(
    filled: Database, spool: Spool, tmp_path: Path, elsewhere: Callable[[str], tuple[str, Spool]]
) -> None:
    complete(filled, 100)
    made = [
        replace(result_object(kind), digest=spool.put(kind.encode()).digest)
        for kind in ("SR", "SC")
    ]
    report_id = record_report(filled, report(objects=tuple(made)))
    for kind in ("SR", "SC"):
        with filled.write() as tx:
            outbox.enqueue(
                tx, report_id, kind=kind, destination="pacs", now=after(1), expires_at=after(999)
            )
    with filled.write() as tx:
        [sent] = outbox.claim(tx, destination="pacs", owner=ME, now=after(2), lease_s=LEASE_S)
        outbox.mark_sent(tx, sent, at=after(3), sop_instance_uid="2.25.1", status=0)
    backup.make_backup(filled, spool, tmp_path / "backup", NOON)
    url, restored = elsewhere("new")
    backup.restore_backup(tmp_path / "backup", url, restored)
    database = Database(url)
    with database.write() as tx:
        waiting = outbox.claim(
            tx, destination="pacs", owner=ME, now=after(4), lease_s=LEASE_S, limit=9
        )
    [delivery] = waiting
    assert delivery.kind == "SC"
    assert delivery.alternatives == (made[1],)
    restored.verify(made[1].digest)
    database.close()


PASSWORD = "p@ss:w/rd % &'*"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[str]:
    """A PostgreSQL that asks for a password."""
    require("pg_dump")
    with postgresql.server(password=PASSWORD, fsync="off") as server:
        yield server


@pytest.mark.parametrize("place", ["before the host", "in the query"])
def test_a_database_with_a_password_is_backed_up_and_restored(
    guarded_server: str, spool: Spool, tmp_path: Path, place: str
) -> None:
    def url() -> str:
        made = postgresql.create(guarded_server, password=PASSWORD)
        secret = quote(PASSWORD, safe="")
        return made if "host" in place else made.replace(f":{secret}@", "@") + f"?password={secret}"

    source, target = url(), url()
    database = Database(source)
    upgrading.upgrade(database)
    open_association(database)
    store(database, received(digest=spool.put(b"an echo").digest))
    backup.make_backup(database, spool, tmp_path / "backup", NOON)
    database.close()
    backup.restore_backup(tmp_path / "backup", target, Spool(tmp_path / "new"))
    restored = Database(target)
    with restored.read() as tx:
        assert len(list(inventory.needed_files(tx))) == 1
    restored.close()


def test_the_password_is_never_an_argument(
    monkeypatch: pytest.MonkeyPatch, spool: Spool, tmp_path: Path, guarded_server: str
) -> None:
    ran: list[list[str]] = []
    run = subprocess.run

    def seen(command: list[str], **how: Any) -> Any:
        ran.append(command)
        return run(command, **how)

    monkeypatch.setattr(subprocess, "run", seen)
    database = Database(postgresql.create(guarded_server, password=PASSWORD))
    upgrading.upgrade(database)
    ran.clear()
    backup.make_backup(database, spool, tmp_path / "backup", NOON)
    database.close()
    [command] = ran
    assert not any("p@ss" in word or "p%40ss" in word or "***" in word for word in command)
