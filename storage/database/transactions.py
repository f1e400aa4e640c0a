"""The database: connections, and transactions that end whole or not at all."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from storage.database.faults import translated
from storage.errors import DatabaseUnavailableError

#: An open transaction. Other rooms pass it on and look no further.
Transaction = Connection

#: Connections kept open by a process; as many again and more are opened for a burst of threads.
POOL_SIZE = 8
POOL_BURST = 56
_WAL_RETRY_S = 0.02


class Database:
    """One database, SQLite (`sqlite:////abs/path.db`) or PostgreSQL (`postgresql+psycopg://...`).

    `busy_timeout_s` bounds the wait for a lock or a free connection. Safe to share by threads;
    each process opens its own.
    """

    def __init__(self, url: str, busy_timeout_s: float = 30.0) -> None:
        self.dialect: Literal["sqlite", "postgresql"]
        self.url = make_url(url)
        self._busy_timeout_s = busy_timeout_s
        # SQLite lets one writer in at a time. Threads of one process queue here, in turn, instead
        # of polling for the file's lock.
        self._writer = threading.Lock()
        if self.url.get_backend_name() == "sqlite":
            self.dialect = "sqlite"
            engine = _sqlite(url, busy_timeout_s)
            self._reading: Engine = engine
            self._writing: Engine = engine.execution_options(begin="BEGIN IMMEDIATE")
        else:
            self.dialect = "postgresql"
            engine = _postgresql(url, busy_timeout_s)
            self._reading = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._writing = engine
        self._engine = engine

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Look at one consistent state of the database; never in a writer's way.

        Raises:
            DatabaseUnavailableError: locked, gone or restarted.
        """
        with translated(), self._reading.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Change the database in one commit at the end of the block, or not at all.

        Raises:
            DatabaseUnavailableError: locked, gone or restarted; nothing was written.
            StorageFullError: no room; nothing was written.
            SchemaMismatchError: a table or column is missing.
        """
        with translated(), self._turn(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self.dialect != "sqlite":
            yield
            return
        if not self._writer.acquire(timeout=self._busy_timeout_s):
            raise DatabaseUnavailableError("database is locked by another thread")
        try:
            yield
        finally:
            self._writer.release()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for another kind."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or not parts.database:
        return None
    return Path(parts.database)


def _postgresql(url: str, timeout_s: float) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_BURST,
        pool_timeout=timeout_s,
        pool_pre_ping=True,
        # What we acknowledge must be on disk, whatever this server's own setting is.
        connect_args={
            "options": f"-c synchronous_commit=on -c lock_timeout={int(timeout_s * 1000)}"
        },
    )


def _sqlite(url: str, timeout_s: float) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_BURST,
        pool_timeout=timeout_s,
        connect_args={"timeout": timeout_s, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        _switch_to_wal(connection, timeout_s)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _switch_to_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switch a database to WAL; SQLite's own busy timeout does not hold for this one statement."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_WAL_RETRY_S)
        else:
            return
