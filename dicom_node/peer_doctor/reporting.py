"""Storage-commitment reports of a destination that the node refused, and what to change.

Many archives report on a new association (PS3.4 annex J.3.3). If the node refuses it, the delivery
keeps waiting for a report that has already come.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from dicom_node.peer_doctor.steps import Step, Steps, Verdict
from dicom_node.scp import rejections
from storage.audit import trail
from storage.audit.trail import Action, RecordedEvent
from storage.database.transactions import Transaction

_MOST_EVENTS = 1000
_REPORT = "N-EVENT-REPORT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """A destination that is asked for storage commitment, and what identifies its reports.

    `ae_title` is its own; `addresses` are those of its host; `peers` the names of the peers of that
    AE title in the settings; `called` such as "AE title ECHONODE, port 11112".
    """

    name: str
    ae_title: str
    addresses: tuple[str, ...]
    peers: tuple[str, ...]
    called: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Equal refusals: what was refused, how often, and what to change."""

    what: str
    count: int
    last_at: datetime
    address: str
    advice: str

    def __str__(self) -> str:
        at = self.last_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        return f"{self.count} x {self.what}, last at {at} from {self.address or 'unknown'}"


def turned_away(tx: Transaction, reporter: Reporter, since: datetime) -> list[TurnedAway]:
    """Refusals since a time that may have been reports, the most frequent first."""
    found: dict[str, list[RecordedEvent]] = {}
    counts: Counter[str] = Counter()
    for action, reason_of in (
        (Action.ASSOCIATION_REFUSED, _association_reason),
        (Action.REQUEST_REFUSED, _request_reason),
    ):
        for event in trail.search(tx, since=since, action=action, limit=_MOST_EVENTS):
            reason = reason_of(event, reporter)
            if reason:
                found.setdefault(reason, []).append(event)
                counts[reason] += int(event.detail.get("count") or 1)
    return [
        TurnedAway(
            reason,
            count,
            found[reason][0].at,
            found[reason][0].address or "",
            _advice(reporter, found[reason][0]),
        )
        for reason, count in counts.most_common()
    ]


def examine_reports(tx: Transaction, reporter: Reporter, since: datetime) -> Steps:
    """Each kind of refusal, and what to change."""
    name = "commitment reports"
    refused = turned_away(tx, reporter, since)
    if not refused:
        yield Step(name, Verdict.WORKS, "none was refused in the last days")
    for item in refused:
        yield Step(name, Verdict.FAILS, f"refused: {item}", item.advice)


def _association_reason(event: RecordedEvent, reporter: Reporter) -> str:
    is_its_own = event.detail.get("calling_aet") == reporter.ae_title
    if not is_its_own and event.address not in reporter.addresses:
        return ""
    return f"association: {event.detail.get('reason', '')}"


def _request_reason(event: RecordedEvent, reporter: Reporter) -> str:
    is_report = event.detail.get("kind") == _REPORT
    if not is_report or event.peer not in reporter.peers:
        return ""
    return f"report: {event.detail.get('reason', '')}"


def _advice(reporter: Reporter, event: RecordedEvent) -> str:
    reason, calling = event.detail.get("reason"), event.detail.get("calling_aet")
    if event.action == Action.REQUEST_REFUSED:
        if "may not" in str(reason):
            return f'here: add "commit" to `may` of [[peer]] {event.peer}'
        return "there: its report is about a request that this node did not send: check its target"
    if reason == rejections.CALLING_UNKNOWN.reason:
        network = f"{event.address}/{128 if ':' in str(event.address) else 32}"
        return (
            f'here: to accept its report, add a [[peer]] with ae_title = "{calling}", '
            f'networks = ["{network}"] and may = ["commit"]'
        )
    if reason == rejections.ADDRESS_DENIED.reason:
        return f"here: add {event.address} to `networks` of the [[peer]] with AE title {calling}"
    if reason == rejections.CALLED_WRONG.reason:
        called = event.detail.get("called_aet")
        return f'there: it calls "{called}"; set it to {reporter.called}'
    return f"see `echonode peer doctor {reporter.peers[0] if reporter.peers else reporter.name}`"
