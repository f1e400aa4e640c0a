"""Studies say when they are judged next, and hold what that is decided by, not the decision."""

from alembic import op

from storage.migrations.words import add_column, drop_column, explain
from storage.tables.columns import UtcDateTime

revision = "0.6.4"
down_revision = "0.6.3"


def upgrade() -> None:
    """Add what associations did; studies that wait are judged when they would have been due."""
    add_column("association", "heard_at", UtcDateTime(), "when bytes last came on it")
    add_column(
        "association_study",
        "first_received_at",
        UtcDateTime(),
        "when it brought the first of them; empty: not recorded",
    )
    op.execute("UPDATE study SET look_at = due_at WHERE look_at IS NULL")
    op.drop_index("ix_study_due", table_name="study")
    for column in ("due_at", "due_reason", "hard_limit_at"):
        drop_column("study", column)
    explain(
        "study",
        "look_at",
        "when it is judged next; empty: at due_at, if that is not empty",
        "when the clock judges it next; empty: nothing is waited for",
    )
