"""The version of the pipeline that made a preparation, so that a newer one makes it anew."""

import sqlalchemy as sa

from storage.migrations.words import add_column

revision = "0.4.4"
down_revision = "0.4.3"


def upgrade() -> None:
    """Add the column; what is there already was made by an earlier version."""
    add_column(
        "preparation",
        "pipeline_version",
        sa.String(),
        "version of the pipeline that made it; empty: an earlier one",
    )
