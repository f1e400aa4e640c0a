"""What keeps a study from its report, or a report from its destination, and what to do about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from dicom_node.operations.completeness import Completeness
from dicom_node.operations.health.partners import is_missed
from dicom_node.operations.local_time import local_time
from dicom_node.retry_decision import LIES_IN_THE_INSTANCE
from storage.alarms import about_work
from storage.alarms.about_work import WorkAlarm
from storage.database.transactions import Transaction
from storage.delivery.listing import DeliveryView
from storage.reading.browse import StudyDetail
from storage.states import AlarmKind, ClimbState, DeliveryState
from storage.work import roster

_REMEDY = {
    AlarmKind.EDITED: (
        "if the new values are right, `echonode study correct {0}`; "
        "else `echonode study settle {0}`"
    ),
    AlarmKind.NO_PATIENT_ID: "give it one: `echonode study correct {0} --patient-id ID`",
}
_MOST_WORK_ALARMS = 20


@dataclass(frozen=True, slots=True)
class Stuck:
    """One thing that does not go on by itself, or not yet, and what to do."""

    what: str
    remedy: str


def stuck_of(tx: Transaction, detail: StudyDetail, known: Completeness) -> list[Stuck]:
    """Everything of a study that is stuck: first what came, then its analysis, its deliveries."""
    number = detail.summary.study_id
    work = about_work.alarms(tx, LIES_IN_THE_INSTANCE, _MOST_WORK_ALARMS, number)
    absent = [
        item.pipeline for item in roster.absent(tx, datetime.now(UTC), number) if item.waiting
    ]
    return [
        *_received(detail, known),
        *_analysis(detail, work, absent),
        *_deliveries(detail.deliveries),
    ]


def _received(detail: StudyDetail, known: Completeness) -> Iterator[Stuck]:
    number = detail.summary.study_id
    if detail.summary.patient_conflict:
        yield Stuck(
            "its instances name more than one patient: no estimate is made",
            f"if it is one patient, `echonode study correct {number} --same-patient`; else have "
            "the wrong instances rejected, or withdraw the study",
        )
    if known.hold:
        since = local_time(known.hold.held_at)
        yield Stuck(
            f"held by {known.hold.actor} since {since}: {known.hold.reason}",
            f"`echonode study release {number}`",
        )
    if known.alarm:
        since = local_time(known.alarm.raised_at)
        yield Stuck(
            f"{known.alarm.missing} announced instance(s) did not come, alarm since {since}",
            "fetch them with `echonode pull`, or go on without them: "
            f"`echonode study complete {number}`",
        )
    for one in known.refused:
        often = f" ({one.times} times)" if one.times > 1 else ""
        yield Stuck(
            f"refused at {local_time(one.refused_at)} and not sent again: {one.sop_instance_uid} "
            f"from {one.peer}, 0x{one.status:04X} {one.reason}{often}",
            f"have it sent again, or go on without: `echonode study settle {number}`",
        )
    for kind, what in known.alarms.items():
        yield Stuck(what, _REMEDY[kind].format(number))


def _analysis(
    detail: StudyDetail, work: Sequence[WorkAlarm], absent: Sequence[str]
) -> Iterator[Stuck]:
    number = detail.summary.study_id
    for pipeline in absent:
        yield Stuck(
            f"{pipeline}: no worker runs this pipeline",
            "start a worker whose settings name it; see `echonode doctor`, line workers",
        )
    for revision in detail.revisions[-1:]:
        for pipeline, why in revision.failures.items():
            yield Stuck(
                f"{pipeline}: the analysis failed: {why}",
                f"remove the cause, then `echonode study rerun {number}`",
            )
    for alarm in work:
        why = alarm.message or alarm.code
        if alarm.standing == "waits":
            what = f"{alarm.pipeline}: {alarm.jobs} job(s) wait after a failure: {why}"
            yield Stuck(what, "retried automatically; if it lasts, see `echonode doctor`")
        else:
            yield Stuck(
                f"{alarm.pipeline}: {alarm.jobs} instance(s) could not be read: {why}",
                "send the study again, or copy the file back from a backup and run "
                f"`echonode study rerun {number}`",
            )


def _deliveries(deliveries: Sequence[DeliveryView]) -> Iterator[Stuck]:
    troubled = sorted(filter(_is_stuck, deliveries), key=_trouble)
    for (destination, standing, trouble), those in groupby(troubled, _trouble):
        items = list(those)
        kinds = ", ".join(item.kind for item in items)
        numbers = " ".join(str(item.id) for item in items)
        if items[0].state is DeliveryState.PENDING:
            again = local_time(min(item.available_at for item in items))
            remedy = f"tried again at {again}; `echonode peer doctor {destination}` finds the cause"
        elif items[0].state is DeliveryState.SENT:
            remedy = f"`echonode outbox show {items[0].id}`, then `echonode outbox retry {numbers}`"
        else:
            remedy = (
                f"`echonode peer doctor {destination}` finds the cause; then "
                f"`echonode outbox retry {numbers}`"
            )
        yield Stuck(f"{kinds} to {destination}: {standing}: {trouble}", remedy)


def _is_stuck(item: DeliveryView) -> bool:
    if item.state is DeliveryState.FAILED:
        return is_missed(item)
    if item.state is DeliveryState.SENT:
        return item.climb is ClimbState.STALLED
    return bool(item.trouble)


def _trouble(item: DeliveryView) -> tuple[str, str, str]:
    return item.destination, item.standing, item.trouble
