"""The tables of the audit: its events, their seals, and how far each audit repository was told."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, partial_index, row_id
from storage.tables.columns import RowId


class AuditEvent(Base):
    """One thing that happened. Rows are only ever added; they outlive what they speak of."""

    __tablename__ = "audit_event"
    id: Mapped[int] = row_id()
    at: Mapped[datetime] = mapped_column(comment="when")
    action: Mapped[str] = mapped_column(comment="what, such as INSTANCE_STORED")
    outcome: Mapped[str] = mapped_column(comment="success or failure")
    actor: Mapped[str | None] = mapped_column(comment="process (host:pid:starttime) or user")
    peer: Mapped[str | None] = mapped_column(comment="name of the peer in the settings")
    address: Mapped[str | None] = mapped_column(comment="network address of the peer")
    association_id: Mapped[str | None] = mapped_column(comment="UUID of association")
    study_id: Mapped[int | None] = mapped_column(RowId, comment="study.id at that time")
    patient_id: Mapped[str | None] = mapped_column(comment="Patient ID (0010,0020)")
    accession_number: Mapped[str | None] = mapped_column(comment="Accession Number (0008,0050)")
    sop_instance_uid: Mapped[str | None] = mapped_column(comment="SOP Instance UID (0008,0018)")
    detail: Mapped[str] = mapped_column(comment="more, as JSON")
    __table_args__ = (
        Index("ix_audit_event_at", at, "id"),
        Index("ix_audit_event_action", action, at, "id"),
        partial_index("ix_audit_event_peer", peer, at, "id", where=peer.isnot(None)),
        partial_index("ix_audit_event_peer_action", peer, action, at, "id", where=peer.isnot(None)),
        partial_index("ix_audit_event_patient", patient_id, at, "id", where=patient_id.isnot(None)),
        partial_index(
            "ix_audit_event_accession",
            accession_number,
            at,
            "id",
            where=accession_number.isnot(None),
        ),
        partial_index("ix_audit_event_study", study_id, at, "id", where=study_id.isnot(None)),
        {"comment": "audit: everything that happened", "sqlite_autoincrement": True},
    )


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
