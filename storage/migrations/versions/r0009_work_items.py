"""Work items: what a work list asked of the node."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import RowId, UtcDateTime

revision = "0.3.5"
down_revision = "0.3.4"

_STATES = ("claiming", "in progress", "completed", "canceled", "let go")


def upgrade() -> None:
    """Make the tables."""
    state = sa.Enum(*_STATES, name="state", native_enum=False, create_constraint=True, length=24)
    op.create_table(
        "work_item",
        _column("id", RowId, "our number of this row"),
        _column("work_list", sa.String(), "name of the work list in the settings"),
        _column("sop_instance_uid", sa.String(), "SOP Instance UID of the work item"),
        _column(
            "transaction_uid", sa.String(), "Transaction UID (0008,1195) that it is claimed with"
        ),
        _column("state", state, "claiming, in progress, completed, canceled or let go"),
        _optional("study_id", RowId, "the study, once some of it is here"),
        _column(
            "study_instance_uid",
            sa.String(),
            "study of its input; empty: not claimed yet, or it names no single one",
        ),
        _column(
            "input_json",
            sa.String(),
            "SOP Instance UIDs of its input, as JSON; empty list: all of the study",
        ),
        _column("attempt", sa.Integer(), "how often it was taken up"),
        _optional(
            "claimed_by",
            sa.String(),
            "process that is at it, host:pid:starttime; empty: nobody is",
        ),
        _column("created_at", UtcDateTime(), "when it was found"),
        _column("available_at", UtcDateTime(), "not to be taken up before"),
        _column("expires_at", UtcDateTime(), "canceled if it is not done by then"),
        _optional("started_at", UtcDateTime(), "when the node had claimed it"),
        _optional("finished_at", UtcDateTime(), "when it ended for the node; empty: it is open"),
        _optional("error_code", sa.String(), "what went wrong last, one word"),
        _optional("error_message", sa.String(), "what went wrong last"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"]),
        sa.UniqueConstraint("work_list", "sop_instance_uid"),
        comment="work items of work lists",
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_work_item_open",
        "work_item",
        ["work_list", "available_at", "id"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_index("ix_work_item_study_id", "work_item", ["study_id"])


def _column(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


def _optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True, comment=comment)
