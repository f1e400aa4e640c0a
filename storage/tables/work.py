"""The tables of work: jobs, what became of them, and who runs which pipeline."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.states import Backfill, JobKind, JobState, Outcome
from storage.tables.base import NUMBERED_ONCE, Base, link, partial_index, row_id
from storage.tables.columns import RowId, words


class Job(Base):
    """Work for a pipeline: prepare one instance, or conclude one study revision."""

    __tablename__ = "job"
    id: Mapped[int] = row_id()
    kind: Mapped[JobKind] = mapped_column(words(JobKind, "kind"), comment="prepare or conclude")
    pipeline: Mapped[str] = mapped_column(comment="name of the pipeline")
    study_id: Mapped[int] = link("study.id", "the study")
    instance_id: Mapped[int | None] = link("instance.id", "prepare: the instance")
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
    backfill: Mapped[Backfill | None] = mapped_column(
        words(Backfill, "backfill"),
        comment="how it was queued behind live work: reported or stored; empty: live work",
    )
    __table_args__ = (
        UniqueConstraint(instance_id, pipeline),
        UniqueConstraint(study_id, pipeline, revision),
        partial_index(
            "ix_job_claim",
            *(kind, pipeline, backfill, available_at, "id"),
            where=state == "queued",
        ),
        partial_index("ix_job_running", "id", where=state == "running"),
        partial_index("ix_job_failed", kind, "id", where=state == "failed"),
        Index("ix_job_study_id", study_id, kind, state),
        {"comment": "work for pipelines", **NUMBERED_ONCE},
    )


class Preparation(Base):
    """What a pipeline made of one instance."""

    __tablename__ = "preparation"
    instance_id: Mapped[int] = link("instance.id", "the instance", primary_key=True)
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
    settings: Mapped[str | None] = mapped_column(
        comment="settings of the pipeline that it was made under; empty: not known"
    )
    __table_args__ = ({"comment": "what pipelines made of single instances"},)


class Companion(Base):
    """That a study takes part in what a pipeline reports of another one."""

    __tablename__ = "companion"
    study_id: Mapped[int] = link("study.id", "the study that is reported on", primary_key=True)
    pipeline: Mapped[str] = mapped_column(primary_key=True, comment="name of the pipeline")
    companion_id: Mapped[int] = link(
        "study.id", "a study of the same patient that takes part", primary_key=True
    )
    __table_args__ = (
        Index("ix_companion_companion_id", companion_id, pipeline),
        {"comment": "which other studies take part in the reports on a study"},
    )


class Report(Base):
    """What a pipeline concluded from one revision of a study."""

    __tablename__ = "report"
    id: Mapped[int] = row_id()
    study_id: Mapped[int] = link("study.id", "the study")
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
    supersedes: Mapped[int | None] = link("report.id", "the report that this one replaces")
    findings_json: Mapped[str] = mapped_column(comment="the findings")
    made_at: Mapped[datetime] = mapped_column(comment="when it was made")
    __table_args__ = (
        UniqueConstraint(study_id, pipeline, revision),
        {"comment": "conclusions of pipelines, one per study revision", **NUMBERED_ONCE},
    )


class ResultObject(Base):
    """One DICOM object that belongs to a report."""

    __tablename__ = "result_object"
    id: Mapped[int] = row_id()
    report_id: Mapped[int] = link("report.id", "its report")
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
        partial_index("ix_result_object_digest", digest, where=removed_at.is_(None)),
        {"comment": "DICOM objects of reports"},
    )


class PipelinePlace(Base):
    """That a worker runs a pipeline."""

    __tablename__ = "pipeline_place"
    place: Mapped[str] = mapped_column(
        primary_key=True, comment="where its worker runs, host:state_dir"
    )
    pipeline: Mapped[str] = mapped_column(primary_key=True, comment="name of the pipeline")
    seen_at: Mapped[datetime] = mapped_column(comment="when its worker last said so")
    __table_args__ = ({"comment": "which pipelines workers run, and where"},)
