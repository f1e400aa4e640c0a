"""Completeness: what peers say a study holds, holds by hand, alarms."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.migrations.words import allow
from storage.tables.columns import RowId, UtcDateTime

revision = "0.3.1"
down_revision = "0.2.4"

_REASONS = ("quiet period", "association released", "hard limit", "correction")
_NEW_REASONS = ("all expected received", "association broken", "ordered by hand", "rerun")


def upgrade() -> None:
    """Make the tables."""
    for table, column in (("study", "due_reason"), ("study_revision", "reason")):
        allow(table, column, _REASONS, (*_REASONS, *_NEW_REASONS))
    _add_look_at("when it is judged next; empty: at due_at, if that is not empty")
    _announcements()
    _archive_count()
    _orders()


def _column(name: str, kind: Any, comment: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable, autoincrement=False, comment=comment)


def _words(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def _add_look_at(comment: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        # Written out, since Alembic would leave away the comment for whoever reads `.schema`.
        op.execute(f"ALTER TABLE study ADD COLUMN look_at VARCHAR(27) /* {comment} */")
    else:
        op.add_column("study", sa.Column("look_at", UtcDateTime(), nullable=True, comment=comment))
    _index("ix_study_look", "study", "look_at", where="look_at IS NOT NULL")


def _index(name: str, table: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, list(columns), sqlite_where=condition, postgresql_where=condition)


def _announcements() -> None:
    op.create_table(
        "announcement",
        sa.Column("id", RowId, nullable=False, comment="our number of this row"),
        _column(
            "kind",
            _words("kind", "procedure step", "availability", "archive"),
            "procedure step, availability or archive",
        ),
        _column(
            "sop_instance_uid",
            sa.String(),
            "SOP Instance UID of the step or notification; archive: empty",
        ),
        _column("study_instance_uid", sa.String(), "Study Instance UID that it names"),
        _column("study_id", RowId, "the study, once its first instance came", nullable=True),
        _column(
            "state",
            _words("state", "in progress", "completed", "discontinued"),
            "in progress, completed or discontinued; completed: all but procedure steps",
        ),
        _column("peer", sa.String(), "name of the peer or archive in the settings"),
        _column("announced_at", UtcDateTime(), "when it was said first"),
        _column("updated_at", UtcDateTime(), "when it was said last"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"]),
        sa.UniqueConstraint("sop_instance_uid", "study_instance_uid"),
        comment="what peers and archives said about studies",
    )
    _index("ix_announcement_study_id", "announcement", "study_id", "id")
    _index("ix_announcement_ahead", "announcement", "study_instance_uid", where="study_id IS NULL")
    op.create_table(
        "announced_instance",
        _column("announcement_id", RowId, "the announcement"),
        _column("sop_instance_uid", sa.String(), "Referenced SOP Instance UID (0008,1155)"),
        sa.PrimaryKeyConstraint("announcement_id", "sop_instance_uid"),
        sa.ForeignKeyConstraint(["announcement_id"], ["announcement.id"]),
        comment="instances that announcements name, received or not",
    )


def _archive_count() -> None:
    op.create_table(
        "archive_count",
        _column("study_id", RowId, "the study"),
        _column("asked_at", UtcDateTime(), "when the archive was asked last"),
        _column(
            "instances",
            sa.Integer(),
            "Number of Study Related Instances (0020,1208); empty: it did not say",
            nullable=True,
        ),
        _column("failures", sa.Integer(), "how often in a row it did not answer"),
        _column("ask_at", UtcDateTime(), "not to be asked again before"),
        sa.PrimaryKeyConstraint("study_id"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"]),
        comment="how many instances an archive says that studies have",
    )


def _orders() -> None:
    """What an administrator is told, and what he orders."""
    op.create_table(
        "study_hold",
        _column("study_id", RowId, "the study"),
        _column("held_at", UtcDateTime(), "since when"),
        _column("actor", sa.String(), "user who ordered it"),
        _column("reason", sa.String(), "why"),
        sa.PrimaryKeyConstraint("study_id"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"]),
        comment="studies that wait for an administrator",
    )
    op.create_table(
        "missing_instances",
        _column("study_id", RowId, "the study"),
        _column("missing", sa.Integer(), "how many; that many are no longer waited for"),
        _column("raised_at", UtcDateTime(), "when the alarm was raised last"),
        _column(
            "cleared_at",
            UtcDateTime(),
            "when they came, or an administrator did without; empty: the alarm stands",
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("study_id"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"]),
        comment="studies that lack announced instances",
    )
    _index(
        "ix_missing_instances_open",
        "missing_instances",
        "raised_at",
        "study_id",
        where="cleared_at IS NULL",
    )
