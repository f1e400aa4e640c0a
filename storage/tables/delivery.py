"""The tables of delivery: the outbox, and what each destination answered."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.states import DeliveryState
from storage.tables.base import NUMBERED_ONCE, Base, link, partial_index, row_id
from storage.tables.columns import words


class Delivery(Base):
    """One kind of object of one report on its way to one destination: the outbox."""

    __tablename__ = "delivery"
    id: Mapped[int] = row_id()
    report_id: Mapped[int] = link("report.id", "the report")
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
        partial_index(
            "ix_delivery_claim", destination, available_at, "id", where=state == "pending"
        ),
        partial_index("ix_delivery_sending", "id", where=state == "sending"),
        Index("ix_delivery_state", state, "id"),
        Index("ix_delivery_destination", destination, "id"),
        Index("ix_delivery_destination_state", destination, state, "id"),
        {"comment": "the outbox: objects on their way to destinations", **NUMBERED_ONCE},
    )


class DestinationAnswer(Base):
    """The latest answer of one destination to one SOP class."""

    __tablename__ = "destination_answer"
    destination: Mapped[str] = mapped_column(
        primary_key=True, comment="name of the destination in the settings"
    )
    sop_class_uid: Mapped[str] = mapped_column(
        primary_key=True, comment="SOP Class UID that was offered"
    )
    address: Mapped[str] = mapped_column(
        comment="where the destination was then; an answer from elsewhere is not believed"
    )
    transfer_syntaxes: Mapped[str] = mapped_column(
        comment="accepted: transfer syntaxes, separated by spaces; empty where none was negotiated"
    )
    refused_by: Mapped[str] = mapped_column(
        comment="refused: by negotiation, status or HTTP status; empty: accepted"
    )
    learned_at: Mapped[datetime] = mapped_column(comment="when it first answered so")
    confirmed_at: Mapped[datetime] = mapped_column(comment="when it last answered so")
    __table_args__ = ({"comment": "what destinations accept, as they answered"},)
