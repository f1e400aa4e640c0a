"""Looking at pulls: the list, and the studies of one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, case, func, select

from storage.database.transactions import Transaction
from storage.errors import NotFoundError
from storage.states import FetchState, PullState
from storage.tables import Pull, PulledStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class PullView:
    """One pull; `done` of its `studies` are wholly here, with `present` instances in all."""

    id: int
    archive: str
    actor: str
    state: PullState
    claimed_by: str | None
    criteria: Mapping[str, str]
    priors: int
    ordered_at: datetime
    ended_at: datetime | None
    studies: int
    done: int
    present: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyView:
    """One study of a pull."""

    id: int
    study_id: int | None
    study_instance_uid: str
    patient_id: str
    accession_number: str
    study_date: str
    prior_of_uid: str
    state: FetchState
    attempt: int
    listed: int | None
    present: int
    refused: int
    error_code: str | None
    error_message: str | None
    ended_at: datetime | None


_STUDY_COLUMNS = tuple(field.name for field in fields(StudyView))


def find_pull(tx: Transaction, pull_id: int) -> PullView:
    """One pull.

    Raises:
        NotFoundError: no such pull.
    """
    found = tx.execute(pulls().where(Pull.id == pull_id)).first()
    if found is None:
        raise NotFoundError(f"no pull {pull_id}")
    return view(found)


def list_pulls(tx: Transaction, limit: int = 50, before: int | None = None) -> list[PullView]:
    """Pulls, newest first, from before a number on."""
    query = pulls() if before is None else pulls().where(Pull.id < before)
    return [view(row) for row in tx.execute(query.order_by(Pull.id.desc()).limit(limit))]


def studies_of(tx: Transaction, pull_id: int) -> list[StudyView]:
    """The studies of a pull, in the order they are fetched in."""
    rows = tx.execute(studies().where(PulledStudy.pull_id == pull_id).order_by(PulledStudy.id))
    return [StudyView(**row._asdict()) for row in rows]


def studies() -> Select[Any]:
    """The columns of `StudyView`, of all studies."""
    return select(*(getattr(PulledStudy, name) for name in _STUDY_COLUMNS))


def pulls() -> Select[Any]:
    """The columns of `PullView`, of all pulls."""
    of_pull = PulledStudy.pull_id == Pull.id
    done = func.coalesce(func.sum(case((PulledStudy.state == FetchState.DONE, 1), else_=0)), 0)
    present = func.coalesce(func.sum(PulledStudy.present), 0)
    return select(
        Pull,
        select(func.count()).where(of_pull).scalar_subquery().label("studies"),
        select(done).where(of_pull).scalar_subquery().label("done"),
        select(present).where(of_pull).scalar_subquery().label("present"),
    )


def view(row: Row[Any]) -> PullView:
    """One row of `pulls`."""
    columns = dict(row._asdict())
    criteria = json.loads(columns.pop("criteria_json"))
    return PullView(criteria=criteria, **columns)
