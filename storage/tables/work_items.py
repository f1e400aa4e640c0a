"""The table of work items: what work lists asked of the node, and how far it is."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.states import WorkItemState
from storage.tables.base import Base
from storage.tables.columns import RowId, words


class WorkItem(Base):
    """One Unified Procedure Step of a work list that the node claims, or claimed (PS3.4 CC)."""

    __tablename__ = "work_item"
    id: Mapped[int] = mapped_column(RowId, primary_key=True, comment="our number of this row")
    work_list: Mapped[str] = mapped_column(comment="name of the work list in the settings")
    sop_instance_uid: Mapped[str] = mapped_column(comment="SOP Instance UID of the work item")
    transaction_uid: Mapped[str] = mapped_column(
        comment="Transaction UID (0008,1195) that it is claimed with"
    )
    state: Mapped[WorkItemState] = mapped_column(
        words(WorkItemState, "state"),
        comment="claiming, in progress, completed, canceled or let go",
    )
    study_id: Mapped[int | None] = mapped_column(
        ForeignKey("study.id"), comment="the study, once some of it is here"
    )
    study_instance_uid: Mapped[str] = mapped_column(
        comment="study of its input; empty: not claimed yet, or it names no single one"
    )
    input_json: Mapped[str] = mapped_column(
        comment="SOP Instance UIDs of its input, as JSON; empty list: all of the study"
    )
    attempt: Mapped[int] = mapped_column(comment="how often it was taken up")
    claimed_by: Mapped[str | None] = mapped_column(
        comment="process that is at it, host:pid:starttime; empty: nobody is"
    )
    created_at: Mapped[datetime] = mapped_column(comment="when it was found")
    available_at: Mapped[datetime] = mapped_column(comment="not to be taken up before")
    expires_at: Mapped[datetime] = mapped_column(comment="canceled if it is not done by then")
    started_at: Mapped[datetime | None] = mapped_column(comment="when the node had claimed it")
    finished_at: Mapped[datetime | None] = mapped_column(
        comment="when it ended for the node; empty: it is open"
    )
    error_code: Mapped[str | None] = mapped_column(comment="what went wrong last, one word")
    error_message: Mapped[str | None] = mapped_column(comment="what went wrong last")
    __table_args__ = (
        UniqueConstraint(work_list, sop_instance_uid),
        Index(
            "ix_work_item_open",
            work_list,
            available_at,
            "id",
            sqlite_where=finished_at.is_(None),
            postgresql_where=finished_at.is_(None),
        ),
        Index("ix_work_item_study_id", study_id),
        {"comment": "work items of work lists", "sqlite_autoincrement": True},
    )
