"""Work: the spool's identity, who runs which pipeline, and jobs that are put off."""

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import UtcDateTime

revision = "0.4.1"
down_revision = "0.4.0"


def upgrade() -> None:
    """Make the tables, and have jobs found by pipeline."""
    op.create_table(
        "spool_identity",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column(
            "identity",
            sa.String(),
            nullable=False,
            comment="what the file spool.id in the spool holds",
        ),
        sa.Column("adopted_at", UtcDateTime(), nullable=False, comment="since when"),
        sa.PrimaryKeyConstraint("id"),
        comment="the spool that belongs to this database",
    )
    op.create_table(
        "pipeline_place",
        sa.Column(
            "place", sa.String(), nullable=False, comment="where its worker runs, host:state_dir"
        ),
        sa.Column("pipeline", sa.String(), nullable=False, comment="name of the pipeline"),
        sa.Column("seen_at", UtcDateTime(), nullable=False, comment="when its worker last said so"),
        sa.PrimaryKeyConstraint("place", "pipeline"),
        comment="which pipelines workers run, and where",
    )
    comment = "how often it was put off; empty: never"
    if op.get_bind().dialect.name == "sqlite":
        # SQLite keeps the statement as it is written, comment and all.
        op.execute(f"ALTER TABLE job ADD COLUMN postponed INTEGER /* {comment} */")
    else:
        op.add_column("job", sa.Column("postponed", sa.Integer(), nullable=True, comment=comment))
    queued = sa.text("state = 'queued'")
    op.drop_index("ix_job_claim", table_name="job")
    op.create_index(
        "ix_job_claim",
        "job",
        ["pipeline", "kind", "available_at", "id"],
        sqlite_where=queued,
        postgresql_where=queued,
    )
