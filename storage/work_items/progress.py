"""What a work item waits for: its input, the reports about it, and where these were delivered."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from storage import tables
from storage.database.transactions import Transaction
from storage.states import Backfill, DeliveryState, JobKind, JobState, StudyState

_UNFINISHED_JOBS = (JobState.QUEUED, JobState.RUNNING)
_UNFINISHED_DELIVERIES = (DeliveryState.PENDING, DeliveryState.SENDING)


@dataclass(frozen=True, slots=True)
class Output:
    """One object of a report, and the destination that has accepted it."""

    destination: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputStudy:
    """The study of a work item as it is at one moment.

    `input_is_here`: all instances that the item names came, or some where it names none.
    `is_concluded`: the study is complete, and each pipeline has said what it had to say.
    `failed`: one of them could not. `is_delivered`: nothing is on its way any more.
    """

    study_id: int | None = None
    input_is_here: bool = False
    is_concluded: bool = False
    failed: bool = False
    is_delivered: bool = False
    outputs: tuple[Output, ...] = ()


def look_at_study(
    tx: Transaction,
    study_instance_uid: str,
    input_uids: Collection[str],
    shadows: Collection[str] = (),
) -> InputStudy:
    """How far the study of a work item is; its last revision that is to be reported counts.

    `shadows` are pipelines that make no reports.
    """
    study, instance = tables.Study, tables.Instance
    found = tx.execute(
        select(study.id, study.state).where(study.study_instance_uid == study_instance_uid)
    ).first()
    if found is None:
        return InputStudy()
    came = set(tx.scalars(select(instance.sop_instance_uid).where(instance.study_id == found.id)))
    is_here = came.issuperset(input_uids) if input_uids else bool(came)
    jobs = _conclusions(tx, found.id, shadows)
    complete = found.state == StudyState.COMPLETE
    if not complete or any(state in _UNFINISHED_JOBS for state in jobs.values()):
        return InputStudy(study_id=found.id, input_is_here=is_here)
    reports = [_report(tx, found.id, pipeline) for pipeline in sorted(jobs)]
    standing = [number for number in reports if number is not None]
    return InputStudy(
        study_id=found.id,
        input_is_here=is_here,
        is_concluded=True,
        failed=JobState.FAILED in jobs.values(),
        is_delivered=_is_delivered(tx, standing),
        outputs=_outputs(tx, standing),
    )


def _conclusions(tx: Transaction, study_id: int, shadows: Collection[str]) -> dict[str, JobState]:
    job = tables.Job
    rows = tx.execute(
        select(job.pipeline, job.revision, job.state).where(
            job.study_id == study_id,
            job.kind == JobKind.CONCLUDE,
            job.pipeline.not_in(shadows),
            job.backfill.is_distinct_from(Backfill.STORED),
        )
    ).all()
    last = max((row.revision for row in rows), default=0)
    return {row.pipeline: row.state for row in rows if row.revision == last}


def _report(tx: Transaction, study_id: int, pipeline: str) -> int | None:
    """The newest report that made objects: one without effect leaves the one before standing."""
    report, made = tables.Report, tables.ResultObject
    return tx.scalar(
        select(report.id)
        .where(
            report.study_id == study_id,
            report.pipeline == pipeline,
            select(made.id).where(made.report_id == report.id).exists(),
        )
        .order_by(report.revision.desc())
        .limit(1)
    )


def _is_delivered(tx: Transaction, reports: Sequence[int]) -> bool:
    delivery = tables.Delivery
    waits = delivery.report_id.in_(reports), delivery.state.in_(_UNFINISHED_DELIVERIES)
    return tx.scalar(select(delivery.id).where(*waits).limit(1)) is None


def _outputs(tx: Transaction, reports: Sequence[int]) -> tuple[Output, ...]:
    """What was accepted; a rejection note or an HL7 message is no output."""
    delivery, made = tables.Delivery, tables.ResultObject
    rows = tx.execute(
        select(
            delivery.destination,
            made.series_instance_uid,
            made.sop_class_uid,
            made.sop_instance_uid,
        )
        .join(
            made,
            (made.report_id == delivery.report_id)
            & (made.sop_instance_uid == delivery.sent_sop_instance_uid),
        )
        .where(
            delivery.report_id.in_(reports),
            delivery.state == DeliveryState.SENT,
            made.kind.not_in(("RN", "ORU")),
        )
        .distinct()
        .order_by(made.series_instance_uid, made.sop_instance_uid, delivery.destination)
    )
    return tuple(Output(*row) for row in rows)
