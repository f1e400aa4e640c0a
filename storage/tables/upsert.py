"""INSERT ... ON CONFLICT, which both databases know and SQLAlchemy spells by dialect."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from storage.database.transactions import Transaction
from storage.tables.base import Base

Insert = postgresql.Insert | sqlite.Insert


def table_of(model: type[Base]) -> Table:
    """The plain table of a model: statements on it are built and compiled in half the time."""
    return Base.metadata.tables[model.__tablename__]


def each_dialect(table: Table, finish: Callable[[Insert], Insert]) -> dict[str, Insert]:
    """An INSERT with its ON CONFLICT clause, built once for each database, by dialect name."""
    return {
        "sqlite": finish(sqlite.insert(table)),
        "postgresql": finish(postgresql.insert(table)),
    }


def insert_for(tx: Transaction, table: type[Base]) -> Insert:
    """Begin an INSERT that may be given an ON CONFLICT clause."""
    if tx.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def insert_once(tx: Transaction, table: type[Base], **values: Any) -> bool:
    """Insert a row unless one with the same unique key is there; says whether it did."""
    done = tx.execute(
        insert_for(tx, table).values(values).on_conflict_do_nothing(),
        execution_options={"preserve_rowcount": True},
    )
    return done.rowcount == 1
