"""The lines of `study show`, in the order of an administrator's questions."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dicom_node.cli.output import text
from dicom_node.operations.studies import StudyShown
from storage.audit.trail import Action
from storage.delivery.listing import DeliveryView
from storage.reading.browse import InstanceView, PreparationView, ReportView, StudyDetail
from storage.states import Outcome, StudyState
from storage.studies.completeness import Evidence

#: Orders about a study; corrections are listed with their values.
_ORDERS = {
    Action.STUDY_COMPLETED_BY_HAND: "completed by hand",
    Action.STUDY_HELD: "held",
    Action.STUDY_RELEASED: "released",
    Action.STUDY_RERUN: "rerun",
    Action.ALARMS_SETTLED: "alarms settled",
}
#: UIDs of missing instances without --verbose.
_MISSING_SHOWN = 5


def study_lines(shown: StudyShown, *, verbose: bool) -> Iterator[str]:
    """What is stuck, what came, was selected, concluded, sent and ordered; verbose: every event."""
    detail = shown.detail
    yield from _heading(detail)
    yield from _stuck(shown)
    yield from _received(shown, verbose=verbose)
    yield from _other_studies(shown)
    yield from _selected(detail.instances)
    yield from _concluded(detail, verbose=verbose)
    yield from _sent(detail.deliveries, verbose=verbose)
    yield from _ordered(shown)
    if verbose:
        yield "\nEvents"
        for event in detail.events:
            yield f"  {text(event.at)}  {event.action:22} {text(event.detail)}"
    else:
        yield "\nUIDs, digests, earlier reports and all events: --verbose"


def _heading(detail: StudyDetail) -> Iterator[str]:
    summary = detail.summary
    found = f"{summary.state}, revision {summary.revision}, {summary.instances} instance(s)"
    yield f"Study {summary.study_id}: {found}"
    accession, day = text(summary.accession_number) or "-", text(summary.study_date) or "-"
    yield f"  patient {text(summary.patient_id)}  accession {accession}  study date {day}"
    yield f"  UID {text(summary.study_instance_uid)}"


def _stuck(shown: StudyShown) -> Iterator[str]:
    if not shown.stuck:
        yield "  nothing is stuck"
        return
    yield "\nStuck"
    for item in shown.stuck:
        yield f"  {text(item.what)}"
        yield f"    -> {text(item.remedy)}"


def _received(shown: StudyShown, *, verbose: bool) -> Iterator[str]:
    detail, known = shown.detail, shown.completeness
    yield "\nReceived"
    for peer, count in Counter(item.peer for item in detail.instances).items():
        those = [item for item in detail.instances if item.peer == peer]
        kinds = Counter(text(item.modality) or "no modality" for item in those)
        named = ", ".join(f"{many} {kind}" for kind, many in kinds.items())
        first, last = text(those[0].received_at), text(those[-1].received_at)
        yield f"  {count} instance(s) from {peer}, {first} to {last}: {named}"
    yield from _evidence(known.evidence)
    yield from _missing(known.missing_uids, verbose=verbose)
    for revision in detail.revisions:
        at, instances = text(revision.completed_at), f"{revision.instances} instance(s)"
        yield f"  revision {revision.revision}: {instances}, complete at {at} ({revision.reason})"
    if detail.summary.state is StudyState.RECEIVING and detail.summary.look_at:
        yield f"  next check for completeness at {text(detail.summary.look_at)}"
    for item in detail.instances if verbose else ():
        name = f"#{text(item.instance_number) or '-'}"
        yield f"  {name:5} {text(item.sop_instance_uid)}  file {item.digest}"


def _other_studies(shown: StudyShown) -> Iterator[str]:
    if shown.companions or shown.anchors:
        yield "\nOther studies of the patient"
    for number, pipeline in shown.companions:
        yield f"  study {number} takes part in the report of {pipeline}"
    for number, pipeline in shown.anchors:
        yield f"  this study takes part in the report of {pipeline} on study {number}"


def _evidence(evidence: Evidence) -> Iterator[str]:
    if evidence.in_progress:
        yield f"  {evidence.in_progress} procedure step(s) in progress: waits for their end"
    if evidence.announced:
        yield f"  {evidence.announced} instance(s) announced"
    if evidence.archive_instances is not None:
        asked_at = text(evidence.archive_asked_at)
        yield f"  {evidence.archive_instances} instance(s) in the archive, asked at {asked_at}"
    if evidence.broken:
        yield "  an association broke, and its instances were not sent again"
    if evidence.missing:
        yield f"  {evidence.missing} instance(s) missing, {evidence.given_up} no longer waited for"


def _missing(uids: Sequence[str], *, verbose: bool) -> Iterator[str]:
    shown = uids if verbose else uids[:_MISSING_SHOWN]
    yield from (f"  not here: {text(uid)}" for uid in shown)
    if len(uids) > len(shown):
        yield f"  not here: {len(uids) - len(shown)} more, see --verbose"


def _selected(instances: Sequence[InstanceView]) -> Iterator[str]:
    pipelines = dict.fromkeys(
        made.pipeline for instance in instances for made in instance.preparations
    )
    unread = [item for item in instances if not item.preparations]
    if pipelines or unread:
        yield "\nSelected"
    for pipeline in pipelines:
        made = [
            (instance, each)
            for instance in instances
            for each in instance.preparations
            if each.pipeline == pipeline
        ]
        chosen = [instance for instance, each in made if each.selected]
        yield f"  {pipeline}: {len(chosen)} of {len(made)} instance(s) selected"
        if chosen:
            yield f"    {_numbers(chosen)}: selected"
        for instance, each in made:
            if not each.selected:
                yield f"    {_numbers([instance])}: {_why_not(each)}"
    if unread:
        yield f"  no pipeline reads {_numbers(unread)}"


def _numbers(instances: Sequence[InstanceView]) -> str:
    return " ".join(f"#{text(item.instance_number) or '-'}" for item in instances)


def _why_not(made: PreparationView) -> str:
    if made.selected is None:
        return f"{made.state}{f': {text(made.error)}' if made.error else ''}"
    detail = f" ({text(made.detail)})" if made.detail else ""
    return f"rejected: {text(made.reason_meaning)}{detail}"


def _concluded(detail: StudyDetail, *, verbose: bool) -> Iterator[str]:
    newest = {report.pipeline: report for report in detail.reports}
    yield "\nConcluded"
    if not detail.reports:
        yield "  no report yet"
    for revision in detail.revisions:
        for pipeline, why in revision.failures.items():
            yield f"  {pipeline}, revision {revision.revision}: FAILED: {text(why)}"
    concerning = [each for each in detail.reports if each.outcome != Outcome.NOT_APPLICABLE]
    for report in detail.reports if verbose else concerning or detail.reports:
        is_newest = newest[report.pipeline] is report
        yield from _report(report, is_newest=is_newest, verbose=verbose)


def _report(report: ReportView, *, is_newest: bool, verbose: bool) -> Iterator[str]:
    replaced = "" if is_newest else ", replaced by a later report"
    stored = ", stored only" if report.findings_json and not report.objects else ""
    name = f"  {report.pipeline}, revision {report.revision}: {report.outcome}"
    yield f"{name}, {text(report.made_at)}{stored}{replaced}"
    if report.findings_json and (is_newest or verbose):
        from dicom_node.report.rendering import as_text
        from dicom_node.work.findings_codec import decode_findings

        for line in as_text(decode_findings(report.findings_json)).split("\n"):
            yield f"    {line}"
    for item in report.objects if verbose else ():
        yield f"    {item.kind:3} {item.sop_class_uid:32} {item.sop_instance_uid}"


def _sent(deliveries: Sequence[DeliveryView], *, verbose: bool) -> Iterator[str]:
    yield "\nSent"
    if not deliveries:
        yield "  nothing yet"
    for item in deliveries:
        at = f", {text(item.finished_at)}" if item.finished_at else ""
        trouble = f"  {text(item.trouble)}" if item.trouble else ""
        yield f"  {item.id}: {item.kind} to {item.destination}: {item.standing}{at}{trouble}"
        if verbose and item.sent_sop_instance_uid:
            yield f"     as {text(item.sent_sop_instance_uid)}"


def _ordered(shown: StudyShown) -> Iterator[str]:
    """What people and rejection notes decided about the study, in order."""
    told = [
        (event.at, f"{_ORDERS[event.action]}, by {event.actor}: {event.detail.get('reason')}")
        for event in shown.detail.events
        if event.action in _ORDERS
    ]
    for note in shown.rejection_notes:
        effect = f": ignored, {note.ignored_because}" if note.ignored_because else ""
        what = f"rejection note {note.code} on {note.instances} instance(s)"
        told.append((note.recorded_at, f"{what}, from {note.peer}{effect}"))
    for item in shown.corrections:
        what = f"{item.kind} {text(item.identification.given())}".rstrip()
        told.append((item.at, f"{what}, by {item.actor}: {item.reason}"))
    if told:
        yield "\nOrders and corrections"
    for at, words in sorted(told):
        yield f"  {text(at)}  {text(words)}"
