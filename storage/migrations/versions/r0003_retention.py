"""Retention: what left the spool and when, what is about to, and which studies were purged."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import RowId, UtcDateTime

revision = "0.2.3"
down_revision = "0.2.2"

_GONE = "when its file left the spool"


def upgrade() -> None:
    """Add columns, indexes and tables."""
    _add_removed_at("study", "when its files left the spool")
    _add_removed_at("instance", _GONE)
    _add_removed_at("result_object", _GONE)
    _index_kept("ix_study_kept", "study", "state", "completed_at", "id")
    _index_kept("ix_instance_digest", "instance", "digest")
    _index_kept("ix_result_object_digest", "result_object", "digest")
    op.create_index("ix_instance_conflict_digest", "instance_conflict", ["digest"])
    op.create_table(
        "spool_removal",
        sa.Column("digest", sa.String(), nullable=False, comment="SHA-256 of the file"),
        sa.PrimaryKeyConstraint("digest"),
        comment="files that are about to leave the spool",
    )
    op.create_table(
        "purged_study",
        _column("study_id", RowId, "study.id at that time"),
        _column("salt", sa.String(), "16 random bytes, in hex"),
        _column(
            "study_hash",
            sa.String(),
            "SHA-256 of salt and Study Instance UID, both as text, in hex",
        ),
        _column("purged_at", UtcDateTime(), "when"),
        _column("actor", sa.String(), "user who did it"),
        _column("reason", sa.String(), "why, in the user's words"),
        _column("instances", sa.Integer(), "instances that were removed"),
        sa.PrimaryKeyConstraint("study_id"),
        comment="studies that were removed on purpose",
    )


def _column(name: str, kind: sa.types.TypeEngine[Any], comment: str) -> sa.Column[object]:
    return sa.Column(name, kind, nullable=False, autoincrement=False, comment=comment)


def _add_removed_at(table: str, comment: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        # Written out, since Alembic would leave away the comment for whoever reads `.schema`.
        op.execute(f"ALTER TABLE {table} ADD COLUMN removed_at VARCHAR(27) /* {comment} */")
    else:
        op.add_column(table, sa.Column("removed_at", UtcDateTime(), nullable=True, comment=comment))


def _index_kept(name: str, table: str, *columns: str) -> None:
    there = sa.text("removed_at IS NULL")
    op.create_index(name, table, list(columns), sqlite_where=there, postgresql_where=there)
