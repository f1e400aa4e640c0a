"""The list of studies: searched, and read in pages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, exists, or_, select, tuple_

from storage import tables
from storage.database.transactions import Transaction
from storage.person_names import searched
from storage.states import JobKind, JobState, Outcome, StudyState


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """One line of the study list.

    `outcomes` is the last outcome of each pipeline, FAILED where it failed without a report.
    """

    study_id: int
    study_instance_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    patient_conflict: bool
    state: StudyState
    revision: int
    instances: int
    opened_at: datetime
    last_received_at: datetime
    look_at: datetime | None
    completed_at: datetime | None
    outcomes: Mapping[str, Outcome | JobState]

    @property
    def concerning(self) -> Mapping[str, Outcome | JobState]:
        """The outcomes of the pipelines whose business the study is; of all, where it is none's."""
        found = {
            name: outcome
            for name, outcome in self.outcomes.items()
            if outcome != Outcome.NOT_APPLICABLE
        }
        return found or self.outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySearch:
    """Conditions that all must hold; None: any.

    `patient_name` as in DICOM, PS3.4 C.2.2.2: `*` stands for any text, `?` for one character; case,
    width and accents do not count. `first_day` and `last_day` bound Study Date, YYYYMMDD, both
    included. `pipeline` has work for the study, or had.
    """

    state: StudyState | None = None
    patient_id: str | None = None
    patient_name: str | None = None
    accession_number: str | None = None
    first_day: str | None = None
    last_day: str | None = None
    pipeline: str | None = None

    @property
    def names_days(self) -> bool:
        """Whether Study Date is bounded."""
        return self.first_day is not None or self.last_day is not None


class Place(NamedTuple):
    """A place in the list, which is sorted by the last two; with days searched, by all three."""

    study_date: str
    last_received_at: datetime
    study_id: int


def list_studies(
    tx: Transaction,
    wanted: StudySearch | None = None,
    *,
    after: Place | None = None,
    limit: int = 50,
) -> list[StudySummary]:
    """List the studies that meet every condition, from a place on.

    The last received first; with days searched, the latest study date first.
    """
    study, wanted = tables.Study, wanted or StudySearch()
    first = 0 if wanted.names_days else 1
    order = (study.study_date, study.last_received_at, study.id)[first:]
    query = select(study).where(*_conditions(wanted))
    if after is not None:
        query = query.where(tuple_(*order) < after[first:])
    query = query.order_by(*(column.desc() for column in order)).limit(limit)
    return summaries(tx, tx.execute(query).all())


def _conditions(wanted: StudySearch) -> Iterator[ColumnElement[bool]]:
    study, job = tables.Study, tables.Job
    if wanted.state is not None:
        yield study.state == wanted.state
    if wanted.patient_id is not None:
        yield study.patient_id == wanted.patient_id
    if wanted.accession_number is not None:
        yield study.accession_number == wanted.accession_number
    if wanted.names_days:  # a study without a date is of no day
        yield study.study_date.between(wanted.first_day or "0", wanted.last_day or "9")
    if wanted.patient_name is not None:
        yield or_(
            *(study.patient_name_key.like(each, "\\") for each in searched(wanted.patient_name))
        )
    if wanted.pipeline is not None:
        yield exists().where(job.study_id == study.id, job.pipeline == wanted.pipeline)


def summaries(tx: Transaction, rows: Sequence[Row[Any]]) -> list[StudySummary]:
    """One line of the list for each row of the table of studies."""
    outcomes = _outcomes(tx, [row.id for row in rows])
    return [
        StudySummary(
            study_id=row.id,
            study_instance_uid=row.study_instance_uid,
            patient_id=row.patient_id,
            patient_name=row.patient_name,
            accession_number=row.accession_number,
            study_date=row.study_date,
            patient_conflict=row.patient_conflict,
            state=row.state,
            revision=row.revision,
            instances=row.instances,
            opened_at=row.opened_at,
            last_received_at=row.last_received_at,
            look_at=row.look_at,
            completed_at=row.completed_at,
            outcomes=outcomes.get(row.id, {}),
        )
        for row in rows
    ]


def _outcomes(
    tx: Transaction, study_ids: Sequence[int]
) -> dict[int, dict[str, Outcome | JobState]]:
    report, job = tables.Report, tables.Job
    made: Sequence[Any] = tx.execute(
        select(report.study_id, report.pipeline, report.revision, report.outcome).where(
            report.study_id.in_(study_ids)
        )
    ).all()
    failed: Sequence[Any] = tx.execute(
        select(job.study_id, job.pipeline, job.revision, job.state.label("outcome")).where(
            job.study_id.in_(study_ids),
            job.kind == JobKind.CONCLUDE,
            job.state == JobState.FAILED,
        )
    ).all()
    outcomes: dict[int, dict[str, Outcome | JobState]] = {}
    # Of one revision, a report comes last: it tells more than that its job failed.
    for row in sorted([*failed, *made], key=lambda row: row.revision):
        outcomes.setdefault(row.study_id, {})[row.pipeline] = row.outcome
    return outcomes
