"""The tables of work beside its jobs: which spool it reads, and who runs which pipeline.

They are part of `storage.schema`, which loads this module.
"""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from storage.schema import Base


class SpoolIdentity(Base):
    """The spool that belongs to this database."""

    __tablename__ = "spool_identity"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="always 1")
    identity: Mapped[str] = mapped_column(comment="what the file spool.id in the spool holds")
    adopted_at: Mapped[datetime] = mapped_column(comment="since when")
    __table_args__ = ({"comment": "the spool that belongs to this database"},)


class PipelinePlace(Base):
    """That a worker runs a pipeline."""

    __tablename__ = "pipeline_place"
    place: Mapped[str] = mapped_column(
        primary_key=True, comment="where its worker runs, host:state_dir"
    )
    pipeline: Mapped[str] = mapped_column(primary_key=True, comment="name of the pipeline")
    seen_at: Mapped[datetime] = mapped_column(comment="when its worker last said so")
    __table_args__ = ({"comment": "which pipelines workers run, and where"},)
