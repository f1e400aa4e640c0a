"""Destinations: what each accepted before."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = "0.3.4"
down_revision = "0.3.3"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "destination_answer",
        _column("destination", sa.String(), "name of the destination in the settings"),
        _column("sop_class_uid", sa.String(), "SOP Class UID that was offered"),
        _column(
            "address",
            sa.String(),
            "where the destination was then; an answer from elsewhere is not believed",
        ),
        _column(
            "transfer_syntaxes",
            sa.String(),
            "accepted: transfer syntaxes, separated by spaces; empty where none was negotiated",
        ),
        _column(
            "refused_by",
            sa.String(),
            "refused: by negotiation, status or HTTP status; empty: accepted",
        ),
        _column("learned_at", UtcDateTime(), "when it first answered so"),
        _column("confirmed_at", UtcDateTime(), "when it last answered so"),
        sa.PrimaryKeyConstraint("destination", "sop_class_uid"),
        comment="what destinations accept, as they answered",
    )


def _column(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)
