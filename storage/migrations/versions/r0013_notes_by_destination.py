"""Result objects that are made for one destination alone, as rejection notes are."""

import sqlalchemy as sa
from alembic import op

revision = "0.4.3"
down_revision = "0.4.2"


def upgrade() -> None:
    """Add the column; what is there already is for every destination that gets its kind."""
    comment = "the one destination that it is made for; empty: every one that gets its kind"
    if op.get_bind().dialect.name == "sqlite":
        # Written out, since Alembic would leave away the comment for whoever reads `.schema`.
        op.execute(f"ALTER TABLE result_object ADD COLUMN destination VARCHAR /* {comment} */")
    else:
        column = sa.Column("destination", sa.String(), nullable=True, comment=comment)
        op.add_column("result_object", column)
