"""INSERT ... ON CONFLICT, which both databases know and SQLAlchemy spells by dialect."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

from storage.engine import Transaction
from storage.schema import Base


def insert_for(tx: Transaction, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
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
