"""Studies are searched by Patient's Name and by Study Date."""

import sqlalchemy as sa
from alembic import op

from storage.migrations.words import add_column
from storage.person_names import name_key

revision = "0.6.3"
down_revision = "0.6.1"


def upgrade() -> None:
    """Add the folded name of each study, and the index of the dates."""
    add_column(
        "study",
        "patient_name_key",
        sa.String(),
        "patient_name as it is searched for: without case, width and accents",
    )
    study = sa.table(
        "study", sa.column("id"), sa.column("patient_name"), sa.column("patient_name_key")
    )
    connection = op.get_bind()
    keys = [
        {"study": number, "key": name_key(name)}
        for number, name in connection.execute(sa.select(study.c.id, study.c.patient_name))
    ]
    if keys:
        fill = study.update().where(study.c.id == sa.bindparam("study"))
        connection.execute(fill.values(patient_name_key=sa.bindparam("key")), keys)
    op.create_index("ix_study_study_date", "study", ["study_date", "last_received_at", "id"])
