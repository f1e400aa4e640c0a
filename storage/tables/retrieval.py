"""The tables of retrieval: what is fetched from archives, for whom, and how far."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.states import FetchState, PullState
from storage.tables.base import Base
from storage.tables.columns import RowId, words


class Pull(Base):
    """One order to fetch studies from an archive."""

    __tablename__ = "pull"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    archive: Mapped[str] = mapped_column(comment="name of the archive in the settings")
    actor: Mapped[str] = mapped_column(comment="user who ordered it")
    criteria_json: Mapped[str] = mapped_column(
        comment="what was asked for, as JSON; empty object once all of it is here"
    )
    priors: Mapped[int] = mapped_column(comment="earlier studies of each patient to fetch too")
    state: Mapped[PullState] = mapped_column(
        words(PullState, "state"), comment="searching, fetching, done or incomplete"
    )
    claimed_by: Mapped[str | None] = mapped_column(
        comment="process that is at it, host:pid:starttime; empty: nobody is"
    )
    ordered_at: Mapped[datetime] = mapped_column(comment="when it was ordered")
    ended_at: Mapped[datetime | None] = mapped_column(comment="when it was done or incomplete")
    __table_args__ = (
        Index("ix_pull_archive", archive, "id"),
        {"comment": "orders to fetch studies from archives", "sqlite_autoincrement": True},
    )


class PulledStudy(Base):
    """One study that a pull found, and how much of it is here."""

    __tablename__ = "pulled_study"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    pull_id: Mapped[int] = mapped_column(ForeignKey("pull.id"), comment="the pull")
    study_id: Mapped[int | None] = mapped_column(
        ForeignKey("study.id"), comment="the study, once some of it is here"
    )
    study_instance_uid: Mapped[str] = mapped_column(comment="Study Instance UID (0020,000D)")
    patient_id: Mapped[str] = mapped_column(comment="Patient ID (0010,0020), by the archive")
    accession_number: Mapped[str] = mapped_column(comment="Accession Number (0008,0050), same")
    study_date: Mapped[str] = mapped_column(comment="Study Date (0008,0020), same")
    prior_of_uid: Mapped[str] = mapped_column(
        comment="Study Instance UID of the study it is an earlier one to; empty: none"
    )
    state: Mapped[FetchState] = mapped_column(
        words(FetchState, "state"), comment="waiting, running, done, incomplete or failed"
    )
    attempt: Mapped[int] = mapped_column(comment="how often it was begun")
    listed: Mapped[int | None] = mapped_column(
        comment="instances that the archive lists; empty: it does not tell"
    )
    present: Mapped[int] = mapped_column(comment="how many of them are here")
    refused: Mapped[int] = mapped_column(comment="how many the archive said it could not send")
    error_code: Mapped[str | None] = mapped_column(comment="what went wrong last, one word")
    error_message: Mapped[str | None] = mapped_column(comment="what went wrong last")
    ended_at: Mapped[datetime | None] = mapped_column(comment="when it was last done or given up")
    __table_args__ = (
        UniqueConstraint(pull_id, study_instance_uid),
        Index("ix_pulled_study_state", pull_id, state, "id"),
        Index("ix_pulled_study_study_id", study_id),
        {"comment": "studies that pulls found", "sqlite_autoincrement": True},
    )
