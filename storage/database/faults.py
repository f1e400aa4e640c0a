"""What databases and disks report, said in the words of `storage.errors`."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import exc

from storage.errors import (
    DatabaseUnavailableError,
    SchemaMismatchError,
    SpoolUnavailableError,
    StorageError,
    StorageFullError,
)

#: Out of room, whether the disk's own end or a quota's.
FULL = (errno.ENOSPC, errno.EDQUOT)

_SQLITE_UNAVAILABLE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PROTOCOL,
)

#: SQLSTATE classes and codes (PostgreSQL appendix A) after which trying again helps.
_POSTGRESQL_UNAVAILABLE = ("08", "53", "57P", "40001", "40P01", "55P03", "25006", "58")


@contextmanager
def translated() -> Iterator[None]:
    """Let a database's errors out as ours.

    What a server says about a row quotes its values, so the cause is dropped with the message.
    """
    try:
        yield
    except exc.TimeoutError:
        raise DatabaseUnavailableError("no free database connection") from None
    except exc.DBAPIError as error:
        raise _ours(error) from None
    except exc.StatementError as error:
        # Our own column types refused a value; SQLAlchemy has wrapped what they said.
        raise (error.orig or error) from None


@contextmanager
def translated_disk() -> Iterator[None]:
    """Let a disk's errors out as ours; an OSError without a number is not the disk's."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        if error.errno in FULL:
            raise StorageFullError(f"spool: {error.strerror}") from error
        raise SpoolUnavailableError(f"spool: {error.strerror}") from error


def _ours(error: exc.DBAPIError) -> StorageError:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _from_sqlite(cause)
    if isinstance(cause, psycopg.Error):
        return _from_postgresql(cause)
    return StorageError(type(cause).__name__)


def _from_sqlite(cause: sqlite3.Error) -> StorageError:
    # SQLite's messages name tables, columns and constraints, never values.
    message = str(cause)
    code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageFullError(message)
    if code in _SQLITE_UNAVAILABLE:
        return DatabaseUnavailableError(message)
    if message.startswith(("no such table", "no such column")) or "has no column" in message:
        return SchemaMismatchError(f"{message}: run `echonode db upgrade`")
    return StorageError(message)


def _from_postgresql(cause: psycopg.Error) -> StorageError:
    state = cause.sqlstate
    if state is None:
        # No answer from a server: the message speaks of hosts and sockets only.
        return DatabaseUnavailableError(str(cause).strip() or type(cause).__name__)
    message = f"{type(cause).__name__} ({state})"
    if state == "53100":
        return StorageFullError(message)
    if state.startswith(_POSTGRESQL_UNAVAILABLE):
        return DatabaseUnavailableError(message)
    if state in ("42P01", "42703"):
        return SchemaMismatchError(f"{message}: run `echonode db upgrade`")
    constraint = cause.diag.constraint_name
    return StorageError(f"{message} {constraint}" if constraint else message)
