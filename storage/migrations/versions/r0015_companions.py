"""Cases over several studies: what tells a patient's studies apart, and which belong together."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.migrations.words import add_column, allow
from storage.tables.columns import RowId

revision = "0.4.5"
down_revision = "0.4.4"

_REASONS = (
    "quiet period",
    "association released",
    "hard limit",
    "correction",
    "all expected received",
    "association broken",
    "ordered by hand",
    "rerun",
)
_COLUMNS = {
    "study_time": "Study Time (0008,0030)",
    "issuer_of_patient_id": "first Issuer of Patient ID (0010,0021) given",
    "patient_birth_date": "first Patient's Birth Date (0010,0030) given",
    "patient_sex": "first Patient's Sex (0010,0040) given",
}


def upgrade() -> None:
    """Make table and columns; what is known of older studies goes into them."""
    for column, comment in _COLUMNS.items():
        add_column("study", column, sa.String(), comment)
    op.create_index("ix_study_patient_date", "study", ["patient_id", "study_date"])
    for table, column in (("study", "due_reason"), ("study_revision", "reason")):
        allow(table, column, _REASONS, (*_REASONS, "companion changed"))
    op.create_table(
        "companion",
        _key("study_id", RowId, "the study that is reported on"),
        _key("pipeline", sa.String(), "name of the pipeline"),
        _key("companion_id", RowId, "a study of the same patient that takes part"),
        sa.PrimaryKeyConstraint("study_id", "pipeline", "companion_id"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"]),
        sa.ForeignKeyConstraint(["companion_id"], ["study.id"]),
        comment="which other studies take part in the reports on a study",
    )
    op.create_index("ix_companion_companion_id", "companion", ["companion_id", "pipeline"])
    _keep_what_is_known()


def _keep_what_is_known() -> None:
    """What instances said first, unless it was corrected since.

    Older studies have no time and, unless it was corrected, no sex. Those that came before 0.4.0
    have neither issuer nor birth date. Of whom nothing is known, nothing contradicts.
    """
    told = ("issuer_of_patient_id", "patient_birth_date")
    corrected = (*told, "patient_sex")
    study = _columns("study", *corrected)
    named = _columns("study_patient", "study_id", "differs", *told)
    order = _columns("study_correction", "study_id", *corrected)
    for column in told:
        first = (
            sa.select(named.c[column])
            .where(
                named.c.study_id == study.c.id, named.c[column] != "", named.c.differs == sa.false()
            )
            .order_by(named.c.id)
            .limit(1)
        )
        op.execute(sa.update(study).values({column: first.scalar_subquery()}))
    for column in corrected:
        last = (
            sa.select(order.c[column])
            .where(order.c.study_id == study.c.id, order.c[column].isnot(None))
            .order_by(order.c.id.desc())
            .limit(1)
        )
        changed = sa.update(study).where(last.exists())
        op.execute(changed.values({column: last.scalar_subquery()}))


def _columns(table: str, *columns: str) -> sa.TableClause:
    return sa.table(table, *map(sa.column, ("id", *columns)))


def _key(name: str, kind: sa.types.TypeEngine[Any], comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, autoincrement=False, nullable=False, comment=comment)
