"""What pipelines made: preparations of instances, and reports with their DICOM objects."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, insert, select

from storage import tables
from storage.alarms import about_studies
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.states import AlarmKind, Outcome, ResultKind
from storage.tables.upsert import insert_for


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a pipeline made of one instance.

    A rejected instance has a coded reason, its meaning and a sentence; a selected one has empty
    texts there and, once encoded, features. `instance_json` is how a report points at it.
    `pipeline_version` and `settings`, under which it was made, are None for what was made before
    they were kept.
    """

    instance_id: int
    pipeline: str
    bundle_digest: str
    selected: bool
    reason_code: str
    reason_meaning: str
    detail: str
    verdicts_json: str
    instance_json: str
    features: bytes | None
    prepared_at: datetime
    pipeline_version: str | None
    settings: str | None = ""


@dataclass(frozen=True, slots=True)
class ResultObject:
    """One DICOM object in the spool; of one kind, preference 0 is sent first.

    With a `destination` it is for that one alone, as a rejection note is. An HL7 message
    (ORU) has its control ID in place of the UID, and no other UIDs.
    """

    kind: ResultKind
    preference: int
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    digest: str
    size_bytes: int
    destination: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a pipeline concluded from one revision; `supersedes` is the id of an earlier report.

    `left_out` says what of it could not be made, for the audit; nothing, as a rule.
    """

    study_id: int
    revision: int
    pipeline: str
    pipeline_version: str
    bundle_digest: str
    input_digest: str
    outcome: Outcome
    supersedes: int | None
    findings_json: str
    made_at: datetime
    objects: tuple[ResultObject, ...]
    left_out: tuple[str, ...] = ()

    @property
    def is_stored_only(self) -> bool:
        """Whether its findings are kept, and no reader gets any object of it."""
        return bool(self.findings_json) and not self.objects


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport(Report):
    """A report and the number of its row."""

    id: int


def record_preparation(tx: Transaction, preparation: Preparation) -> None:
    """Keep what was made of an instance, in place of what the same pipeline made of it before."""
    made = asdict(preparation)
    key = ["instance_id", "pipeline"]
    tx.execute(
        insert_for(tx, tables.Preparation)
        .values(made)
        .on_conflict_do_update(
            index_elements=key, set_={name: made[name] for name in made if name not in key}
        )
    )
    instance = tx.execute(
        select(tables.Instance.study_id, tables.Instance.sop_instance_uid).where(
            tables.Instance.id == preparation.instance_id
        )
    ).one()
    trail.record(
        tx,
        Event(
            action=Action.INSTANCE_SELECTED if preparation.selected else Action.INSTANCE_REJECTED,
            at=preparation.prepared_at,
            study_id=instance.study_id,
            sop_instance_uid=instance.sop_instance_uid,
            detail={"pipeline": preparation.pipeline, "reason": preparation.reason_code},
        ),
    )


_ACTIONS = {
    Outcome.ESTIMATED: Action.REPORT_MADE,
    Outcome.ABSTAINED: Action.REPORT_MADE,
    Outcome.NO_EFFECT: Action.REPORT_NO_EFFECT,
    Outcome.NOT_APPLICABLE: Action.REPORT_NOT_APPLICABLE,
    Outcome.WITHDRAWN: Action.REPORT_WITHDRAWN,
    Outcome.UNFILED: Action.REPORT_UNFILED,
}
#: What an administrator reads of a study that nothing can be reported of.
_NO_PATIENT_ID = "no instance has a Patient ID, so no report can be filed"


def record_report(tx: Transaction, report: Report) -> int:
    """Keep a report with its objects; returns its id.

    There is one per study, revision and pipeline: where it is there already, it stays as it is.
    """
    existing = tx.scalar(
        select(tables.Report.id).where(
            tables.Report.study_id == report.study_id,
            tables.Report.pipeline == report.pipeline,
            tables.Report.revision == report.revision,
        )
    )
    if existing is not None:
        return existing
    values = asdict(report)
    objects, left_out = values.pop("objects"), values.pop("left_out")
    report_id = tx.execute(
        insert(tables.Report).values(values).returning(tables.Report.id)
    ).scalar_one()
    if objects:
        tx.execute(
            insert(tables.ResultObject), [{"report_id": report_id, **item} for item in objects]
        )
    if report.outcome is Outcome.UNFILED:
        about_studies.raise_alarm(
            tx, report.study_id, AlarmKind.NO_PATIENT_ID, _NO_PATIENT_ID, report.made_at
        )
    elif not report.is_stored_only:
        about_studies.settle(tx, report.study_id, report.made_at, AlarmKind.NO_PATIENT_ID)
    trail.record(
        tx,
        Event(
            action=Action.FINDINGS_STORED if report.is_stored_only else _ACTIONS[report.outcome],
            at=report.made_at,
            study_id=report.study_id,
            detail={
                "report": report_id,
                "revision": report.revision,
                "pipeline": report.pipeline,
                "outcome": report.outcome.value,
                "objects": len(objects),
                **({"left_out": "; ".join(left_out)} if left_out else {}),
            },
        ),
    )
    return report_id


def latest_report(tx: Transaction, study_id: int, pipeline: str) -> StoredReport | None:
    """Find the last report of a study that made objects: the one that readers have."""
    row = tx.execute(
        select(tables.Report)
        .where(
            tables.Report.study_id == study_id,
            tables.Report.pipeline == pipeline,
            select(tables.ResultObject.id)
            .where(tables.ResultObject.report_id == tables.Report.id)
            .exists(),
        )
        .order_by(tables.Report.revision.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return StoredReport(**row._asdict(), objects=stored_objects(tx, row.id))


#: What is sent in place of an object of which every rendition is refused.
LAST_RESORT: Mapping[str, tuple[str, ...]] = {"SR": ("SC", "PDF")}


def renditions(
    tx: Transaction, report_id: int, kind: str, destination: str
) -> tuple[ResultObject, ...]:
    """What can be sent for an object of a report: of its own kind, best first, then another's."""
    kinds = (kind, *LAST_RESORT.get(kind, ()))
    made = (item for each in kinds for item in stored_objects(tx, report_id, each))
    return tuple(item for item in made if item.destination in {"", destination})


def stored_objects(
    tx: Transaction, report_id: int, kind: str | None = None
) -> tuple[ResultObject, ...]:
    """The objects of a report, or those of one kind, best first."""
    made = tables.ResultObject
    query = select(
        made.kind,
        made.preference,
        made.sop_class_uid,
        made.sop_instance_uid,
        made.series_instance_uid,
        made.digest,
        made.size_bytes,
        func.coalesce(made.destination, "").label("destination"),
    ).where(made.report_id == report_id)
    if kind is not None:
        query = query.where(made.kind == kind)
    rows = tx.execute(query.order_by(made.kind, made.preference))
    return tuple(ResultObject(**row._asdict()) for row in rows)
