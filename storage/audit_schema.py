"""The tables over the audit: its seals, and how far each audit repository was told of it.

They are part of `storage.schema`, which loads this module.
"""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.columns import RowId
from storage.schema import Base


class AuditSeal(Base):
    """One link of the chain over the audit. Rows are only ever added."""

    __tablename__ = "audit_seal"
    position: Mapped[int] = mapped_column(
        RowId, primary_key=True, autoincrement=False, comment="1, 2, ...: place in the chain"
    )
    event_id: Mapped[int] = mapped_column(RowId, comment="audit_event.id of the sealed event")
    digest: Mapped[str] = mapped_column(comment="SHA-256 of the event's canonical form")
    sealed_at: Mapped[datetime] = mapped_column(comment="when the event was sealed")
    chain: Mapped[str] = mapped_column(comment="SHA-256 over the chain before and this row")
    __table_args__ = (
        UniqueConstraint(event_id),
        {"comment": "audit: a chain of digests over its events"},
    )


class AuditCursor(Base):
    """How far one audit repository was told of the audit."""

    __tablename__ = "audit_cursor"
    repository: Mapped[str] = mapped_column(
        primary_key=True, comment="name of the audit repository in the settings"
    )
    position: Mapped[int] = mapped_column(RowId, comment="audit_seal.position it was told up to")
    advanced_at: Mapped[datetime] = mapped_column(comment="when it was told last")
    __table_args__ = ({"comment": "how far each audit repository was told of the audit"},)
