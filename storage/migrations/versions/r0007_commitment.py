"""Storage commitment both ways, and how far each delivery has climbed."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from storage.tables.columns import RowId, UtcDateTime

revision = "0.3.3"
down_revision = "0.3.2"

_RUNGS = ("accepted", "committed", "read back")


def upgrade() -> None:
    """Make the tables."""
    _requests()
    _items()
    _climbs()
    _asked()


def _column(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, comment=comment)


def _optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True, comment=comment)


def _words(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _requests() -> None:
    op.create_table(
        "commitment_request",
        _column("id", RowId, "our number of this row"),
        _column("transaction_uid", sa.String(), "Transaction UID (0008,1195)"),
        _column("peer", sa.String(), "name of the peer in the settings"),
        _column("association_id", sa.String(), "association that brought it last"),
        _column(
            "reuses_uid",
            sa.Boolean(),
            "true: the peer asked for other instances under this Transaction UID before",
        ),
        _column(
            "state", _words("state", "owed", "reported", "given up"), "owed, reported or given up"
        ),
        _column("attempt", sa.Integer(), "how often the report was sent"),
        _column("created_at", UtcDateTime(), "when it was asked"),
        _column("available_at", UtcDateTime(), "no report is sent before"),
        _column("expires_at", UtcDateTime(), "the report is given up after this"),
        _optional("finished_at", UtcDateTime(), "when the report was taken or given up"),
        _optional("error_message", sa.String(), "what went wrong last"),
        sa.PrimaryKeyConstraint("id"),
        comment="requests for storage commitment that peers made",
    )
    op.create_index("ix_commitment_request_uid", "commitment_request", ["transaction_uid", "peer"])
    _partial_index(
        "ix_commitment_request_owed",
        "commitment_request",
        ["available_at", "id"],
        "state = 'owed'",
    )


def _items() -> None:
    op.create_table(
        "commitment_item",
        _column("request_id", RowId, "the request"),
        _column("sop_instance_uid", sa.String(), "Referenced SOP Instance UID (0008,1155)"),
        _column("sop_class_uid", sa.String(), "Referenced SOP Class UID (0008,1150)"),
        _optional("instance_id", RowId, "the instance; empty: none of that UID when it was asked"),
        _optional(
            "failure_reason",
            sa.Integer(),
            "Failure Reason (0008,1197) of the last report; empty: committed, or no report yet",
        ),
        sa.PrimaryKeyConstraint("request_id", "sop_instance_uid"),
        sa.ForeignKeyConstraint(["request_id"], ["commitment_request.id"]),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"]),
        comment="instances that requests for storage commitment name",
    )
    op.create_index("ix_commitment_item_instance_id", "commitment_item", ["instance_id"])


def _climbs() -> None:
    op.create_table(
        "climb",
        _column("id", RowId, "our number of this row"),
        _column("delivery_id", RowId, "the delivery"),
        _column("destination", sa.String(), "name of the destination in the settings"),
        _column("goal", _words("goal", *_RUNGS), "how far it must climb"),
        _column("rung", _words("rung", *_RUNGS), "how far it has come"),
        _column(
            "state",
            _words("state", "climbing", "arrived", "stalled"),
            "climbing, arrived or stalled",
        ),
        _column(
            "beginning",
            sa.Integer(),
            "1, 2, ...: counts on when it is sent again or an administrator lets it climb on",
        ),
        _column("attempt", sa.Integer(), "how often the next rung was tried"),
        _column(
            "resent",
            sa.Integer(),
            "how often it was sent again because the destination did not have it",
        ),
        _column("created_at", UtcDateTime(), "when it began"),
        _column("available_at", UtcDateTime(), "the next rung is not tried before"),
        _column("expires_at", UtcDateTime(), "stalled after this"),
        _optional("finished_at", UtcDateTime(), "when it arrived or stalled"),
        _optional("committed_at", UtcDateTime(), "when it was committed"),
        _optional("commitment", sa.String(), "evidence of the commitment, or why there is none"),
        _optional("read_back_at", UtcDateTime(), "when it was read back"),
        _optional("read_back", sa.String(), "evidence of that"),
        _optional("error_code", sa.String(), "what went wrong last, one word"),
        _optional("error_message", sa.String(), "what went wrong last"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"]),
        sa.UniqueConstraint("delivery_id"),
        comment="deliveries that climb beyond being accepted",
    )
    _partial_index(
        "ix_climb_due", "climb", ["destination", "available_at", "id"], "state = 'climbing'"
    )
    _partial_index("ix_climb_stalled", "climb", ["id"], "state = 'stalled'")


def _asked() -> None:
    op.create_table(
        "commitment_asked",
        _column("transaction_uid", sa.String(), "Transaction UID (0008,1195)"),
        _column("delivery_id", RowId, "the delivery"),
        _column(
            "sop_instance_uid", sa.String(), "SOP Instance UID that was sent and is asked about"
        ),
        _column("beginning", sa.Integer(), "beginning of the climb that it was asked in"),
        _column("asked_at", UtcDateTime(), "when it was asked"),
        _optional("answered_at", UtcDateTime(), "when it reported"),
        _optional("answered_by", sa.String(), "who reported: peer or destination"),
        _optional(
            "failure_reason",
            sa.Integer(),
            "Failure Reason (0008,1197); empty: committed, or not answered",
        ),
        sa.PrimaryKeyConstraint("transaction_uid", "delivery_id"),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"]),
        comment="what destinations were asked to commit",
    )
    op.create_index(
        "ix_commitment_asked_delivery_id", "commitment_asked", ["delivery_id", "asked_at"]
    )
