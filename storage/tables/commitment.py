"""The tables of storage commitment: what peers asked of us, and how far our deliveries climb."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.states import ClimbState, PromiseState, Rung
from storage.tables.base import Base
from storage.tables.columns import RowId, words


class CommitmentRequest(Base):
    """One request for storage commitment that a peer made (PS3.4 annex J.3.2)."""

    __tablename__ = "commitment_request"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    transaction_uid: Mapped[str] = mapped_column(comment="Transaction UID (0008,1195)")
    peer: Mapped[str] = mapped_column(comment="name of the peer in the settings")
    association_id: Mapped[str] = mapped_column(comment="association that brought it last")
    reuses_uid: Mapped[bool] = mapped_column(
        comment="true: the peer asked for other instances under this Transaction UID before"
    )
    state: Mapped[PromiseState] = mapped_column(
        words(PromiseState, "state"), comment="owed, reported or given up"
    )
    attempt: Mapped[int] = mapped_column(comment="how often the report was sent")
    created_at: Mapped[datetime] = mapped_column(comment="when it was asked")
    available_at: Mapped[datetime] = mapped_column(comment="no report is sent before")
    expires_at: Mapped[datetime] = mapped_column(comment="the report is given up after this")
    finished_at: Mapped[datetime | None] = mapped_column(
        comment="when the report was taken or given up"
    )
    error_message: Mapped[str | None] = mapped_column(comment="what went wrong last")
    __table_args__ = (
        Index("ix_commitment_request_uid", transaction_uid, peer),
        Index(
            "ix_commitment_request_owed",
            available_at,
            "id",
            sqlite_where=state == "owed",
            postgresql_where=state == "owed",
        ),
        {"comment": "requests for storage commitment that peers made"},
    )


class CommitmentItem(Base):
    """One instance that a request names, and what its peer was told about it."""

    __tablename__ = "commitment_item"
    request_id: Mapped[int] = mapped_column(
        ForeignKey("commitment_request.id"), primary_key=True, comment="the request"
    )
    sop_instance_uid: Mapped[str] = mapped_column(
        primary_key=True, comment="Referenced SOP Instance UID (0008,1155)"
    )
    sop_class_uid: Mapped[str] = mapped_column(comment="Referenced SOP Class UID (0008,1150)")
    instance_id: Mapped[int | None] = mapped_column(
        ForeignKey("instance.id"), comment="the instance; empty: none of that UID when it was asked"
    )
    failure_reason: Mapped[int | None] = mapped_column(
        comment="Failure Reason (0008,1197) of the last report; empty: committed, or no report yet"
    )
    __table_args__ = (
        Index("ix_commitment_item_instance_id", instance_id),
        {"comment": "instances that requests for storage commitment name"},
    )


class Climb(Base):
    """A delivery that was accepted and has to climb further; see `storage.states.Rung`."""

    __tablename__ = "climb"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id"), comment="the delivery")
    destination: Mapped[str] = mapped_column(comment="name of the destination in the settings")
    goal: Mapped[Rung] = mapped_column(words(Rung, "goal"), comment="how far it must climb")
    rung: Mapped[Rung] = mapped_column(words(Rung, "rung"), comment="how far it has come")
    state: Mapped[ClimbState] = mapped_column(
        words(ClimbState, "state"), comment="climbing, arrived or stalled"
    )
    beginning: Mapped[int] = mapped_column(
        comment="1, 2, ...: counts on when it is sent again or an administrator lets it climb on"
    )
    attempt: Mapped[int] = mapped_column(comment="how often the next rung was tried")
    resent: Mapped[int] = mapped_column(
        comment="how often it was sent again because the destination did not have it"
    )
    created_at: Mapped[datetime] = mapped_column(comment="when it began")
    available_at: Mapped[datetime] = mapped_column(comment="the next rung is not tried before")
    expires_at: Mapped[datetime] = mapped_column(comment="stalled after this")
    finished_at: Mapped[datetime | None] = mapped_column(comment="when it arrived or stalled")
    committed_at: Mapped[datetime | None] = mapped_column(comment="when it was committed")
    commitment: Mapped[str | None] = mapped_column(
        comment="evidence of the commitment, or why there is none"
    )
    read_back_at: Mapped[datetime | None] = mapped_column(comment="when it was read back")
    read_back: Mapped[str | None] = mapped_column(comment="evidence of that")
    error_code: Mapped[str | None] = mapped_column(comment="what went wrong last, one word")
    error_message: Mapped[str | None] = mapped_column(comment="what went wrong last")
    __table_args__ = (
        UniqueConstraint(delivery_id),
        Index(
            "ix_climb_due",
            destination,
            available_at,
            "id",
            sqlite_where=state == "climbing",
            postgresql_where=state == "climbing",
        ),
        Index(
            "ix_climb_stalled",
            "id",
            sqlite_where=state == "stalled",
            postgresql_where=state == "stalled",
        ),
        {"comment": "deliveries that climb beyond being accepted"},
    )


class CommitmentAsked(Base):
    """That a destination was asked to commit a delivered object, and what it reported."""

    __tablename__ = "commitment_asked"
    transaction_uid: Mapped[str] = mapped_column(
        primary_key=True, comment="Transaction UID (0008,1195)"
    )
    delivery_id: Mapped[int] = mapped_column(
        ForeignKey("delivery.id"), primary_key=True, comment="the delivery"
    )
    sop_instance_uid: Mapped[str] = mapped_column(
        comment="SOP Instance UID that was sent and is asked about"
    )
    beginning: Mapped[int] = mapped_column(comment="beginning of the climb that it was asked in")
    asked_at: Mapped[datetime] = mapped_column(comment="when it was asked")
    answered_at: Mapped[datetime | None] = mapped_column(comment="when it reported")
    answered_by: Mapped[str | None] = mapped_column(comment="who reported: peer or destination")
    failure_reason: Mapped[int | None] = mapped_column(
        comment="Failure Reason (0008,1197); empty: committed, or not answered"
    )
    __table_args__ = (
        Index("ix_commitment_asked_delivery_id", delivery_id, asked_at),
        {"comment": "what destinations were asked to commit"},
    )
