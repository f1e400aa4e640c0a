"""The tables of studies: who brought them, what they hold, when they were complete."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.states import DueReason, Ending, StudyState
from storage.tables.base import NUMBERED_ONCE, Base, link, partial_index, row_id
from storage.tables.columns import RowId, words


class Association(Base):
    """One association that a peer opened to us."""

    __tablename__ = "association"
    association_id: Mapped[str] = mapped_column(
        primary_key=True, comment="UUID that the listener gave it"
    )
    peer: Mapped[str] = mapped_column(comment="name of the peer in the settings")
    calling_aet: Mapped[str] = mapped_column(comment="calling AE title")
    called_aet: Mapped[str] = mapped_column(comment="called AE title")
    address: Mapped[str] = mapped_column(comment="network address it came from")
    owner: Mapped[str] = mapped_column(comment="listener process, host:pid:starttime")
    opened_at: Mapped[datetime] = mapped_column(comment="when it was accepted")
    closed_at: Mapped[datetime | None] = mapped_column(comment="when it ended; empty: still open")
    ending: Mapped[Ending | None] = mapped_column(
        words(Ending, "ending"), comment="released, aborted or lost; empty: still open"
    )
    heard_at: Mapped[datetime | None] = mapped_column(comment="when bytes last came on it")
    __table_args__ = (
        partial_index("ix_association_open", owner, where=closed_at.is_(None)),
        {"comment": "associations that peers opened to this node"},
    )


class Study(Base):
    """One study, and when it is judged next."""

    __tablename__ = "study"
    id: Mapped[int] = row_id()
    study_instance_uid: Mapped[str] = mapped_column(comment="Study Instance UID (0020,000D)")
    patient_id: Mapped[str] = mapped_column(comment="first Patient ID (0010,0020) that was given")
    patient_name: Mapped[str] = mapped_column(comment="first Patient's Name (0010,0010) given")
    patient_name_key: Mapped[str | None] = mapped_column(
        comment="patient_name as it is searched for: without case, width and accents"
    )
    accession_number: Mapped[str] = mapped_column(comment="Accession Number (0008,0050)")
    study_date: Mapped[str] = mapped_column(comment="Study Date (0008,0020), YYYYMMDD")
    study_time: Mapped[str | None] = mapped_column(comment="Study Time (0008,0030)")
    issuer_of_patient_id: Mapped[str | None] = mapped_column(
        comment="first Issuer of Patient ID (0010,0021) given"
    )
    patient_birth_date: Mapped[str | None] = mapped_column(
        comment="first Patient's Birth Date (0010,0030) given"
    )
    patient_sex: Mapped[str | None] = mapped_column(comment="first Patient's Sex (0010,0040) given")
    patient_conflict: Mapped[bool] = mapped_column(
        comment="true: some instance names another patient"
    )
    state: Mapped[StudyState] = mapped_column(
        words(StudyState, "state"), comment="receiving or complete"
    )
    revision: Mapped[int] = mapped_column(comment="how often it was complete; 0: never yet")
    instances: Mapped[int] = mapped_column(comment="number of instances stored")
    opened_at: Mapped[datetime] = mapped_column(comment="when its first instance came")
    revision_began_at: Mapped[datetime] = mapped_column(
        comment="when the first instance of the revision being received came"
    )
    last_received_at: Mapped[datetime] = mapped_column(comment="when its last instance came")
    completed_at: Mapped[datetime | None] = mapped_column(comment="when it was last complete")
    removed_at: Mapped[datetime | None] = mapped_column(comment="when its files left the spool")
    look_at: Mapped[datetime | None] = mapped_column(
        comment="when the clock judges it next; empty: nothing is waited for"
    )
    __table_args__ = (
        UniqueConstraint(study_instance_uid),
        partial_index("ix_study_look", look_at, where=look_at.isnot(None)),
        partial_index("ix_study_kept", state, completed_at, "id", where=removed_at.is_(None)),
        Index("ix_study_state", state, last_received_at, "id"),
        Index("ix_study_last_received_at", last_received_at, "id"),
        Index("ix_study_study_date", study_date, last_received_at, "id"),
        Index("ix_study_patient_id", patient_id, last_received_at, "id"),
        Index("ix_study_patient_date", patient_id, study_date),
        Index("ix_study_accession_number", accession_number, last_received_at, "id"),
        {"comment": "studies that were received", **NUMBERED_ONCE},
    )


class AssociationStudy(Base):
    """That an association carried a study."""

    __tablename__ = "association_study"
    association_id: Mapped[str] = link(
        "association.association_id", "the association", primary_key=True
    )
    study_id: Mapped[int] = link("study.id", "a study it carried", primary_key=True)
    instances: Mapped[int] = mapped_column(comment="instances of the study that it brought")
    quiet_s: Mapped[float] = mapped_column(comment="quiet period of its peer, seconds")
    last_received_at: Mapped[datetime] = mapped_column(comment="when it brought the last of them")
    first_received_at: Mapped[datetime | None] = mapped_column(
        comment="when it brought the first of them; empty: not recorded"
    )
    __table_args__ = (
        Index("ix_association_study_study_id", study_id),
        {"comment": "which association carried which studies"},
    )


class Instance(Base):
    """One stored SOP instance."""

    __tablename__ = "instance"
    id: Mapped[int] = row_id()
    study_id: Mapped[int] = link("study.id", "its study")
    sop_class_uid: Mapped[str] = mapped_column(comment="SOP Class UID (0008,0016)")
    sop_instance_uid: Mapped[str] = mapped_column(comment="SOP Instance UID (0008,0018)")
    series_instance_uid: Mapped[str] = mapped_column(comment="Series Instance UID (0020,000E)")
    transfer_syntax_uid: Mapped[str] = mapped_column(
        comment="Transfer Syntax UID (0002,0010) it is stored in"
    )
    modality: Mapped[str] = mapped_column(comment="Modality (0008,0060)")
    instance_number: Mapped[str] = mapped_column(comment="Instance Number (0020,0013)")
    patient_differs: Mapped[bool] = mapped_column(comment="true: not the patient of its study")
    names_patient: Mapped[bool | None] = mapped_column(comment="true: it has a Patient ID")
    digest: Mapped[str] = mapped_column(
        comment="SHA-256 of the file; objects/ab/cd/<digest>.dcm in the spool"
    )
    size_bytes: Mapped[int] = mapped_column(RowId, comment="size of the file, bytes")
    peer: Mapped[str] = mapped_column(comment="peer that sent it first")
    association_id: Mapped[str] = link("association.association_id", "association that brought it")
    received_at: Mapped[datetime] = mapped_column(comment="when it was received")
    removed_at: Mapped[datetime | None] = mapped_column(comment="when its file left the spool")
    __table_args__ = (
        UniqueConstraint(sop_instance_uid),
        Index("ix_instance_study_id", study_id, "id"),
        partial_index("ix_instance_digest", digest, where=removed_at.is_(None)),
        {"comment": "instances stored in the spool", **NUMBERED_ONCE},
    )


class StudyRevision(Base):
    """One time that a study was complete."""

    __tablename__ = "study_revision"
    study_id: Mapped[int] = link("study.id", "the study", primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, comment="1, 2, ...")
    reason: Mapped[DueReason] = mapped_column(
        words(DueReason, "reason"), comment="why it counted as complete"
    )
    instances: Mapped[int] = mapped_column(comment="instances stored by then")
    began_at: Mapped[datetime] = mapped_column(comment="when its first new instance came")
    completed_at: Mapped[datetime] = mapped_column(comment="when it was complete")
    __table_args__ = ({"comment": "each time that a study was complete"},)
