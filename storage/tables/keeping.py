"""The tables of keeping: which spool it is, what is about to leave it, and what was purged."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base
from storage.tables.columns import RowId


class SpoolIdentity(Base):
    """The spool that belongs to this database."""

    __tablename__ = "spool_identity"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="always 1")
    identity: Mapped[str] = mapped_column(comment="what the file spool.id in the spool holds")
    adopted_at: Mapped[datetime] = mapped_column(comment="since when")
    __table_args__ = ({"comment": "the spool that belongs to this database"},)


class SpoolRemoval(Base):
    """A file that is to leave the spool, unless a row still needs it."""

    __tablename__ = "spool_removal"
    digest: Mapped[str] = mapped_column(primary_key=True, comment="SHA-256 of the file")
    __table_args__ = ({"comment": "files that are about to leave the spool"},)


class PurgedStudy(Base):
    """The proof that a study was removed on purpose; it names nobody."""

    __tablename__ = "purged_study"
    study_id: Mapped[int] = mapped_column(
        RowId, primary_key=True, autoincrement=False, comment="study.id at that time"
    )
    salt: Mapped[str] = mapped_column(comment="16 random bytes, in hex")
    study_hash: Mapped[str] = mapped_column(
        comment="SHA-256 of salt and Study Instance UID, both as text, in hex"
    )
    purged_at: Mapped[datetime] = mapped_column(comment="when")
    actor: Mapped[str] = mapped_column(comment="user who did it")
    reason: Mapped[str] = mapped_column(comment="why, in the user's words")
    instances: Mapped[int] = mapped_column(comment="instances that were removed")
    __table_args__ = ({"comment": "studies that were removed on purpose"},)
