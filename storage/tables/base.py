"""What all tables share: their base, and how their columns are written."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, ForeignKey, Index, MetaData
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column

from storage.tables.columns import AnyText, RowId, UtcDateTime

#: The audit quotes numbers of rows, so none is given again after its row was purged.
NUMBERED_ONCE = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """All tables, with predictable names for constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime(), str: AnyText()}


def row_id() -> MappedColumn[int]:
    """The column of our own numbers."""
    return mapped_column(RowId, primary_key=True, comment="our number of this row")


def link(target: str, comment: str, **options: Any) -> MappedColumn[Any]:
    """A column that names a row of another table."""
    return mapped_column(ForeignKey(target), comment=comment, **options)


def partial_index(name: str, *columns: Any, where: ColumnElement[bool]) -> Index:
    """An index of those rows that meet a condition."""
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)
