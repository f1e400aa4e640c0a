"""Removal: how a file leaves the spool, with nothing lost and nothing left by a crash.

The commit that makes a file needless queues its digest; then the file is unlinked; then the digest
is forgotten. A file stays while any row needs it, and while it is young: whoever keeps a file
records it a moment later, and until then no row speaks for it.
"""

import fcntl
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Select, delete, func, select, union

from storage import tables
from storage.database.faults import translated_disk
from storage.database.transactions import Database, Transaction
from storage.files.folders import private_file
from storage.files.spool import Spool
from storage.tables import InstanceConflict, SpoolRemoval
from storage.tables.upsert import insert_for

#: Longer than anybody waits between keeping a file and committing its row.
YOUNG = timedelta(minutes=15)
_AT_ONCE = 500


class Removed(NamedTuple):
    """Files that left the spool, and those that still wait: they are young, or it is held."""

    files: int
    waiting: int


@contextmanager
def holding(spool: Spool, *, wait: bool = False) -> Iterator[bool]:
    """Let no file leave the spool but through this block; False where another process does.

    With `wait` it begins once the other has ended. The lock lies in the spool, so it holds for
    every machine that shares it, and ends with its process.

    Raises:
        storage.errors.SpoolUnavailableError: the spool is not at its place.
    """
    spool.require_here()
    with translated_disk(), open(spool.root / "removal.lock", "ab", opener=private_file) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def queue(tx: Transaction, digests: Iterable[str]) -> None:
    """Have files removed, unless rows that stay need them."""
    rows = [{"digest": digest} for digest in digests]
    if rows:
        tx.execute(insert_for(tx, SpoolRemoval).on_conflict_do_nothing(), rows)


def remove_queued(database: Database, spool: Spool, now: datetime) -> Removed:
    """Remove what is queued, for the holder of the spool; may be cut off at any point.

    Raises:
        storage.errors.StorageError: disk or database is away; the next call goes on.
    """
    files = 0
    for digests in _queued(database):
        with database.read() as tx:
            wanted = needed_of(tx, digests)
        gone = {
            digest
            for digest in digests
            if digest not in wanted and spool.remove(digest, kept_before=now - YOUNG)
        }
        with database.write() as tx:
            removal = SpoolRemoval
            tx.execute(delete(removal).where(removal.digest.in_(wanted | gone)))
        files += len(gone)
    return Removed(files, waiting(database))


def waiting(database: Database) -> int:
    """How many files are queued."""
    with database.read() as tx:
        return tx.execute(select(func.count()).select_from(SpoolRemoval)).scalar_one()


def needed() -> list[Select[str]]:
    """Queries for the digests of all files that some row needs, one per table."""
    instance, result, conflict = tables.Instance, tables.ResultObject, InstanceConflict
    return [
        select(instance.digest).where(instance.removed_at.is_(None)),
        select(result.digest).where(result.removed_at.is_(None)),
        select(conflict.digest)
        .join(instance, instance.id == conflict.instance_id)
        .where(instance.removed_at.is_(None)),
    ]


def needed_of(tx: Transaction, digests: Collection[str]) -> set[str]:
    """Those of the digests whose files some row needs."""
    found = (query.where(query.selected_columns.digest.in_(digests)) for query in needed())
    return set(tx.scalars(union(*found)))


def _queued(database: Database) -> Iterator[list[str]]:
    removal = SpoolRemoval
    last = ""
    while True:
        with database.read() as tx:
            digests = list(
                tx.scalars(
                    select(removal.digest)
                    .where(removal.digest > last)
                    .order_by(removal.digest)
                    .limit(_AT_ONCE)
                )
            )
        if not digests:
            return
        yield digests
        last = digests[-1]
