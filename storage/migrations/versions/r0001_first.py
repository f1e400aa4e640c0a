"""The first schema. There is no way back from it but a backup."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import RowId, UtcDateTime

revision = "0.2.1"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    _received()
    _work()
    _results()
    _audit()


def _column(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


def _optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True, comment=comment)


def _key(*columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns)


def _link(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target])


def _words(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def _index(name: str, table: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, list(columns), sqlite_where=condition, postgresql_where=condition)


def _received() -> None:
    """What peers brought."""
    op.create_table(
        "association",
        _column("association_id", sa.String(), "UUID that the listener gave it"),
        _column("peer", sa.String(), "name of the peer in the settings"),
        _column("calling_aet", sa.String(), "calling AE title"),
        _column("called_aet", sa.String(), "called AE title"),
        _column("address", sa.String(), "network address it came from"),
        _column("owner", sa.String(), "listener process, host:pid:starttime"),
        _column("opened_at", UtcDateTime(), "when it was accepted"),
        _optional("closed_at", UtcDateTime(), "when it ended; empty: still open"),
        _optional(
            "ending",
            _words("ending", "released", "aborted", "lost"),
            "released, aborted or lost; empty: still open",
        ),
        _key("association_id"),
        comment="associations that peers opened to this node",
    )
    _index("ix_association_open", "association", "owner", where="closed_at IS NULL")
    op.create_table(
        "study",
        _column("id", RowId, "our number of this row"),
        _column("study_instance_uid", sa.String(), "Study Instance UID (0020,000D)"),
        _column("patient_id", sa.String(), "Patient ID (0010,0020) of its first instance"),
        _column("patient_name", sa.String(), "Patient's Name (0010,0010), same instance"),
        _column("accession_number", sa.String(), "Accession Number (0008,0050)"),
        _column("study_date", sa.String(), "Study Date (0008,0020), YYYYMMDD"),
        _column("patient_conflict", sa.Boolean(), "true: some instance names another patient"),
        _column("state", _words("state", "receiving", "complete"), "receiving or complete"),
        _column("revision", sa.Integer(), "how often it was complete; 0: never yet"),
        _column("instances", sa.Integer(), "number of instances stored"),
        _column("opened_at", UtcDateTime(), "when its first instance came"),
        _column(
            "revision_began_at",
            UtcDateTime(),
            "when the first instance of the revision being received came",
        ),
        _column("last_received_at", UtcDateTime(), "when its last instance came"),
        _optional(
            "due_at", UtcDateTime(), "when it will count as complete; empty: it does already"
        ),
        _column(
            "due_reason",
            _words(
                "due_reason", "quiet period", "association released", "hard limit", "correction"
            ),
            "why then",
        ),
        _column("hard_limit_at", UtcDateTime(), "due_at is never later than this"),
        _optional("completed_at", UtcDateTime(), "when it was last complete"),
        _key("id"),
        sa.UniqueConstraint("study_instance_uid"),
        comment="studies that were received",
        sqlite_autoincrement=True,
    )
    _index("ix_study_accession_number", "study", "accession_number", "last_received_at", "id")
    _index("ix_study_due", "study", "due_at", where="due_at IS NOT NULL")
    _index("ix_study_last_received_at", "study", "last_received_at", "id")
    _index("ix_study_patient_id", "study", "patient_id", "last_received_at", "id")
    _index("ix_study_state", "study", "state", "last_received_at", "id")
    op.create_table(
        "association_study",
        _column("association_id", sa.String(), "the association"),
        _column("study_id", RowId, "a study it carried"),
        _column("instances", sa.Integer(), "instances of the study that it brought"),
        _column("quiet_s", sa.Double(), "quiet period of its peer, seconds"),
        _column("last_received_at", UtcDateTime(), "when it brought the last of them"),
        _key("association_id", "study_id"),
        _link("association_id", "association.association_id"),
        _link("study_id", "study.id"),
        comment="which association carried which studies",
    )
    _index("ix_association_study_study_id", "association_study", "study_id")
    op.create_table(
        "instance",
        _column("id", RowId, "our number of this row"),
        _column("study_id", RowId, "its study"),
        _column("sop_class_uid", sa.String(), "SOP Class UID (0008,0016)"),
        _column("sop_instance_uid", sa.String(), "SOP Instance UID (0008,0018)"),
        _column("series_instance_uid", sa.String(), "Series Instance UID (0020,000E)"),
        _column(
            "transfer_syntax_uid", sa.String(), "Transfer Syntax UID (0002,0010) it is stored in"
        ),
        _column("modality", sa.String(), "Modality (0008,0060)"),
        _column("instance_number", sa.String(), "Instance Number (0020,0013)"),
        _column("patient_differs", sa.Boolean(), "true: not the patient of its study"),
        _column(
            "digest", sa.String(), "SHA-256 of the file; objects/ab/cd/<digest>.dcm in the spool"
        ),
        _column("size_bytes", RowId, "size of the file, bytes"),
        _column("peer", sa.String(), "peer that sent it first"),
        _column("association_id", sa.String(), "association that brought it"),
        _column("received_at", UtcDateTime(), "when it was received"),
        _key("id"),
        _link("association_id", "association.association_id"),
        _link("study_id", "study.id"),
        sa.UniqueConstraint("sop_instance_uid"),
        comment="instances stored in the spool",
        sqlite_autoincrement=True,
    )
    _index("ix_instance_study_id", "instance", "study_id", "id")
    op.create_table(
        "instance_conflict",
        _column("id", RowId, "our number of this row"),
        _column("instance_id", RowId, "the stored instance of that UID"),
        _column("digest", sa.String(), "SHA-256 of the other bytes, which the spool keeps too"),
        _column("size_bytes", RowId, "their size, bytes"),
        _column("peer", sa.String(), "peer that sent them first"),
        _column("association_id", sa.String(), "association that brought them first"),
        _column("received_at", UtcDateTime(), "when they first came"),
        _key("id"),
        _link("association_id", "association.association_id"),
        _link("instance_id", "instance.id"),
        sa.UniqueConstraint("instance_id", "digest"),
        comment="other bytes sent under the UID of a stored instance",
    )
    op.create_table(
        "study_revision",
        _column("study_id", RowId, "the study"),
        _column("revision", sa.Integer(), "1, 2, ..."),
        _column(
            "reason",
            _words("reason", "quiet period", "association released", "hard limit", "correction"),
            "why it counted as complete",
        ),
        _column("instances", sa.Integer(), "instances stored by then"),
        _column("began_at", UtcDateTime(), "when its first new instance came"),
        _column("completed_at", UtcDateTime(), "when it was complete"),
        _key("study_id", "revision"),
        _link("study_id", "study.id"),
        comment="each time that a study was complete",
    )


def _work() -> None:
    """What pipelines have to do, and what they made of instances."""
    op.create_table(
        "job",
        _column("id", RowId, "our number of this row"),
        _column("kind", _words("kind", "prepare", "conclude"), "prepare or conclude"),
        _column("pipeline", sa.String(), "name of the pipeline"),
        _column("study_id", RowId, "the study"),
        _optional("instance_id", RowId, "prepare: the instance"),
        _optional("revision", sa.Integer(), "conclude: the revision of the study"),
        _column(
            "state",
            _words("state", "queued", "running", "done", "failed"),
            "queued, running, done or failed",
        ),
        _column("attempt", sa.Integer(), "how often it was claimed"),
        _column("created_at", UtcDateTime(), "when it was queued first"),
        _column("available_at", UtcDateTime(), "not to be claimed before"),
        _optional("claimed_by", sa.String(), "running: process, host:pid:starttime"),
        _optional(
            "lease_until", UtcDateTime(), "running: whoever claimed it counts as dead after this"
        ),
        _optional("finished_at", UtcDateTime(), "when it was done or failed"),
        _optional("error_code", sa.String(), "what went wrong last, one word"),
        _optional("error_message", sa.String(), "what went wrong last"),
        _key("id"),
        _link("instance_id", "instance.id"),
        _link("study_id", "study.id"),
        sa.UniqueConstraint("instance_id", "pipeline"),
        sa.UniqueConstraint("study_id", "pipeline", "revision"),
        comment="work for pipelines",
        sqlite_autoincrement=True,
    )
    _index("ix_job_claim", "job", "kind", "available_at", "id", where="state = 'queued'")
    _index("ix_job_failed", "job", "kind", "id", where="state = 'failed'")
    _index("ix_job_running", "job", "id", where="state = 'running'")
    _index("ix_job_study_id", "job", "study_id", "kind", "state")
    op.create_table(
        "preparation",
        _column("instance_id", RowId, "the instance"),
        _column("pipeline", sa.String(), "name of the pipeline"),
        _column("bundle_digest", sa.String(), "digest of the bundle it was made with"),
        _column("selected", sa.Boolean(), "true: the instance takes part"),
        _column("reason_code", sa.String(), "rejected: code of the reason"),
        _column("reason_meaning", sa.String(), "rejected: meaning of the code"),
        _column("detail", sa.String(), "rejected: a sentence for the reader"),
        _column("verdicts_json", sa.String(), "verdict of each selection rule"),
        _column("instance_json", sa.String(), "how a report points at the instance"),
        _optional("features", sa.LargeBinary(), "selected: what the encoder made of it"),
        _column("prepared_at", UtcDateTime(), "when it was made"),
        _key("instance_id", "pipeline"),
        _link("instance_id", "instance.id"),
        comment="what pipelines made of single instances",
    )


def _results() -> None:
    """What pipelines concluded, and where it goes."""
    op.create_table(
        "report",
        _column("id", RowId, "our number of this row"),
        _column("study_id", RowId, "the study"),
        _column("revision", sa.Integer(), "the revision of the study"),
        _column("pipeline", sa.String(), "name of the pipeline"),
        _column("pipeline_version", sa.String(), "its version"),
        _column("bundle_digest", sa.String(), "digest of the bundle"),
        _column("input_digest", sa.String(), "digest of what went in: same input, same report"),
        _column(
            "outcome",
            _words("outcome", "estimated", "abstained", "no effect", "not applicable", "withdrawn"),
            "estimated, abstained, no effect, not applicable or withdrawn",
        ),
        _optional("supersedes", RowId, "the report that this one replaces"),
        _column("findings_json", sa.String(), "the findings"),
        _column("made_at", UtcDateTime(), "when it was made"),
        _key("id"),
        _link("study_id", "study.id"),
        _link("supersedes", "report.id"),
        sa.UniqueConstraint("study_id", "pipeline", "revision"),
        comment="conclusions of pipelines, one per study revision",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "result_object",
        _column("id", RowId, "our number of this row"),
        _column("report_id", RowId, "its report"),
        _column("kind", sa.String(), "SR, SC or KOS"),
        _column("preference", sa.Integer(), "0 is sent first, the next one if refused"),
        _column("sop_class_uid", sa.String(), "SOP Class UID (0008,0016)"),
        _column("sop_instance_uid", sa.String(), "SOP Instance UID (0008,0018)"),
        _column("series_instance_uid", sa.String(), "Series Instance UID (0020,000E)"),
        _column(
            "digest", sa.String(), "SHA-256 of the file; objects/ab/cd/<digest>.dcm in the spool"
        ),
        _column("size_bytes", RowId, "size of the file, bytes"),
        _key("id"),
        _link("report_id", "report.id"),
        sa.UniqueConstraint("report_id", "kind", "preference"),
        comment="DICOM objects of reports",
    )
    _index("ix_result_object_sop_instance_uid", "result_object", "sop_instance_uid")
    op.create_table(
        "delivery",
        _column("id", RowId, "our number of this row"),
        _column("report_id", RowId, "the report"),
        _column("kind", sa.String(), "SR, SC or KOS"),
        _column("destination", sa.String(), "name of the destination in the settings"),
        _column(
            "state",
            _words("state", "pending", "sending", "sent", "failed"),
            "pending, sending, sent or failed",
        ),
        _column("attempt", sa.Integer(), "how often it was claimed"),
        _column("created_at", UtcDateTime(), "when it was queued"),
        _column("available_at", UtcDateTime(), "not to be claimed before"),
        _column("expires_at", UtcDateTime(), "given up after this"),
        _optional("claimed_by", sa.String(), "sending: process, host:pid:starttime"),
        _optional(
            "lease_until", UtcDateTime(), "sending: whoever claimed it counts as dead after this"
        ),
        _optional("finished_at", UtcDateTime(), "when it was sent or failed"),
        _optional(
            "sent_sop_instance_uid",
            sa.String(),
            "sent: SOP Instance UID of the rendition that was accepted",
        ),
        _optional("status", sa.Integer(), "sent: C-STORE status of the answer"),
        _optional("error_code", sa.String(), "what went wrong last, one word"),
        _optional("error_message", sa.String(), "what went wrong last"),
        _key("id"),
        _link("report_id", "report.id"),
        sa.UniqueConstraint("report_id", "kind", "destination"),
        comment="the outbox: objects on their way to destinations",
        sqlite_autoincrement=True,
    )
    _index(
        "ix_delivery_claim",
        "delivery",
        "destination",
        "available_at",
        "id",
        where="state = 'pending'",
    )
    _index("ix_delivery_destination", "delivery", "destination", "id")
    _index("ix_delivery_destination_state", "delivery", "destination", "state", "id")
    _index("ix_delivery_sending", "delivery", "id", where="state = 'sending'")
    _index("ix_delivery_state", "delivery", "state", "id")


def _audit() -> None:
    """What happened."""
    op.create_table(
        "audit_event",
        _column("id", RowId, "our number of this row"),
        _column("at", UtcDateTime(), "when"),
        _column("action", sa.String(), "what, such as INSTANCE_STORED"),
        _column("outcome", sa.String(), "success or failure"),
        _optional("actor", sa.String(), "process (host:pid:starttime) or user"),
        _optional("peer", sa.String(), "name of the peer in the settings"),
        _optional("address", sa.String(), "network address of the peer"),
        _optional("association_id", sa.String(), "UUID of association"),
        _optional("study_id", RowId, "study.id at that time"),
        _optional("patient_id", sa.String(), "Patient ID (0010,0020)"),
        _optional("accession_number", sa.String(), "Accession Number (0008,0050)"),
        _optional("sop_instance_uid", sa.String(), "SOP Instance UID (0008,0018)"),
        _column("detail", sa.String(), "more, as JSON"),
        _key("id"),
        comment="audit: everything that happened",
        sqlite_autoincrement=True,
    )
    _index(
        "ix_audit_event_accession",
        "audit_event",
        "accession_number",
        "at",
        "id",
        where="accession_number IS NOT NULL",
    )
    _index("ix_audit_event_action", "audit_event", "action", "at", "id")
    _index("ix_audit_event_at", "audit_event", "at", "id")
    _index(
        "ix_audit_event_patient",
        "audit_event",
        "patient_id",
        "at",
        "id",
        where="patient_id IS NOT NULL",
    )
    _index("ix_audit_event_peer", "audit_event", "peer", "at", "id", where="peer IS NOT NULL")
    _index(
        "ix_audit_event_peer_action",
        "audit_event",
        "peer",
        "action",
        "at",
        "id",
        where="peer IS NOT NULL",
    )
    _index(
        "ix_audit_event_study", "audit_event", "study_id", "at", "id", where="study_id IS NOT NULL"
    )
