"""A case: all that one pipeline concludes one study from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, SQLColumnExpression, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from storage import tables
from storage.corrections import ordered, rejections
from storage.database.transactions import Transaction
from storage.errors import NotFoundError
from storage.reading.companions import Reach, companions
from storage.reading.earlier import EarlierFindings, earlier_findings
from storage.reading.same_patient import CaseStudy, case_study
from storage.states import DeliveryState, JobState
from storage.studies.refused_instances import Refused, refused_of
from storage.tables import DestinationAnswer
from storage.work.results import LAST_RESORT, Preparation, ResultObject


@dataclass(frozen=True, slots=True)
class CaseInstance:
    """One instance of a study as a pipeline sees it.

    `prepare_failed` says what went wrong where the last attempt to prepare it was given up, and
    `failure_code` in one word; an earlier preparation may be there all the same. `rejected` is the
    code (DCM) of the rejection note that took the instance back. `removed`: its file left the
    spool, so that it cannot be prepared again. `names_patient`: it has a Patient ID; None: not
    known. `peer` sent it first. `of` is the other study that it is of; None: the case's own.
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
    peer: str = ""
    of: CaseStudy | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that one pipeline concludes one study from, in the order of arrival.

    `at` is when the study was, YYYYMMDDHHMMSS, "" where not known. `companions` are instances of
    the patient's other studies that take part, as far as they still stand; `earlier` is what the
    pipeline estimated in studies of the patient before this one, the oldest first. `patient_id` is
    the Patient ID that the study is filed under.
    `withdrawn` is why an administrator withdrew the study, if so; `identification` what was
    corrected of it, by the names of `storage.corrections.ordered.Identification`. `reported` are
    the objects that destinations have, each with its destination, as far as no rejection note of
    ours has told that destination of them yet. `refused` did not get in and was not sent again.
    """

    study_id: int
    study_instance_uid: str
    patient_conflict: bool
    instances: tuple[CaseInstance, ...]
    withdrawn: str | None = None
    identification: Mapping[str, str] = field(default_factory=dict)
    reported: tuple[ResultObject, ...] = ()
    refused: tuple[Refused, ...] = ()
    at: str = ""
    companions: tuple[CaseInstance, ...] = ()
    earlier: tuple[EarlierFindings, ...] = ()
    patient_id: str = ""


def load_case(tx: Transaction, study_id: int, pipeline: str, reach: Reach | None = None) -> Case:
    """Gather what a pipeline concludes a study from; with a `reach`, of other studies too.

    Raises:
        NotFoundError: no such study.
    """
    study = tx.execute(select(tables.Study).where(tables.Study.id == study_id)).first()
    if study is None:
        raise NotFoundError(f"no study {study_id}")
    instances = _instances(tx, study_id, pipeline)
    standing = ordered.standing_of(tx, study_id)
    return Case(
        study_id=study_id,
        study_instance_uid=study.study_instance_uid,
        patient_conflict=any(item.patient_differs and not item.rejected for item in instances),
        instances=tuple(instances),
        withdrawn=standing.withdrawn,
        identification=standing.identification,
        reported=_reported(tx, study_id, pipeline),
        refused=tuple(refused_of(tx, study_id)),
        at=case_study(study).at,
        companions=tuple(_beside(tx, study_id, pipeline, reach)) if reach else (),
        earlier=tuple(earlier_findings(tx, study, pipeline)),
        patient_id=study.patient_id,
    )


def _beside(tx: Transaction, study_id: int, pipeline: str, reach: Reach) -> Iterator[CaseInstance]:
    """The instances of companions that the pipeline looks at and that nobody has taken back."""
    for other in companions(tx, study_id, reach):
        for item in _instances(tx, other.study_id, pipeline):
            wanted = item.sop_class_uid in reach.sop_class_uids
            if wanted and not item.rejected and not item.patient_differs:
                yield replace(item, of=other)


def _instances(tx: Transaction, study_id: int, pipeline: str) -> list[CaseInstance]:
    made = {
        row.instance_id: Preparation(**row._asdict())
        for row in tx.execute(
            select(tables.Preparation)
            .join(tables.Instance, tables.Instance.id == tables.Preparation.instance_id)
            .where(tables.Instance.study_id == study_id, tables.Preparation.pipeline == pipeline)
        )
    }
    failed: dict[int | None, Row[*tuple[Any, ...]]] = {
        row.instance_id: row
        for row in tx.execute(
            select(
                tables.Job.instance_id,
                tables.Job.error_code,
                tables.Job.error_message,
            ).where(
                tables.Job.study_id == study_id,
                tables.Job.pipeline == pipeline,
                tables.Job.state == JobState.FAILED,
                tables.Job.instance_id.isnot(None),
            )
        )
    }
    rejected = rejections.rejected_in(tx, study_id)
    return [
        _case_instance(row, made, failed, rejected)
        for row in tx.execute(
            select(tables.Instance)
            .where(tables.Instance.study_id == study_id)
            .order_by(tables.Instance.id)
        )
    ]


def _reported(tx: Transaction, study_id: int, pipeline: str) -> tuple[ResultObject, ...]:
    report, made, delivery = tables.Report, tables.ResultObject, tables.Delivery
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
        peer=row.peer,
    )
