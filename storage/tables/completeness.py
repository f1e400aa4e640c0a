"""The tables of completeness: what a study is said to hold, whether it is held, what is missing."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.states import AnnouncementKind, StepState
from storage.tables.base import Base
from storage.tables.columns import RowId, words


class Announcement(Base):
    """What somebody said about one study: that it is being made, or what it holds."""

    __tablename__ = "announcement"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    kind: Mapped[AnnouncementKind] = mapped_column(
        words(AnnouncementKind, "kind"), comment="procedure step, availability or archive"
    )
    sop_instance_uid: Mapped[str] = mapped_column(
        comment="SOP Instance UID of the step or notification; archive: empty"
    )
    study_instance_uid: Mapped[str] = mapped_column(comment="Study Instance UID that it names")
    study_id: Mapped[int | None] = mapped_column(
        ForeignKey("study.id"), comment="the study, once its first instance came"
    )
    state: Mapped[StepState] = mapped_column(
        words(StepState, "state"),
        comment="in progress, completed or discontinued; completed: all but procedure steps",
    )
    peer: Mapped[str] = mapped_column(comment="name of the peer or archive in the settings")
    announced_at: Mapped[datetime] = mapped_column(comment="when it was said first")
    updated_at: Mapped[datetime] = mapped_column(comment="when it was said last")
    __table_args__ = (
        UniqueConstraint(sop_instance_uid, study_instance_uid),
        Index("ix_announcement_study_id", study_id, "id"),
        Index(
            "ix_announcement_ahead",
            study_instance_uid,
            sqlite_where=study_id.is_(None),
            postgresql_where=study_id.is_(None),
        ),
        {"comment": "what peers and archives said about studies"},
    )


class AnnouncedInstance(Base):
    """One instance that an announcement names, whether it came or not."""

    __tablename__ = "announced_instance"
    announcement_id: Mapped[int] = mapped_column(
        ForeignKey("announcement.id"), primary_key=True, comment="the announcement"
    )
    sop_instance_uid: Mapped[str] = mapped_column(
        primary_key=True, comment="Referenced SOP Instance UID (0008,1155)"
    )
    __table_args__ = ({"comment": "instances that announcements name, received or not"},)


class ArchiveCount(Base):
    """How many instances of a study an archive says it has."""

    __tablename__ = "archive_count"
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id"), primary_key=True, comment="the study"
    )
    asked_at: Mapped[datetime] = mapped_column(comment="when the archive was asked last")
    instances: Mapped[int | None] = mapped_column(
        comment="Number of Study Related Instances (0020,1208); empty: it did not say"
    )
    failures: Mapped[int] = mapped_column(comment="how often in a row it did not answer")
    ask_at: Mapped[datetime] = mapped_column(comment="not to be asked again before")
    __table_args__ = ({"comment": "how many instances an archive says that studies have"},)


class StudyHold(Base):
    """That an administrator holds a study: it is not completed by the clock."""

    __tablename__ = "study_hold"
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id"), primary_key=True, comment="the study"
    )
    held_at: Mapped[datetime] = mapped_column(comment="since when")
    actor: Mapped[str] = mapped_column(comment="user who ordered it")
    reason: Mapped[str] = mapped_column(comment="why")
    __table_args__ = ({"comment": "studies that wait for an administrator"},)


class MissingInstances(Base):
    """An alarm: instances of a study were announced and did not come in time."""

    __tablename__ = "missing_instances"
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id"), primary_key=True, comment="the study"
    )
    missing: Mapped[int] = mapped_column(comment="how many; that many are no longer waited for")
    raised_at: Mapped[datetime] = mapped_column(comment="when the alarm was raised last")
    cleared_at: Mapped[datetime | None] = mapped_column(
        comment="when they came, or an administrator did without; empty: the alarm stands"
    )
    __table_args__ = (
        Index(
            "ix_missing_instances_open",
            raised_at,
            "study_id",
            sqlite_where=cleared_at.is_(None),
            postgresql_where=cleared_at.is_(None),
        ),
        {"comment": "studies that lack announced instances"},
    )
