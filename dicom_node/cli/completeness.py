"""What `echonode study show` says about whether a study has come whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dicom_node.cli.output import text
from storage.alarms import about_studies, missing_instances
from storage.alarms.missing_instances import Alarm
from storage.database.engine import Transaction
from storage.states import AlarmKind
from storage.studies import completeness, orders
from storage.studies.completeness import Evidence
from storage.studies.orders import Hold
from storage.studies.refused_instances import Refused, refused_of

_MISSING_SHOWN = 100
_REMEDY = {
    AlarmKind.EDITED: "if the new values are right, `study correct`; else `study settle`",
    AlarmKind.NO_PATIENT_ID: "give it one with `study correct --patient-id`",
}


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is known of a study; `missing_uids` are the first of those that are not here.

    `refused` was refused and not sent again; `alarms` are those about anything else.
    """

    evidence: Evidence
    hold: Hold | None
    alarm: Alarm | None
    missing_uids: Sequence[str]
    refused: Sequence[Refused]
    alarms: Mapping[AlarmKind, str]


def completeness_of(tx: Transaction, study_id: int) -> Completeness:
    """Gather it.

    Raises:
        NotFoundError: no such study.
    """
    return Completeness(
        completeness.evidence_of(tx, study_id),
        orders.hold_of(tx, study_id),
        missing_instances.alarm_of(tx, study_id),
        completeness.missing_uids(tx, study_id, _MISSING_SHOWN),
        refused_of(tx, study_id),
        about_studies.standing(tx, study_id),
    )


def completeness_lines(known: Completeness) -> Iterator[str]:
    """Tell it; nothing, where nobody said anything about the study."""
    lines = [*_said(known.evidence), *_ordered(known)]
    lines += [f"  not here: {text(uid)}" for uid in known.missing_uids]
    lines += [_refused_line(one) for one in known.refused]
    lines += [f"  ALARM: {text(what)}: {_REMEDY[kind]}" for kind, what in known.alarms.items()]
    if lines:
        yield "\nCompleteness"
        yield from lines


def _refused_line(one: Refused) -> str:
    """Such as "refused at ...: 1.2.3 from cart, 0xA700 No space left to store the instance"."""
    what = f"{text(one.sop_instance_uid)} from {one.peer}, 0x{one.status:04X} {text(one.reason)}"
    often = f" ({one.times} times)" if one.times > 1 else ""
    return f"  refused at {text(one.refused_at)} and not sent again: {what}{often}"


def _said(evidence: Evidence) -> Iterator[str]:
    if evidence.in_progress:
        yield f"  {evidence.in_progress} procedure step(s) in progress: waits for their end"
    if evidence.announced:
        yield f"  {evidence.announced} instance(s) announced"
    if evidence.archive_instances is not None:
        asked_at = text(evidence.archive_asked_at)
        yield f"  {evidence.archive_instances} instance(s) in the archive, asked at {asked_at}"
    if evidence.broken:
        yield "  an association broke, and none made up for it"
    if evidence.missing:
        yield f"  {evidence.missing} instance(s) missing, {evidence.given_up} no longer waited for"


def _ordered(known: Completeness) -> Iterator[str]:
    if known.hold:
        yield f"  HELD by {known.hold.actor} since {text(known.hold.held_at)}: {known.hold.reason}"
    if known.alarm:
        yield (
            f"  ALARM since {text(known.alarm.raised_at)}: {known.alarm.missing} instance(s) did "
            "not come; `echonode pull` may fetch them, `study complete` does without"
        )
