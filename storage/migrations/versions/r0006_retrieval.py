"""Retrieval: what is fetched from archives, and how far."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import RowId, UtcDateTime

revision = "0.3.2"
down_revision = "0.3.1"


def upgrade() -> None:
    """Make the tables."""
    _pulls()
    _pulled_studies()


def _column(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


def _optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True, comment=comment)


def _state(*words: str) -> sa.Enum:
    return sa.Enum(*words, name="state", native_enum=False, create_constraint=True, length=24)


def _pulls() -> None:
    op.create_table(
        "pull",
        _column("id", RowId, "our number of this row"),
        _column("archive", sa.String(), "name of the archive in the settings"),
        _column("actor", sa.String(), "user who ordered it"),
        _column(
            "criteria_json",
            sa.String(),
            "what was asked for, as JSON; empty object once all of it is here",
        ),
        _column("priors", sa.Integer(), "earlier studies of each patient to fetch too"),
        _column(
            "state",
            _state("searching", "fetching", "done", "incomplete"),
            "searching, fetching, done or incomplete",
        ),
        _optional(
            "claimed_by",
            sa.String(),
            "process that is at it, host:pid:starttime; empty: nobody is",
        ),
        _column("ordered_at", UtcDateTime(), "when it was ordered"),
        _optional("ended_at", UtcDateTime(), "when it was done or incomplete"),
        sa.PrimaryKeyConstraint("id"),
        comment="orders to fetch studies from archives",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pull_archive", "pull", ["archive", "id"])


def _pulled_studies() -> None:
    op.create_table(
        "pulled_study",
        _column("id", RowId, "our number of this row"),
        _column("pull_id", RowId, "the pull"),
        _optional("study_id", RowId, "the study, once some of it is here"),
        _column("study_instance_uid", sa.String(), "Study Instance UID (0020,000D)"),
        _column("patient_id", sa.String(), "Patient ID (0010,0020), by the archive"),
        _column("accession_number", sa.String(), "Accession Number (0008,0050), same"),
        _column("study_date", sa.String(), "Study Date (0008,0020), same"),
        _column(
            "prior_of_uid",
            sa.String(),
            "Study Instance UID of the study it is an earlier one to; empty: none",
        ),
        _column(
            "state",
            _state("waiting", "running", "done", "incomplete", "failed"),
            "waiting, running, done, incomplete or failed",
        ),
        _column("attempt", sa.Integer(), "how often it was begun"),
        _optional(
            "listed", sa.Integer(), "instances that the archive lists; empty: it does not tell"
        ),
        _column("present", sa.Integer(), "how many of them are here"),
        _column("refused", sa.Integer(), "how many the archive said it could not send"),
        _optional("error_code", sa.String(), "what went wrong last, one word"),
        _optional("error_message", sa.String(), "what went wrong last"),
        _optional("ended_at", UtcDateTime(), "when it was last done or given up"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["pull_id"], ["pull.id"]),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"]),
        sa.UniqueConstraint("pull_id", "study_instance_uid"),
        comment="studies that pulls found",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_pulled_study_state", "pulled_study", ["pull_id", "state", "id"])
    op.create_index("ix_pulled_study_study_id", "pulled_study", ["study_id"])
