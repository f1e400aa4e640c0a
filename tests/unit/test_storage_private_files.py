"""What the node writes is its own user's alone, whatever the umask; what is open is found."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE
from tempfile import TemporaryDirectory

import pytest

from dicom_node import app
from dicom_node.operations.health import security
from dicom_node.settings.file import read_settings
from storage.files.folders import open_to_others
from storage.files.spool import Spool
from storage.keeping import removal
from storage.keeping.backup import make_backup, restore_backup
from tests.contract.storing import NOON


@pytest.fixture(autouse=True)
def _careless_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> set[tuple[str, int]]:
    """Kind and mode of all that lies in a folder, and of the folder."""
    return {
        ("folder" if path.is_dir() else "file", S_IMODE(path.stat().st_mode))
        for path in (folder, *folder.rglob("*"))
    }


PRIVATE = {("folder", 0o700), ("file", 0o600)}


def settings(folder: Path, more: str = "") -> Path:
    file = folder / "node.toml"
    file.write_text(f'[node]\nstate_dir = "state"\n[storage]\nlow_water_bytes = 0\n{more}')
    return file


@pytest.mark.parametrize(
    "own_folder", [False, True], ids=["in state_dir", "a spool_dir of its own"]
)
def test_the_spool_and_the_database_are_closed_to_other_users(
    tmp_path: Path, own_folder: bool
) -> None:
    given = read_settings(settings(tmp_path, 'spool_dir = "files"\n' if own_folder else ""), {})
    with app.open_database(given).write():
        pass
    spool = Spool(given.spool_dir)
    spool.put(b"an echo")
    with spool.incoming() as file:
        file.write(b"half")
        with removal.holding(spool):  # whoever may open its lock may hold it for ever
            assert modes(given.spool_dir) == PRIVATE
    assert modes(given.node.state_dir) == PRIVATE
    assert list(security.open_files(given)) == []


def test_a_spool_in_a_folder_that_an_administrator_made_is_closed_below_it(tmp_path: Path) -> None:
    root = tmp_path / "files"
    root.mkdir(0o755)
    Spool(root).put(b"an echo")
    for name in ("objects", "incoming"):
        assert modes(root / name) <= PRIVATE


def test_a_backup_and_what_is_restored_from_it_are_closed_too(tmp_path: Path) -> None:
    given = read_settings(settings(tmp_path), {})
    spool = Spool(given.spool_dir)
    spool.put(b"an echo")
    folder = tmp_path / "backup"
    folder.mkdir(0o755)
    make_backup(app.open_database(given), spool, folder, NOON)
    for dump in folder.glob("database-*"):
        assert S_IMODE(dump.stat().st_mode) == 0o600
    new = tmp_path / "new"
    restore_backup(folder, f"sqlite:///{new / 'state' / 'node.db'}", Spool(new / "spool"))
    assert S_IMODE((new / "state" / "node.db").stat().st_mode) == 0o600


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_doctor_names_what_every_user_may_read(public_folder: Path) -> None:
    """As an earlier version made it, in folders that everybody may enter."""
    given = read_settings(settings(public_folder), {})
    app.open_database(given).close()
    Spool(given.spool_dir)
    for path in (given.node.state_dir, given.spool_dir, given.spool_dir / "objects"):
        path.chmod(0o755)
    (given.node.state_dir / "node.db").chmod(0o644)
    objects, database = given.spool_dir / "objects", given.node.state_dir / "node.db"
    assert list(security.open_files(given)) == [
        f"every user of this machine may read {objects}: chmod o= {objects}",
        f"every user of this machine may read {database}: chmod o= {database}",
    ]
    given.node.state_dir.chmod(0o700)
    assert list(security.open_files(given)) == []


def test_what_is_not_there_is_not_open(tmp_path: Path) -> None:
    assert list(open_to_others([tmp_path / "none"])) == []


def test_opening_the_database_again_gives_up_no_lock_of_it(tmp_path: Path) -> None:
    given = read_settings(settings(tmp_path), {})
    first = app.open_database(given)
    with first.write() as tx:
        tx.exec_driver_sql("PRAGMA user_version = 1")
        app.open_database(given, must_be_current=False).close()
        code = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0); "
            "c.execute('BEGIN IMMEDIATE')"
        )
        other = [sys.executable, "-c", code, str(given.node.state_dir / "node.db")]
        done = subprocess.run(other, capture_output=True, text=True, check=False)
        assert "database is locked" in done.stderr
    first.close()
