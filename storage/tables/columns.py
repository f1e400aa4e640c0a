"""Column types that read the same to a program and to an admin with sqlite3 or psql."""

from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Enum,
    Integer,
    String,
    TypeDecorator,
    event,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql.compiler import DDLCompiler
from sqlalchemy.types import TypeEngine

#: SQLite numbers rows only in an INTEGER; PostgreSQL's INTEGER would end at two thousand million.
RowId = BigInteger().with_variant(Integer(), "sqlite")


#: Characters of a peer's identifying text that are kept. PS3.5 table 6.2-1 allows 64, and 194 for
#: the three groups of a name; an index of PostgreSQL takes rows of 2704 bytes.
LONGEST_TEXT = 256
_BEGINNING = 200


def storable(text: str) -> str:
    """What of a peer's identifying text a row holds and is found by; the file has all of it.

    Beyond `LONGEST_TEXT` it is the beginning, and a digest of all, so that two stay two.
    """
    return bounded(_holdable(text), LONGEST_TEXT)


def bounded(text: str, longest: int) -> str:
    """A text, shortened where it is longer than a limit; it then states its full length."""
    if len(text) <= longest:
        return text
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    beginning = text[: longest - LONGEST_TEXT + _BEGINNING]
    return f"{beginning}... ({len(text)} characters, SHA-256 {digest})"


def _holdable(text: str) -> str:
    """What of a text a database can hold: NUL and lone surrogates become U+FFFD."""
    whole = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


class AnyText(TypeDecorator[str]):
    """Text of any length and origin, without what no database can hold."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write a text."""
        return None if value is None else _holdable(value)


#: Columns, in whatever table, that hold what a peer identifies a patient or an object by.
IDENTIFYING = frozenset(
    {
        "accession_number",
        "called_aet",
        "calling_aet",
        "instance_number",
        "modality",
        "patient_birth_date",
        "patient_id",
        "patient_name",
        "patient_sex",
        "previous_patient_id",
        "previous_patient_name",
        "prior_of_uid",
        "series_instance_uid",
        "sop_class_uid",
        "sop_instance_uid",
        "study_date",
        "study_instance_uid",
        "transaction_uid",
        "transfer_syntax_uid",
    }
)


class PeerText(TypeDecorator[str]):
    """Text of an `IDENTIFYING` column, kept and compared as `storable` has it."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write a text."""
        return None if value is None else storable(value)


@event.listens_for(Column, "after_parent_attach")
def _bound(column: Column[Any], _table: Any) -> None:
    """Keep a peer's text to a length that every index can hold, in tables made later too."""
    if column.name in IDENTIFYING and isinstance(column.type, AnyText):
        column.type = PeerText()


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
