"""Seals over the audit, and how far each audit repository was told of it."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import RowId, UtcDateTime

revision = "0.2.2"
down_revision = "0.2.1"

_APPEND_ONLY = ("audit_event", "audit_seal")


def upgrade() -> None:
    """Make the tables, and have SQLite refuse changes; PostgreSQL does by its roles."""
    op.create_table(
        "audit_seal",
        sa.Column(
            "position",
            RowId,
            nullable=False,
            autoincrement=False,
            comment="1, 2, ...: place in the chain",
        ),
        sa.Column("event_id", RowId, nullable=False, comment="audit_event.id of the sealed event"),
        sa.Column(
            "digest", sa.String(), nullable=False, comment="SHA-256 of the event's canonical form"
        ),
        sa.Column("sealed_at", UtcDateTime(), nullable=False, comment="when the event was sealed"),
        sa.Column(
            "chain",
            sa.String(),
            nullable=False,
            comment="SHA-256 over the chain before and this row",
        ),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("event_id"),
        comment="audit: a chain of digests over its events",
    )
    op.create_table(
        "audit_cursor",
        sa.Column(
            "repository",
            sa.String(),
            nullable=False,
            comment="name of the audit repository in the settings",
        ),
        sa.Column(
            "position", RowId, nullable=False, comment="audit_seal.position it was told up to"
        ),
        sa.Column("advanced_at", UtcDateTime(), nullable=False, comment="when it was told last"),
        sa.PrimaryKeyConstraint("repository"),
        comment="how far each audit repository was told of the audit",
    )
    if op.get_bind().dialect.name == "sqlite":
        for table in _APPEND_ONLY:
            for change in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuses_{change.lower()} BEFORE {change} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
