"""The tables of what comes in and is not simply kept: patients, conflicts, refusals, alarms."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.states import AlarmKind
from storage.tables.base import Base
from storage.tables.columns import RowId, words


class InstanceConflict(Base):
    """Other bytes that came under the UID of a stored instance; the stored ones stay."""

    __tablename__ = "instance_conflict"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    instance_id: Mapped[int] = mapped_column(
        ForeignKey("instance.id"), comment="the stored instance of that UID"
    )
    digest: Mapped[str] = mapped_column(
        comment="SHA-256 of the other bytes, which the spool keeps too"
    )
    size_bytes: Mapped[int] = mapped_column(RowId, comment="their size, bytes")
    peer: Mapped[str] = mapped_column(comment="peer that sent them first")
    association_id: Mapped[str] = mapped_column(
        ForeignKey("association.association_id"), comment="association that brought them first"
    )
    received_at: Mapped[datetime] = mapped_column(comment="when they first came")
    __table_args__ = (
        UniqueConstraint(instance_id, digest),
        Index("ix_instance_conflict_digest", digest),
        {"comment": "other bytes sent under the UID of a stored instance"},
    )


class StudyPatient(Base):
    """One patient that instances of a study name, or that a correction gave it."""

    __tablename__ = "study_patient"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), comment="the study")
    patient_id: Mapped[str] = mapped_column(comment="Patient ID (0010,0020); empty: not given")
    issuer_of_patient_id: Mapped[str] = mapped_column(comment="Issuer of Patient ID (0010,0021)")
    patient_name: Mapped[str] = mapped_column(comment="Patient's Name (0010,0010)")
    patient_birth_date: Mapped[str] = mapped_column(comment="Patient's Birth Date (0010,0030)")
    differs: Mapped[bool] = mapped_column(comment="true: not the patient of the study")
    __table_args__ = (
        Index("ix_study_patient_study_id", study_id, "id"),
        {"comment": "whom the instances of studies name, each patient once"},
    )


class RefusedInstance(Base):
    """An instance that was refused and has not come since; it goes when the instance arrives."""

    __tablename__ = "refused_instance"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    sop_instance_uid: Mapped[str] = mapped_column(comment="SOP Instance UID that its sender named")
    study_instance_uid: Mapped[str] = mapped_column(
        comment="Study Instance UID of its dataset; empty: not known"
    )
    study_id: Mapped[int | None] = mapped_column(
        ForeignKey("study.id"), comment="the study, once its first instance came"
    )
    peer: Mapped[str] = mapped_column(comment="peer that sent it last")
    status: Mapped[int] = mapped_column(comment="C-STORE status that was answered last")
    reason: Mapped[str] = mapped_column(comment="Error Comment that was answered last")
    times: Mapped[int] = mapped_column(comment="how often it was refused")
    refused_at: Mapped[datetime] = mapped_column(comment="when it was refused last")
    __table_args__ = (
        UniqueConstraint(sop_instance_uid),
        Index("ix_refused_instance_study_id", study_id),
        Index("ix_refused_instance_study_instance_uid", study_instance_uid),
        Index(
            "ix_refused_instance_open",
            refused_at,
            "study_id",
            sqlite_where=study_id.isnot(None),
            postgresql_where=study_id.isnot(None),
        ),
        {"comment": "instances that were refused and not sent again"},
    )


class StudyAlarm(Base):
    """Something about a study that an administrator has to look at."""

    __tablename__ = "study_alarm"
    study_id: Mapped[int] = mapped_column(
        ForeignKey("study.id"), primary_key=True, comment="the study"
    )
    kind: Mapped[AlarmKind] = mapped_column(
        words(AlarmKind, "kind"), primary_key=True, comment="edited or no patient id"
    )
    detail: Mapped[str] = mapped_column(comment="what it is about, without values")
    raised_at: Mapped[datetime] = mapped_column(comment="when it was raised last")
    cleared_at: Mapped[datetime | None] = mapped_column(
        comment="when it was settled; empty: the alarm stands"
    )
    __table_args__ = (
        Index(
            "ix_study_alarm_open",
            raised_at,
            "study_id",
            sqlite_where=cleared_at.is_(None),
            postgresql_where=cleared_at.is_(None),
        ),
        {"comment": "what administrators have to look at"},
    )
