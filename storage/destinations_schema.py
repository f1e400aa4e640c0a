"""The table of destinations: what each said to the SOP classes that were offered to it.

It is part of `storage.schema`, which loads this module.
"""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from storage.schema import Base


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
