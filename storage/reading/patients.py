"""Looking at one patient: the studies in their order in time, and what was reported of each."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from storage import tables
from storage.database.transactions import Transaction
from storage.reading.same_patient import are_of_one_patient
from storage.reading.study_list import StudySummary, summaries
from storage.states import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientReport:
    """The report of one pipeline that stands of a study."""

    pipeline: str
    revision: int
    outcome: Outcome
    bundle_digest: str
    made_at: datetime
    findings_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientStudy:
    """One study under a Patient ID.

    `is_same_patient`: it is surely of the patient of the last of them.
    """

    summary: StudySummary
    issuer_of_patient_id: str
    is_same_patient: bool
    reports: tuple[PatientReport, ...]


def studies_of_patient(
    tx: Transaction, patient_id: str, limit: int
) -> tuple[list[PatientStudy], int]:
    """The last studies under a Patient ID by Study Date, the oldest first; how many are left out.

    One without a date comes first.
    """
    study = tables.Study
    of_patient = study.patient_id == patient_id
    newest_first = (
        select(study).where(of_patient).order_by(study.study_date.desc(), study.id.desc())
    )
    newest = tx.execute(newest_first.limit(limit)).all()
    rows = sorted(newest, key=lambda row: (row.study_date, row.study_time or "", row.id))
    many = tx.scalar(select(func.count()).select_from(study).where(of_patient)) or 0
    reports = _reports(tx, rows)
    shown = [
        PatientStudy(
            summary=summary,
            issuer_of_patient_id=row.issuer_of_patient_id or "",
            is_same_patient=row.id == rows[-1].id or are_of_one_patient(row, rows[-1]),
            reports=tuple(made for _, made in sorted(reports.get(row.id, {}).items())),
        )
        for row, summary in zip(rows, summaries(tx, rows), strict=True)
    ]
    return shown, many - len(rows)


def _reports(tx: Transaction, rows: Sequence[Row[Any]]) -> dict[int, dict[str, PatientReport]]:
    """Of each study, the last report of each pipeline that changed anything."""
    report = tables.Report
    found = tx.execute(
        select(report)
        .where(report.study_id.in_([row.id for row in rows]), report.outcome != Outcome.NO_EFFECT)
        .order_by(report.revision)
    )
    last: dict[int, dict[str, PatientReport]] = {}
    for row in found:
        made = {item.name: getattr(row, item.name) for item in fields(PatientReport)}
        last.setdefault(row.study_id, {})[row.pipeline] = PatientReport(**made)
    return last
