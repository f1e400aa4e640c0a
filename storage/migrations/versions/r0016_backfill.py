"""Work behind live work, and the settings that an instance was prepared under."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.words import add_column

revision = "0.6.1"
down_revision = "0.4.5"

_LANE = "how it was queued behind live work: reported or stored; empty: live work"


def upgrade() -> None:
    """Add the columns, and have live jobs found without passing the others."""
    add_column(
        "preparation",
        "settings",
        sa.String(),
        "settings of the pipeline that it was made under; empty: not known",
    )
    _add_lane()
    queued = sa.text("state = 'queued'")
    op.drop_index("ix_job_claim", table_name="job")
    op.create_index(
        "ix_job_claim",
        "job",
        ["kind", "pipeline", "backfill", "available_at", "id"],
        sqlite_where=queued,
        postgresql_where=queued,
    )


def _add_lane() -> None:
    allowed = "CONSTRAINT ck_job_backfill CHECK (backfill IN ('reported', 'stored'))"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"ALTER TABLE job ADD COLUMN backfill VARCHAR(24) {allowed} /* {_LANE} */")
    else:
        op.add_column("job", sa.Column("backfill", sa.String(24), nullable=True, comment=_LANE))
        op.execute(f"ALTER TABLE job ADD {allowed}")
