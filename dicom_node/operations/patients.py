"""Looking at one patient: the studies in order, and how the estimates went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dicom_node.operations.viewing import looking
from dicom_node.report import comparison, narrative, wording
from dicom_node.work.findings_codec import decode_findings
from inference.types import Findings
from storage.database.transactions import Database
from storage.errors import NotFoundError
from storage.reading.patients import PatientReport, PatientStudy, studies_of_patient
from storage.reading.study_list import StudySummary
from storage.states import Outcome


@dataclass(frozen=True, slots=True)
class Estimate:
    """One estimate of a report; `changed` as `inference.types.Track` has it."""

    name: str
    value: float
    low: float | None
    high: float | None
    unit: str
    changed: bool | None


@dataclass(frozen=True, slots=True)
class ReportShown:
    """What a pipeline reports of a study: its estimates, and all that it states in words."""

    pipeline: str
    revision: int
    outcome: Outcome
    bundle_digest: str
    made_at: datetime
    estimates: tuple[Estimate, ...]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyOfPatient:
    """One study; `is_same_patient`: it is surely of the patient of the last one."""

    summary: StudySummary
    issuer_of_patient_id: str
    is_same_patient: bool
    reports: tuple[ReportShown, ...]


@dataclass(frozen=True, slots=True)
class PatientShown:
    """The last studies of a patient, the oldest first; `left_out` are older."""

    patient_id: str
    studies: Sequence[StudyOfPatient]
    left_out: int


def show_patient(database: Database, who: str, patient_id: str, *, limit: int = 50) -> PatientShown:
    """The studies under a Patient ID, and what is reported of each.

    Raises:
        NotFoundError: there is none.
    """
    with looking(database, who, "patient", patient_id=patient_id) as tx:
        found, left_out = studies_of_patient(tx, patient_id, limit)
    if not found:
        raise NotFoundError("no study has this Patient ID")
    return PatientShown(patient_id, [_study(each) for each in found], left_out)


def _study(found: PatientStudy) -> StudyOfPatient:
    reports = tuple(map(_report, found.reports))
    return StudyOfPatient(found.summary, found.issuer_of_patient_id, found.is_same_patient, reports)


def _report(made: PatientReport) -> ReportShown:
    findings = decode_findings(made.findings_json) if made.findings_json else None
    return ReportShown(
        made.pipeline,
        made.revision,
        made.outcome,
        made.bundle_digest,
        made.made_at,
        tuple(_estimates(findings)) if findings else (),
        tuple(_said(findings)) if findings else (),
    )


def _estimates(findings: Findings) -> Iterator[Estimate]:
    for item in findings.measurements:
        track = comparison.track_of(findings, item)
        changed = track.changed if track else None
        yield Estimate(item.name, item.value, item.low, item.high, item.unit.value, changed)


def _said(findings: Findings) -> Iterator[str]:
    """Each estimate with what has changed since, each verdict, or why there is neither."""
    if findings.abstention is not None:
        yield wording.no_estimate(findings.abstention)
    for item in findings.measurements:
        track = comparison.track_of(findings, item)
        stated = f"{item.name} {wording.value(item)}, {wording.interval(item)}"
        since = comparison.change(track) if track else ""
        yield "; ".join(filter(None, [stated, since]))
    yield from narrative.verdicts(findings)
