"""Filling a database with the rows of months, by each database's fastest way in."""

import sqlite3
from contextlib import closing

import psycopg
from psycopg import sql

from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade
from tests.benchmark.scale_rows import COLUMNS, Rows, rows

_AT_ONCE = 100


def fill(url: str, studies: int) -> None:
    """Make the tables and bring in so many studies; statistics are not gathered."""
    database = Database(url)
    upgrade(database)
    database.close()
    if url.startswith("sqlite"):
        _fill_sqlite(url.removeprefix("sqlite:///"), studies)
    else:
        _fill_postgresql(url.replace("+psycopg", ""), studies)


def _batches(studies: int) -> list[tuple[int, int]]:
    return [
        (first, min(first + _AT_ONCE - 1, studies)) for first in range(1, studies + 1, _AT_ONCE)
    ]


def _fill_sqlite(path: str, studies: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -500000")
        for first, last in _batches(studies):
            with connection:
                _insert(connection, rows(first, last, studies))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(connection: sqlite3.Connection, batch: Rows) -> None:
    for table, columns in COLUMNS.items():
        places = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
        connection.executemany(statement, batch[table])


def _fill_postgresql(url: str, studies: int) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for first, last in _batches(studies):
            _copy(cursor, rows(first, last, studies))
        for table in ("study", "instance", "report"):  # COPY named these rows itself
            cursor.execute(
                sql.SQL(
                    "SELECT setval(pg_get_serial_sequence({name}, 'id'), max(id)) FROM {table}"
                ).format(name=sql.Literal(table), table=sql.Identifier(table))
            )


def _copy(cursor: psycopg.Cursor, batch: Rows) -> None:
    for table, columns in COLUMNS.items():
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with cursor.copy(into) as copy:
            for row in batch[table]:
                copy.write_row(row)
