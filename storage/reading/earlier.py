"""Earlier estimates: what a pipeline found in studies of the same patient that came before one.

They are surely of the same patient, as companions are (`storage.studies.patients.share_cases`), at
whatever distance in time. A study without a date or a Patient ID has none, and is none.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Row, select

from storage import tables
from storage.database.transactions import Transaction
from storage.reading.findings import superseded
from storage.reading.same_patient import (
    CaseStudy,
    are_of_one_patient,
    case_study,
    day_of,
    stands,
)
from storage.states import Outcome

#: So many earlier estimates are kept beside a new one, the latest.
MOST_EARLIER = 20


class EarlierFindings(NamedTuple):
    """The findings (JSON) that stand of an earlier study, and the bundle that they were made with.

    They hold an estimate: an earlier report without one tells nothing of how a patient goes.
    """

    study: CaseStudy
    bundle_digest: str
    findings_json: str


def earlier_findings(
    tx: Transaction, study: Row[Any], pipeline: str, most: int = MOST_EARLIER
) -> list[EarlierFindings]:
    """What a pipeline estimated in the patient's latest studies before one, the oldest first.

    `study` is the row of that one. Nothing of a study that was withdrawn, or that holds instances
    of two patients, is found.
    """
    if not study.patient_id or day_of(study) is None or not stands(tx, study):
        return []
    present = _place(case_study(study))
    candidates = [(case_study(row), row) for row in _estimated_until(tx, study, pipeline)]
    candidates.sort(key=lambda pair: _place(pair[0]), reverse=True)
    suitable = (
        (other, row.report_id)
        for other, row in candidates
        if other.at and _place(other) < present
        if are_of_one_patient(study, row) and stands(tx, row)
    )
    latest = list(islice(suitable, most))
    stored = _stored(tx, [report_id for _, report_id in latest])
    return [EarlierFindings(other, *stored[report_id]) for other, report_id in reversed(latest)]


def _place(study: CaseStudy) -> tuple[str, str]:
    """A study's place in the order of time."""
    return study.at, study.study_instance_uid


def _stored(tx: Transaction, report_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Bundle digest and findings of reports, by their number."""
    report = tables.Report
    query = select(report.id, report.bundle_digest, report.findings_json)
    rows = tx.execute(query.where(report.id.in_(report_ids)))
    return {number: (digest, findings) for number, digest, findings in rows}


def _estimated_until(tx: Transaction, study: Row[Any], pipeline: str) -> list[Row[Any]]:
    """The rows of all studies under the Patient ID up to a day whose last findings estimate."""
    other, report = tables.Study, tables.Report
    query = (
        select(other, report.id.label("report_id"))
        .join(report, report.study_id == other.id)
        .where(
            other.patient_id == study.patient_id,
            other.study_date <= study.study_date,
            other.id != study.id,
            report.pipeline == pipeline,
            report.outcome == Outcome.ESTIMATED,
            ~superseded(),
        )
    )
    return list(tx.execute(query))
