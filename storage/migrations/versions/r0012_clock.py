"""The last known time of each machine, so that a jump is noticed after a stop too."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = "0.4.2"
down_revision = "0.4.1"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "clock_reading",
        _column("boot", sa.String(), "boot id of the machine's kernel; a restart gives another"),
        _column("at", UtcDateTime(), "time of day of the machine at the last look"),
        _column(
            "elapsed_s",
            sa.Double(),
            "CLOCK_MONOTONIC at the same moment, seconds; nobody can set it",
        ),
        _optional("server_at", "PostgreSQL: time of day of the database server at the same moment"),
        _optional(
            "jumped_at", "when the time of day last jumped or time passed unseen; empty: never"
        ),
        _optional(
            "doubted_at", "since when the time of day is unconfirmed; empty: it is confirmed"
        ),
        sa.PrimaryKeyConstraint("boot"),
        comment="last known time of each machine",
    )


def _column(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


def _optional(name: str, comment: str) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=True, comment=comment)
