"""The table of the last known time."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base


class ClockReading(Base):
    """What the clocks of one machine showed when a process of the node last looked at both."""

    __tablename__ = "clock_reading"
    boot: Mapped[str] = mapped_column(
        primary_key=True, comment="boot id of the machine's kernel; a restart gives another"
    )
    at: Mapped[datetime] = mapped_column(comment="time of day of the machine at the last look")
    elapsed_s: Mapped[float] = mapped_column(
        comment="CLOCK_MONOTONIC at the same moment, seconds; nobody can set it"
    )
    server_at: Mapped[datetime | None] = mapped_column(
        comment="PostgreSQL: time of day of the database server at the same moment"
    )
    jumped_at: Mapped[datetime | None] = mapped_column(
        comment="when the time of day last jumped or time passed unseen; empty: never"
    )
    doubted_at: Mapped[datetime | None] = mapped_column(
        comment="since when the time of day is unconfirmed; empty: it is confirmed"
    )
    __table_args__ = ({"comment": "last known time of each machine"},)
