"""The tables. Every column carries its comment, for the admin who reads them by hand.

Times are UTC. Texts are as the peer sent them; an empty text means that the attribute was empty.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column

from storage.columns import AnyText, RowId, UtcDateTime, words
from storage.states import (
    DeliveryState,
    DueReason,
    Ending,
    JobKind,
    JobState,
    Outcome,
    StudyState,
)

#: The audit quotes numbers of rows, so none is given again after its row was purged.
_NUMBERED_ONCE = {"sqlite_autoincrement": True}


class Base(DeclarativeBase):
    """All tables, with predictable names for constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime(), str: AnyText()}


def _row_id() -> MappedColumn[int]:
    return mapped_column(RowId, primary_key=True, comment="our number of this row")


def _link(target: str, comment: str, **options: Any) -> MappedColumn[Any]:
    return mapped_column(ForeignKey(target), comment=comment, **options)


def _partial_index(name: str, *columns: Any, where: ColumnElement[bool]) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


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
    __table_args__ = (
        _partial_index("ix_association_open", owner, where=closed_at.is_(None)),
        {"comment": "associations that peers opened to this node"},
    )


class Study(Base):
    """One study, and when it is due to be complete."""

    __tablename__ = "study"
    id: Mapped[int] = _row_id()
    study_instance_uid: Mapped[str] = mapped_column(comment="Study Instance UID (0020,000D)")
    patient_id: Mapped[str] = mapped_column(comment="first Patient ID (0010,0020) that was given")
    patient_name: Mapped[str] = mapped_column(comment="first Patient's Name (0010,0010) given")
    accession_number: Mapped[str] = mapped_column(comment="Accession Number (0008,0050)")
    study_date: Mapped[str] = mapped_column(comment="Study Date (0008,0020), YYYYMMDD")
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
    due_at: Mapped[datetime | None] = mapped_column(
        comment="when it will count as complete; empty: it does already"
    )
    due_reason: Mapped[DueReason] = mapped_column(
        words(DueReason, "due_reason"), comment="why then"
    )
    hard_limit_at: Mapped[datetime] = mapped_column(comment="due_at is never later than this")
    completed_at: Mapped[datetime | None] = mapped_column(comment="when it was last complete")
    removed_at: Mapped[datetime | None] = mapped_column(comment="when its files left the spool")
    look_at: Mapped[datetime | None] = mapped_column(
        comment="when it is judged next; empty: at due_at, if that is not empty"
    )
    __table_args__ = (
        UniqueConstraint(study_instance_uid),
        _partial_index("ix_study_look", look_at, where=look_at.isnot(None)),
        _partial_index("ix_study_due", due_at, where=due_at.isnot(None)),
        _partial_index("ix_study_kept", state, completed_at, "id", where=removed_at.is_(None)),
        Index("ix_study_state", state, last_received_at, "id"),
        Index("ix_study_last_received_at", last_received_at, "id"),
        Index("ix_study_patient_id", patient_id, last_received_at, "id"),
        Index("ix_study_accession_number", accession_number, last_received_at, "id"),
        {"comment": "studies that were received", **_NUMBERED_ONCE},
    )


class AssociationStudy(Base):
    """That an association carried a study."""

    __tablename__ = "association_study"
    association_id: Mapped[str] = _link(
        "association.association_id", "the association", primary_key=True
    )
    study_id: Mapped[int] = _link("study.id", "a study it carried", primary_key=True)
    instances: Mapped[int] = mapped_column(comment="instances of the study that it brought")
    quiet_s: Mapped[float] = mapped_column(comment="quiet period of its peer, seconds")
    last_received_at: Mapped[datetime] = mapped_column(comment="when it brought the last of them")
    __table_args__ = (
        Index("ix_association_study_study_id", study_id),
        {"comment": "which association carried which studies"},
    )


class Instance(Base):
    """One stored SOP instance."""

    __tablename__ = "instance"
    id: Mapped[int] = _row_id()
    study_id: Mapped[int] = _link("study.id", "its study")
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
    association_id: Mapped[str] = _link("association.association_id", "association that brought it")
    received_at: Mapped[datetime] = mapped_column(comment="when it was received")
    removed_at: Mapped[datetime | None] = mapped_column(comment="when its file left the spool")
    __table_args__ = (
        UniqueConstraint(sop_instance_uid),
        Index("ix_instance_study_id", study_id, "id"),
        _partial_index("ix_instance_digest", digest, where=removed_at.is_(None)),
        {"comment": "instances stored in the spool", **_NUMBERED_ONCE},
    )


class StudyRevision(Base):
    """One time that a study was complete."""

    __tablename__ = "study_revision"
    study_id: Mapped[int] = _link("study.id", "the study", primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, comment="1, 2, ...")
    reason: Mapped[DueReason] = mapped_column(
        words(DueReason, "reason"), comment="why it counted as complete"
    )
    instances: Mapped[int] = mapped_column(comment="instances stored by then")
    began_at: Mapped[datetime] = mapped_column(comment="when its first new instance came")
    completed_at: Mapped[datetime] = mapped_column(comment="when it was complete")
    __table_args__ = ({"comment": "each time that a study was complete"},)


class Job(Base):
    """Work for a pipeline: prepare one instance, or conclude one study revision."""

    __tablename__ = "job"
    id: Mapped[int] = _row_id()
    kind: Mapped[JobKind] = mapped_column(words(JobKind, "kind"), comment="prepare or conclude")
    pipeline: Mapped[str] = mapped_column(comment="name of the pipeline")
    study_id: Mapped[int] = _link("study.id", "the study")
    instance_id: Mapped[int | None] = _link("instance.id", "prepare: the instance")
    revision: Mapped[int | None] = mapped_column(comment="conclude: the revision of the study")
    state: Mapped[JobState] = mapped_column(
        words(JobState, "state"), comment="queued, running, done or failed"
    )
    attempt: Mapped[int] = mapped_column(comment="how often it was claimed")
    created_at: Mapped[datetime] = mapped_column(comment="when it was queued first")
    available_at: Mapped[datetime] = mapped_column(comment="not to be claimed before")
    claimed_by: Mapped[str | None] = mapped_column(comment="running: process, host:pid:starttime")
    lease_until: Mapped[datetime | None] = mapped_column(
        comment="running: whoever claimed it counts as dead after this"
    )
    finished_at: Mapped[datetime | None] = mapped_column(comment="when it was done or failed")
    error_code: Mapped[str | None] = mapped_column(comment="what went wrong last, one word")
    error_message: Mapped[str | None] = mapped_column(comment="what went wrong last")
    postponed: Mapped[int | None] = mapped_column(comment="how often it was put off; empty: never")
    __table_args__ = (
        UniqueConstraint(instance_id, pipeline),
        UniqueConstraint(study_id, pipeline, revision),
        _partial_index("ix_job_claim", pipeline, kind, available_at, "id", where=state == "queued"),
        _partial_index("ix_job_running", "id", where=state == "running"),
        _partial_index("ix_job_failed", kind, "id", where=state == "failed"),
        Index("ix_job_study_id", study_id, kind, state),
        {"comment": "work for pipelines", **_NUMBERED_ONCE},
    )


class Preparation(Base):
    """What a pipeline made of one instance."""

    __tablename__ = "preparation"
    instance_id: Mapped[int] = _link("instance.id", "the instance", primary_key=True)
    pipeline: Mapped[str] = mapped_column(primary_key=True, comment="name of the pipeline")
    bundle_digest: Mapped[str] = mapped_column(comment="digest of the bundle it was made with")
    selected: Mapped[bool] = mapped_column(comment="true: the instance takes part")
    reason_code: Mapped[str] = mapped_column(comment="rejected: code of the reason")
    reason_meaning: Mapped[str] = mapped_column(comment="rejected: meaning of the code")
    detail: Mapped[str] = mapped_column(comment="rejected: a sentence for the reader")
    verdicts_json: Mapped[str] = mapped_column(comment="verdict of each selection rule")
    instance_json: Mapped[str] = mapped_column(comment="how a report points at the instance")
    features: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="selected: what the encoder made of it"
    )
    prepared_at: Mapped[datetime] = mapped_column(comment="when it was made")
    pipeline_version: Mapped[str | None] = mapped_column(
        comment="version of the pipeline that made it; empty: an earlier one"
    )
    __table_args__ = ({"comment": "what pipelines made of single instances"},)


class Report(Base):
    """What a pipeline concluded from one revision of a study."""

    __tablename__ = "report"
    id: Mapped[int] = _row_id()
    study_id: Mapped[int] = _link("study.id", "the study")
    revision: Mapped[int] = mapped_column(comment="the revision of the study")
    pipeline: Mapped[str] = mapped_column(comment="name of the pipeline")
    pipeline_version: Mapped[str] = mapped_column(comment="its version")
    bundle_digest: Mapped[str] = mapped_column(comment="digest of the bundle")
    input_digest: Mapped[str] = mapped_column(
        comment="digest of what went in: same input, same report"
    )
    outcome: Mapped[Outcome] = mapped_column(
        words(Outcome, "outcome"),
        comment="estimated, abstained, no effect, not applicable, withdrawn or unfiled",
    )
    supersedes: Mapped[int | None] = _link("report.id", "the report that this one replaces")
    findings_json: Mapped[str] = mapped_column(comment="the findings")
    made_at: Mapped[datetime] = mapped_column(comment="when it was made")
    __table_args__ = (
        UniqueConstraint(study_id, pipeline, revision),
        {"comment": "conclusions of pipelines, one per study revision", **_NUMBERED_ONCE},
    )


class ResultObject(Base):
    """One DICOM object that belongs to a report."""

    __tablename__ = "result_object"
    id: Mapped[int] = _row_id()
    report_id: Mapped[int] = _link("report.id", "its report")
    kind: Mapped[str] = mapped_column(comment="SR, SC or KOS")
    preference: Mapped[int] = mapped_column(comment="0 is sent first, the next one if refused")
    sop_class_uid: Mapped[str] = mapped_column(comment="SOP Class UID (0008,0016)")
    sop_instance_uid: Mapped[str] = mapped_column(comment="SOP Instance UID (0008,0018)")
    series_instance_uid: Mapped[str] = mapped_column(comment="Series Instance UID (0020,000E)")
    digest: Mapped[str] = mapped_column(
        comment="SHA-256 of the file; objects/ab/cd/<digest>.dcm in the spool"
    )
    size_bytes: Mapped[int] = mapped_column(RowId, comment="size of the file, bytes")
    removed_at: Mapped[datetime | None] = mapped_column(comment="when its file left the spool")
    destination: Mapped[str | None] = mapped_column(
        comment="the one destination that it is made for; empty: every one that gets its kind"
    )
    __table_args__ = (
        UniqueConstraint(report_id, kind, preference),
        Index("ix_result_object_sop_instance_uid", sop_instance_uid),
        _partial_index("ix_result_object_digest", digest, where=removed_at.is_(None)),
        {"comment": "DICOM objects of reports"},
    )


class Delivery(Base):
    """One kind of object of one report on its way to one destination: the outbox."""

    __tablename__ = "delivery"
    id: Mapped[int] = _row_id()
    report_id: Mapped[int] = _link("report.id", "the report")
    kind: Mapped[str] = mapped_column(comment="SR, SC or KOS")
    destination: Mapped[str] = mapped_column(comment="name of the destination in the settings")
    state: Mapped[DeliveryState] = mapped_column(
        words(DeliveryState, "state"), comment="pending, sending, sent or failed"
    )
    attempt: Mapped[int] = mapped_column(comment="how often it was claimed")
    created_at: Mapped[datetime] = mapped_column(comment="when it was queued")
    available_at: Mapped[datetime] = mapped_column(comment="not to be claimed before")
    expires_at: Mapped[datetime] = mapped_column(comment="given up after this")
    claimed_by: Mapped[str | None] = mapped_column(comment="sending: process, host:pid:starttime")
    lease_until: Mapped[datetime | None] = mapped_column(
        comment="sending: whoever claimed it counts as dead after this"
    )
    finished_at: Mapped[datetime | None] = mapped_column(comment="when it was sent or failed")
    sent_sop_instance_uid: Mapped[str | None] = mapped_column(
        comment="sent: SOP Instance UID of the rendition that was accepted"
    )
    status: Mapped[int | None] = mapped_column(comment="sent: C-STORE status of the answer")
    error_code: Mapped[str | None] = mapped_column(comment="what went wrong last, one word")
    error_message: Mapped[str | None] = mapped_column(comment="what went wrong last")
    __table_args__ = (
        UniqueConstraint(report_id, kind, destination),
        _partial_index(
            "ix_delivery_claim", destination, available_at, "id", where=state == "pending"
        ),
        _partial_index("ix_delivery_sending", "id", where=state == "sending"),
        Index("ix_delivery_state", state, "id"),
        Index("ix_delivery_destination", destination, "id"),
        Index("ix_delivery_destination_state", destination, state, "id"),
        {"comment": "the outbox: objects on their way to destinations", **_NUMBERED_ONCE},
    )


class AuditEvent(Base):
    """One thing that happened. Rows are only ever added; they outlive what they speak of."""

    __tablename__ = "audit_event"
    id: Mapped[int] = _row_id()
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
        _partial_index("ix_audit_event_peer", peer, at, "id", where=peer.isnot(None)),
        _partial_index(
            "ix_audit_event_peer_action", peer, action, at, "id", where=peer.isnot(None)
        ),
        _partial_index(
            "ix_audit_event_patient", patient_id, at, "id", where=patient_id.isnot(None)
        ),
        _partial_index(
            "ix_audit_event_accession",
            accession_number,
            at,
            "id",
            where=accession_number.isnot(None),
        ),
        _partial_index("ix_audit_event_study", study_id, at, "id", where=study_id.isnot(None)),
        {"comment": "audit: everything that happened", "sqlite_autoincrement": True},
    )


from storage import further_tables  # noqa: E402, F401 - their tables belong to Base too
