"""What must hold on a disk after a power cut."""

import hashlib
import io
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydicom.filereader import read_dataset

_C_STORE_RESPONSE = 0x8001
_COMMAND = 0x01
_PDV = struct.Struct(">IBB")


def acknowledged(sent: bytes) -> str | None:
    """The SOP Instance UID that a sent PDU acknowledges with success, if it does."""
    if sent[:1] != b"\x04" or len(sent) < 12 or not sent[11] & _COMMAND:
        return None
    size = _PDV.unpack_from(sent, 6)[0]
    command = read_dataset(io.BytesIO(sent[12 : 10 + size]), True, True)
    if command.get("CommandField") != _C_STORE_RESPONSE or command.get("Status") != 0:
        return None
    return str(command.AffectedSOPInstanceUID)


def broken(
    files: Mapping[str, bytes], promised: Iterable[str], folder: Path, state: str = "state"
) -> Iterator[str]:
    """Which promises a disk breaks; `folder` is for its database to be opened in."""
    database = _restored(files, folder, state)
    if database is None:
        yield from (f"acknowledged, and there is no database: {uid}" for uid in promised)
        return
    try:
        yield from _broken_rows(database, files, promised, f"{state}/spool/objects/")
    except sqlite3.DatabaseError as error:
        yield f"the database cannot be read: {error}"
    finally:
        database.close()


def _restored(files: Mapping[str, bytes], folder: Path, state: str) -> sqlite3.Connection | None:
    """Open the database as it was left; the index of its log is made anew, as after a boot."""
    for name in ("node.db", "node.db-wal", "node.db-shm"):
        (folder / name).unlink(missing_ok=True)
        if f"{state}/{name}" in files and not name.endswith("-shm"):
            (folder / name).write_bytes(files[f"{state}/{name}"])
    if not files.get(f"{state}/node.db") and not files.get(f"{state}/node.db-wal"):
        return None
    return sqlite3.connect(folder / "node.db")


def _broken_rows(
    database: sqlite3.Connection,
    files: Mapping[str, bytes],
    promised: Iterable[str],
    objects: str,
) -> Iterator[str]:
    [(state,)] = database.execute("PRAGMA integrity_check").fetchall()
    if state != "ok":
        yield f"the database is damaged: {state}"
        return
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'instance'").fetchall():
        yield from (f"acknowledged, and there are no tables: {uid}" for uid in promised)
        return
    rows = dict(database.execute("SELECT sop_instance_uid, digest FROM instance"))
    yield from (f"acknowledged and not indexed: {uid}" for uid in promised if uid not in rows)
    kept = {Path(path).stem: content for path, content in files.items() if path.startswith(objects)}
    made = [digest for (digest,) in database.execute("SELECT digest FROM result_object")]
    for digest in [*rows.values(), *made]:
        content = kept.get(digest)
        if content is None:
            yield f"a row names a file that is gone: {digest}"
        elif hashlib.sha256(content).hexdigest() != digest:
            yield f"a row names a file with other bytes: {digest}"
    jobless = "SELECT count(*) FROM instance WHERE id NOT IN (SELECT instance_id FROM job)"
    [(count,)] = database.execute(jobless).fetchall()
    if count:
        yield f"{count} instances without a job"
