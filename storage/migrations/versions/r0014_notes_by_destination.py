"""Result objects that are made for one destination alone, as rejection notes are."""

import sqlalchemy as sa
from alembic import op

revision = "0.4.4"
down_revision = "0.3.5"


def upgrade() -> None:
    """Add the column; what is there already is for every destination that gets its kind."""
    op.add_column(
        "result_object",
        sa.Column(
            "destination",
            sa.String(),
            nullable=False,
            server_default="",
            comment="the one destination that it is made for; empty: every one that gets its kind",
        ),
    )
