"""What pipelines made: preparations of instances, and reports with their DICOM objects."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Row,
    SQLColumnExpression,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from storage import alarms, audit, corrections, rejections, schema
from storage.audit import Action, Event
from storage.destinations_schema import DestinationAnswer
from storage.engine import Transaction
from storage.errors import NotFoundError
from storage.refused_instances import Refused, refused_of
from storage.states import AlarmKind, DeliveryState, JobState, Outcome
from storage.upsert import insert_for

__all__ = [
    "Case",
    "CaseInstance",
    "Outcome",
    "Preparation",
    "Report",
    "ResultObject",
    "StoredReport",
    "latest_report",
    "load_case",
    "record_preparation",
    "record_report",
    "renditions",
    "stored_objects",
]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a pipeline made of one instance.

    A rejected instance has a coded reason, its meaning and a sentence; a selected one has empty
    texts there and, once encoded, features. `instance_json` is how a report points at it.
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


@dataclass(frozen=True, slots=True)
class CaseInstance:
    """One instance of a study as a pipeline sees it.

    `prepare_failed` says what went wrong where the last attempt to prepare it was given up, and
    `failure_code` in one word; an earlier preparation may be there all the same. `rejected` is the
    code (DCM) of the rejection note that took the instance back. `removed`: its file left the
    spool, so that it cannot be prepared anew. `names_patient`: it has a Patient ID; None: not
    known.
    """

    instance_id: int
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    digest: str
    instance_number: str
    modality: str
    patient_differs: bool
    preparation: Preparation | None
    prepare_failed: str | None
    rejected: str | None = None
    removed: bool = False
    failure_code: str | None = None
    names_patient: bool | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that one pipeline concludes one study from, in the order of arrival.

    `withdrawn` is why an administrator withdrew the study, if so; `identification` what was
    corrected of it, by the names of `storage.corrections.Identification`. `reported` are the
    objects that destinations have, each with its destination, as far as no rejection note of ours
    has told that destination of them yet. `refused` did not get in and was not sent again.
    """

    study_id: int
    study_instance_uid: str
    patient_conflict: bool
    instances: tuple[CaseInstance, ...]
    withdrawn: str | None = None
    identification: Mapping[str, str] = field(default_factory=dict)
    reported: tuple["ResultObject", ...] = ()
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultObject:
    """One DICOM object in the spool; of one kind, preference 0 is sent first.

    With a `destination` it is for that one alone, as a rejection note is.

    An HL7 message (ORU) has its control ID in place of the UID, and no other UIDs.
    """

    kind: Literal["SR", "SC", "KOS", "PDF", "RN", "ORU"]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport(Report):
    """A report and the number of its row."""

    id: int


def record_preparation(tx: Transaction, preparation: Preparation) -> None:
    """Keep what was made of an instance, in place of what the same pipeline made of it before."""
    made = asdict(preparation)
    key = ["instance_id", "pipeline"]
    tx.execute(
        insert_for(tx, schema.Preparation)
        .values(made)
        .on_conflict_do_update(
            index_elements=key, set_={name: made[name] for name in made if name not in key}
        )
    )
    instance = tx.execute(
        select(schema.Instance.study_id, schema.Instance.sop_instance_uid).where(
            schema.Instance.id == preparation.instance_id
        )
    ).one()
    audit.record(
        tx,
        Event(
            action=Action.INSTANCE_SELECTED if preparation.selected else Action.INSTANCE_REJECTED,
            at=preparation.prepared_at,
            study_id=instance.study_id,
            sop_instance_uid=instance.sop_instance_uid,
            detail={"pipeline": preparation.pipeline, "reason": preparation.reason_code},
        ),
    )


def load_case(tx: Transaction, study_id: int, pipeline: str) -> Case:
    """Gather what a pipeline concludes a study from.

    Raises:
        NotFoundError: no such study.
    """
    study = tx.execute(
        select(schema.Study.study_instance_uid).where(schema.Study.id == study_id)
    ).first()
    if study is None:
        raise NotFoundError(f"no study {study_id}")
    made = {
        row.instance_id: Preparation(**row._asdict())
        for row in tx.execute(
            select(schema.Preparation)
            .join(schema.Instance, schema.Instance.id == schema.Preparation.instance_id)
            .where(schema.Instance.study_id == study_id, schema.Preparation.pipeline == pipeline)
        )
    }
    failed: dict[int | None, Row[*tuple[Any, ...]]] = {
        row.instance_id: row
        for row in tx.execute(
            select(
                schema.Job.instance_id,
                schema.Job.error_code,
                schema.Job.error_message,
            ).where(
                schema.Job.study_id == study_id,
                schema.Job.pipeline == pipeline,
                schema.Job.state == JobState.FAILED,
                schema.Job.instance_id.isnot(None),
            )
        )
    }
    rejected = rejections.rejected_in(tx, study_id)
    instances = [
        _case_instance(row, made, failed, rejected)
        for row in tx.execute(
            select(schema.Instance)
            .where(schema.Instance.study_id == study_id)
            .order_by(schema.Instance.id)
        )
    ]
    standing = corrections.standing_of(tx, study_id)
    return Case(
        study_id=study_id,
        study_instance_uid=study.study_instance_uid,
        patient_conflict=any(item.patient_differs and not item.rejected for item in instances),
        instances=tuple(instances),
        withdrawn=standing.withdrawn,
        identification=standing.identification,
        reported=_reported(tx, study_id, pipeline),
        refused=tuple(refused_of(tx, study_id)),
    )


def _reported(tx: Transaction, study_id: int, pipeline: str) -> tuple[ResultObject, ...]:
    report, made, delivery = schema.Report, schema.ResultObject, schema.Delivery
    note, noted = aliased(made), aliased(report)
    taken_back = (
        select(func.coalesce(func.max(noted.revision), 0))
        .join(note, note.report_id == noted.id)
        .where(
            noted.study_id == study_id,
            noted.pipeline == pipeline,
            note.kind == "RN",
            func.coalesce(note.destination, "").in_(("", delivery.destination)),
        )
        .correlate(delivery)
        .scalar_subquery()
    )
    # What is on its way at this moment may be there as any rendition that is not refused.
    refused = exists().where(
        DestinationAnswer.destination == delivery.destination,
        DestinationAnswer.sop_class_uid == made.sop_class_uid,
        DestinationAnswer.refused_by != "",
    )
    on_its_way = and_(
        delivery.state == DeliveryState.SENDING, _is_rendition(made.kind, delivery.kind), ~refused
    )
    columns = [getattr(made, item.name) for item in fields(ResultObject)]
    rows = tx.execute(
        select(*columns, delivery.id, delivery.destination.label("held_by"), delivery.state)
        .join(report, report.id == made.report_id)
        .join(delivery, delivery.report_id == report.id)
        .where(
            report.study_id == study_id,
            report.pipeline == pipeline,
            made.kind.not_in(("RN", "ORU")),
            report.revision >= taken_back,
            or_(delivery.sent_sop_instance_uid == made.sop_instance_uid, on_its_way),
        )
        .order_by(delivery.destination, delivery.id, made.kind != delivery.kind, made.preference)
    )
    held: dict[tuple[str, str], ResultObject] = {}
    under_way: set[int] = set()
    for row in rows:
        if row.state == DeliveryState.SENDING and row.id in under_way:
            continue  # the best rendition is what is being sent
        under_way.add(row.id)
        values = {item.name: getattr(row, item.name) for item in fields(ResultObject)}
        held[row.held_by, row.sop_instance_uid] = ResultObject(
            **{**values, "destination": row.held_by}
        )
    return tuple(item for _, item in sorted(held.items()))


def _is_rendition(
    made: SQLColumnExpression[str], wanted: SQLColumnExpression[str]
) -> ColumnElement[bool]:
    """Whether an object of one kind may be what is sent for another."""
    others = [and_(wanted == kind, made.in_(instead)) for kind, instead in LAST_RESORT.items()]
    return or_(made == wanted, *others)


def _case_instance(
    row: Row[Any],
    made: dict[int, Preparation],
    failed: dict[int | None, Row[*tuple[Any, ...]]],
    rejected: dict[str, str],
) -> CaseInstance:
    failure = failed.get(row.id)
    return CaseInstance(
        instance_id=row.id,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        series_instance_uid=row.series_instance_uid,
        digest=row.digest,
        instance_number=row.instance_number,
        modality=row.modality,
        patient_differs=row.patient_differs,
        preparation=made.get(row.id),
        prepare_failed=(failure.error_message or failure.error_code or "") if failure else None,
        rejected=rejected.get(row.sop_instance_uid),
        removed=row.removed_at is not None,
        failure_code=(failure.error_code or "") if failure else None,
        names_patient=row.names_patient,
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
_NO_PATIENT_ID = "no instance has a Patient ID, so that a report could be filed under nobody"


def record_report(tx: Transaction, report: Report) -> int:
    """Keep a report with its objects; returns its id.

    There is one per study, revision and pipeline: where it is there already, it stays as it is.
    """
    existing = tx.scalar(
        select(schema.Report.id).where(
            schema.Report.study_id == report.study_id,
            schema.Report.pipeline == report.pipeline,
            schema.Report.revision == report.revision,
        )
    )
    if existing is not None:
        return existing
    values = asdict(report)
    objects, left_out = values.pop("objects"), values.pop("left_out")
    report_id = tx.execute(
        insert(schema.Report).values(values).returning(schema.Report.id)
    ).scalar_one()
    if objects:
        tx.execute(
            insert(schema.ResultObject), [{"report_id": report_id, **item} for item in objects]
        )
    if report.outcome is Outcome.UNFILED:
        alarms.raise_alarm(
            tx, report.study_id, AlarmKind.NO_PATIENT_ID, _NO_PATIENT_ID, report.made_at
        )
    else:
        alarms.settle(tx, report.study_id, report.made_at, AlarmKind.NO_PATIENT_ID)
    audit.record(
        tx,
        Event(
            action=_ACTIONS[report.outcome],
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
        select(schema.Report)
        .where(
            schema.Report.study_id == study_id,
            schema.Report.pipeline == pipeline,
            select(schema.ResultObject.id)
            .where(schema.ResultObject.report_id == schema.Report.id)
            .exists(),
        )
        .order_by(schema.Report.revision.desc())
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
    made = schema.ResultObject
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
