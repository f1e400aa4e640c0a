"""Backup: a folder with one state of the database and every file that it needs.

First no file may leave the spool any more; then the database is copied; then the files it names.
Files first would miss what came while they were copied. The database first is enough, since a file
is durable before its row is, provided that retention takes none before its turn: hence the hold.

Files are named by content and never change, so a second backup into the same folder copies only
what is new. `backup.json` is written last, and names all that belongs together: until then the
folder holds the backup before, whole.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, func, make_url, select

from storage.database.faults import translated_disk
from storage.database.transactions import Database, Transaction
from storage.errors import BackupError
from storage.files.folders import PRIVATE_FOLDER, make_private_file
from storage.files.spool import Spool
from storage.keeping import inventory, removal
from storage.migrations import upgrading

MANIFEST = "backup.json"
_FORMAT = 1
_CHUNK_BYTES = 1 << 20
_FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds; `missing` are digests that rows name and no whole file was there for."""

    made_at: str
    dialect: str
    schema: str
    database: str
    database_sha256: str
    files: str
    files_sha256: str
    count: int
    missing: tuple[str, ...]
    format: int = _FORMAT


def make_backup(database: Database, spool: Spool, folder: Path, now: datetime) -> Backup:
    """Make the folder hold the present state; the node goes on meanwhile, but removes no file.

    Raises:
        BackupError: the database's own tool is missing or failed.
        storage.errors.StorageError: a disk or the database is away; the backup before stays whole.
    """
    with translated_disk():
        folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    stamp = now.strftime("%Y%m%dT%H%M%S%f")
    dump, files = folder / f"database-{stamp}", folder / f"files-{stamp}"
    target = Spool(folder)
    with removal.holding(spool, wait=True):
        schema = upgrading.check(database).current
        _copy_database(database, dump, files)
        _copy_files(_lines(files), spool, target)
    found = list(inventory.differences(_lines(files), target))
    with translated_disk():
        backup = Backup(
            made_at=now.isoformat(),
            dialect=database.dialect,
            schema=schema or "",
            database=dump.name,
            database_sha256=_sha256(dump),
            files=files.name,
            files_sha256=_sha256(files),
            count=sum(1 for _ in _lines(files)),
            missing=tuple(item.digest for item in found if item.what == "no file"),
        )
        _write_durably(folder / MANIFEST, json.dumps(asdict(backup), indent=2))
        _prune(folder, backup)
    for item in found:
        if item.what == "no row":
            target.remove(item.digest, kept_before=_FOREVER)
    return backup


def restore_backup(folder: Path, url: str, spool: Spool) -> Backup:
    """Bring a backup to an empty place: files first, each checked, then the database.

    Raises:
        BackupError: the backup is not whole, or the place is not empty.
    """
    backup = read_backup(folder)
    _require_empty(make_url(url), spool)
    _copy_files(_lines(folder / backup.files), Spool(folder), spool)
    found = inventory.differences(_lines(folder / backup.files), spool)
    damaged = {item.digest for item in found if item.what == "no file"} - set(backup.missing)
    if damaged:
        raise BackupError(f"{len(damaged)} file(s) of the backup are missing or damaged")
    if backup.dialect == "sqlite":
        _place_sqlite(folder / backup.database, Path(str(make_url(url).database)))
    else:
        options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
        _run("pg_restore", make_url(url), [*options, str(folder / backup.database)])
    return backup


def read_backup(folder: Path) -> Backup:
    """Read what a backup holds, and check its database and its list of files.

    Raises:
        BackupError: there is none, or it is not whole.
    """
    if not (folder / MANIFEST).is_file():
        raise BackupError(f"{folder} holds no {MANIFEST}: it is not a backup, or an incomplete one")
    try:
        values = json.loads((folder / MANIFEST).read_text("utf-8"))
    except ValueError:
        raise BackupError(f"{MANIFEST} cannot be read") from None
    if values.get("format") != _FORMAT:
        raise BackupError(f"{MANIFEST} was written by another version of the program")
    backup = Backup(**{**values, "missing": tuple(values["missing"])})
    expected = {backup.database: backup.database_sha256, backup.files: backup.files_sha256}
    for name, digest in expected.items():
        if not (folder / name).is_file() or _sha256(folder / name) != digest:
            raise BackupError(f"{name} is missing or damaged")
    return backup


def _copy_database(database: Database, dump: Path, files: Path) -> None:
    """Write the database and the list of the files it names, both of one state."""
    make_private_file(dump)
    with database.read() as tx:
        if database.dialect == "sqlite":
            _write_list(files, inventory.needed_files(tx))
            _copy_sqlite(tx, dump)
        else:
            snapshot = tx.execute(select(func.pg_export_snapshot())).scalar_one()
            options = ["--format=custom", f"--snapshot={snapshot}", f"--file={dump}"]
            _run("pg_dump", database.url, options)
            _write_list(files, inventory.needed_files(tx))


def _copy_sqlite(tx: Transaction, dump: Path) -> None:
    """Copy through the transaction's own connection, so that the copy is what it sees."""
    source = tx.connection.driver_connection
    if not isinstance(source, sqlite3.Connection):
        raise TypeError("not an SQLite database")
    with closing(sqlite3.connect(dump)) as copy:
        source.backup(copy)


def _place_sqlite(dump: Path, target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    with translated_disk():
        target.parent.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        make_private_file(part)
        shutil.copyfile(dump, part)
        _sync(part)
        part.replace(target)
        _sync(target.parent)


def _copy_files(digests: Iterable[str], source: Spool, target: Spool) -> None:
    """Copy what is not there yet; of a damaged file comes one that nothing names."""
    for digest in digests:
        if target.exists(digest) or not source.exists(digest):
            continue
        with source.open(digest) as file, target.incoming() as copy, translated_disk():
            while chunk := file.read(_CHUNK_BYTES):
                copy.write(chunk)
            copy.keep()


def _require_empty(url: URL, spool: Spool) -> None:
    if next(spool.digests(), None) is not None:
        raise BackupError(
            f"the spool {spool.root} is not empty: a backup is restored to an empty place only"
        )
    if url.get_backend_name() == "sqlite":
        taken = Path(str(url.database)).exists()
    else:
        database = Database(url.render_as_string(hide_password=False))
        try:
            taken = upgrading.check(database).current is not None
        finally:
            database.close()
    if taken:
        raise BackupError("there is a database: a backup is restored to an empty place only")


def _run(program: str, url: URL, options: list[str]) -> None:
    """Run a tool of PostgreSQL; the password goes by the environment, where `ps` does not show it.

    Raises:
        BackupError: it is not installed, or failed; it has told why on standard error.
    """
    path = shutil.which(program)
    if path is None:
        raise BackupError(f"{program} is not installed: it is in the package postgresql-client")
    place, password = _without_password(url)
    environment = {**os.environ, "PGPASSWORD": password} if password else os.environ
    command = [path, f"--dbname={place}", *options]
    done = subprocess.run(command, env=environment, check=False)  # noqa: S603 - fixed program, own settings
    if done.returncode != 0:
        raise BackupError(f"{program} failed with exit status {done.returncode}")


def _without_password(url: URL) -> tuple[str, str]:
    """A libpq URL that may be seen by all users of the machine, and the password apart from it."""
    query = dict(url.query)
    in_query = query.pop("password", "")
    # Made again: `URL.set` takes None for "as it was", and would show *** in the password's place.
    plain = URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, query
    ).render_as_string(hide_password=False)
    return plain, str(url.password or in_query)


def _prune(folder: Path, backup: Backup) -> None:
    """Remove the databases and lists of earlier backups and of those that were cut off."""
    for path in [*folder.glob("database-*"), *folder.glob("files-*")]:
        if path.name not in (backup.database, backup.files):
            path.unlink()


def _write_list(path: Path, digests: Iterable[str]) -> None:
    with translated_disk(), path.open("w") as file:
        file.writelines(f"{digest}\n" for digest in digests)


def _lines(path: Path) -> Iterator[str]:
    with path.open() as file:
        for line in file:
            yield line.rstrip("\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_durably(path: Path, text: str) -> None:
    os.sync()  # the database, which other programs wrote, is on disk before it is named here
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, "utf-8")
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
