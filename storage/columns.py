"""Column types that read the same to a program and to an admin with sqlite3 or psql."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Integer, String, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql.compiler import DDLCompiler
from sqlalchemy.types import TypeEngine

#: SQLite numbers rows only in an INTEGER; PostgreSQL's INTEGER would end at two thousand million.
RowId = BigInteger().with_variant(Integer(), "sqlite")


def storable(text: str) -> str:
    """What of a peer's text a database can hold: NUL and lone surrogates become U+FFFD."""
    whole = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


class AnyText(TypeDecorator[str]):
    """Text of any length and origin, kept as `storable` has it."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write a text."""
        return None if value is None else storable(value)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: timestamptz on PostgreSQL, `2026-01-31T12:00:00.000000Z` on SQLite.

    The text has a fixed width, so it sorts as time does.

    Raises:
        ValueError: a datetime without a time zone was given.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the database's own type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write a datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone cannot be stored")
        value = value.astimezone(UTC)
        if dialect.name == "sqlite":
            return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read a datetime, always in UTC."""
        if value is None:
            return None
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
        return read.astimezone(UTC)


def words(enum: type[StrEnum], name: str) -> Enum:
    """A text column that holds only an enum's values; a CHECK constraint sees to it."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


@compiles(CreateColumn, "sqlite")
def _with_comment(element: CreateColumn, compiler: DDLCompiler, **kw: Any) -> str:
    """SQLite knows no COMMENT ON, but keeps the text of CREATE TABLE: `.schema` shows this."""
    text: str = compiler.visit_create_column(element, **kw)  # type: ignore[no-untyped-call]
    comment = element.element.comment
    return f"{text} /* {comment} */" if text and comment else text
