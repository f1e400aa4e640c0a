"""Change what a table says of a column: the words that it may hold, and its comment."""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op


def allow(table: str, column: str, before: Sequence[str], after: Sequence[str]) -> None:
    """Make the CHECK constraint of `storage.tables.columns.words` take other words.

    Raises:
        RuntimeError: the constraint is not as it is said to be.
    """
    if op.get_bind().dialect.name == "sqlite":
        _rewrite(table, _check(column, before), _check(column, after))
    else:
        # Written as it is: Alembic would apply the naming convention to the name once more.
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{column}")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{column} CHECK {_check(column, after)}"
        )


def explain(table: str, column: str, before: str, after: str) -> None:
    """Give a column another comment.

    Raises:
        RuntimeError: the comment is not as it is said to be.
    """
    if op.get_bind().dialect.name == "sqlite":
        _rewrite(table, f"/* {before} */", f"/* {after} */")
    else:
        quoted = after.replace("'", "''")
        op.execute(f"COMMENT ON COLUMN {table}.{column} IS '{quoted}'")


def add_column(table: str, column: str, kind: sa.types.TypeEngine[Any], comment: str) -> None:
    """Add a column that may be empty, with its comment."""
    if op.get_bind().dialect.name == "sqlite":
        # Written out, since Alembic would leave away the comment for whoever reads `.schema`.
        name = kind.compile(dialect=op.get_bind().dialect)
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {name} /* {comment} */")
    else:
        op.add_column(table, sa.Column(column, kind, nullable=True, comment=comment))


def drop_column(table: str, column: str) -> None:
    """Drop a column that no index names, and the CHECK constraint of its words with it."""
    if op.get_bind().dialect.name == "sqlite":
        query = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
        made = str(op.get_bind().scalar(query, {"table": table}))
        name = f"ck_{table}_{column}"
        check = re.search(rf",\s+CONSTRAINT {name} CHECK \({column} IN \([^)]*\)\)", made)
        if check:
            _rewrite(table, check[0], "")
    op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def _check(column: str, words: Sequence[str]) -> str:
    quoted = ", ".join(f"'{word}'" for word in words)
    return f"({column} IN ({quoted}))"


def _rewrite(table: str, before: str, after: str) -> None:
    """Change the text of CREATE TABLE itself, as SQLite's documentation of ALTER TABLE has it.

    The other way copies the table, which foreign keys that point at it forbid here.
    """
    connection = op.get_bind()
    version = connection.scalar(sa.text("PRAGMA schema_version"))
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    changed = connection.execute(
        sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :before, :after)"
            " WHERE type = 'table' AND name = :table AND instr(sql, :before) > 0"
        ),
        {"before": before, "after": after, "table": table},
    )
    connection.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema = RESET"))
    if changed.rowcount != 1:
        raise RuntimeError(f"{table} does not say {before}")
