"""Corrections: rejection notes, corrected identification, withdrawn studies."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import RowId, UtcDateTime

revision = "0.2.4"
down_revision = "0.2.3"


def upgrade() -> None:
    """Make the tables."""
    _rejections()
    _study_corrections()


def _column(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


def _optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True, comment=comment)


def _rejections() -> None:
    op.create_table(
        "rejection_note",
        _column("id", RowId, "our number of this row"),
        _column("instance_id", RowId, "the Key Object Selection that it is"),
        _column("code", sa.String(), "its title: 113001, 113037, 113038 or 113039 (DCM)"),
        _column("ignored_because", sa.String(), "why it has no effect; empty: it has"),
        _column("recorded_at", UtcDateTime(), "when it was read"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"]),
        sa.UniqueConstraint("instance_id"),
        comment="IOCM rejection notes that were received",
    )
    op.create_table(
        "rejection",
        _column("note_id", RowId, "the note"),
        _column("sop_instance_uid", sa.String(), "SOP Instance UID that it rejects"),
        _column("study_instance_uid", sa.String(), "Study Instance UID that it names for it"),
        sa.PrimaryKeyConstraint("note_id", "sop_instance_uid"),
        sa.ForeignKeyConstraint(["note_id"], ["rejection_note.id"]),
        comment="which instances the rejection notes reject, received or not",
    )
    op.create_index("ix_rejection_study_instance_uid", "rejection", ["study_instance_uid"])


def _study_corrections() -> None:
    kind = sa.Enum(
        "identification",
        "withdrawal",
        "reinstatement",
        name="kind",
        native_enum=False,
        create_constraint=True,
        length=24,
    )
    op.create_table(
        "study_correction",
        _column("id", RowId, "our number of this row"),
        _column("study_id", RowId, "the study"),
        _column("kind", kind, "identification, withdrawal or reinstatement"),
        _column("at", UtcDateTime(), "when it was ordered"),
        _column("actor", sa.String(), "user who ordered it"),
        _column("reason", sa.String(), "why, for the reader of the report"),
        _optional("patient_id", sa.String(), "corrected Patient ID (0010,0020)"),
        _optional("patient_name", sa.String(), "corrected Patient's Name (0010,0010)"),
        _optional("patient_birth_date", sa.String(), "corrected Birth Date (0010,0030)"),
        _optional("patient_sex", sa.String(), "corrected Patient's Sex (0010,0040)"),
        _optional("accession_number", sa.String(), "corrected Accession Number (0008,0050)"),
        _column("previous_patient_id", sa.String(), "Patient ID of the study before"),
        _column("previous_patient_name", sa.String(), "Patient's Name of the study before"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"]),
        comment="what administrators corrected of studies, in order",
    )
    op.create_index("ix_study_correction_study_id", "study_correction", ["study_id", "id"])
