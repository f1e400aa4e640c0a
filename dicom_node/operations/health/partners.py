"""Do the systems that the node calls answer, and is everything delivered to them?"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from dicom_node import app
from dicom_node.app import partners
from dicom_node.delivery.attempt_outcome import OVERTAKEN, SOP_CLASS_REFUSED
from dicom_node.errors import NodeError
from dicom_node.settings.connections import Called
from dicom_node.settings.model import AuditRepositorySettings, Settings
from storage.database.transactions import Transaction
from storage.delivery import listing
from storage.delivery.listing import DeliveryView, FailedCount
from storage.delivery.outbox import WITHDRAWN

#: How long a failed delivery is shown.
_RECENT = timedelta(days=7)
#: A delivery that has been tried and still waits after so long deserves a look.
_LATE = timedelta(hours=1)

#: Codes of what was given up because something later stands in its place.
_NOTHING_MISSING = (WITHDRAWN, OVERTAKEN)

Look = Callable[[], str]


class UnansweredError(NodeError):
    """A system that the node calls does not answer as it should; the message says what to do."""


def partner_looks(settings: Settings) -> Iterator[tuple[str, Look]]:
    """Every system that the node calls, and how to look whether it answers.

    A look gives a sentence, or raises NodeError with what to do.
    """
    for destination in settings.destination:
        name = destination.name
        yield f"destination {name}", partial(_reach, settings, destination, examined_as=name)
    for archive in settings.archive:
        name = archive.name
        yield f"archive {name}", partial(_reach, settings, archive, examined_as=name)
    for work_list in settings.work_list:
        yield f"work list {work_list.name}", partial(_reach, settings, work_list)
    for item in settings.audit_repository:
        yield f"audit repository {item.name}", partial(_audit_repository, settings, item)


def check_deliveries(tx: Transaction) -> str:
    """Whether a delivery of the last days was given up.

    Raises:
        NodeError: some were; the message says where.
    """
    since = datetime.now(UTC) - _RECENT
    failed = listing.failed_counts(tx, since)
    lost: Counter[str] = Counter()
    for item in failed:
        if is_missed(item):
            lost[item.destination] += item.number
    if lost:
        where = ", ".join(f"{number} to {name}" for name, number in lost.items())
        raise NodeError(
            f"given up in the last {_RECENT.days} days: {where}: `echonode outbox list --state "
            "failed` says why; then `echonode outbox retry --destination NAME` sends them again"
        )
    return f"none was given up in the last {_RECENT.days} days"


def is_missed(failed: FailedCount | DeliveryView) -> bool:
    """Whether something is missing at a destination because a delivery was given up.

    Not where something later stands in its place, and a destination that refuses only what
    accompanies a report is a warning.
    """
    is_known_refusal = failed.kind != "SR" and failed.error_code == SOP_CLASS_REFUSED
    return failed.error_code not in _NOTHING_MISSING and not is_known_refusal


def waiting(tx: Transaction) -> Iterator[tuple[str, str]]:
    """Destinations with deliveries that have waited too long, each with a sentence."""
    now = datetime.now(UTC)
    for name, late in listing.late_counts(tx, now - _LATE).items():
        hours = (now - late.oldest).total_seconds() / 3600
        words = (
            f"{late.number} deliveries wait, the oldest for {hours:.0f} h "
            f"({late.error_code}): `echonode peer doctor {name}` says what to change"
        )
        yield name, words


def _reach(settings: Settings, item: Called, examined_as: str = "") -> str:
    from dicom_node.delivery.reaching import reach

    try:
        return reach(partners.receiver(settings, item))
    except NodeError as error:
        further = f"; see `echonode peer doctor {examined_as}`" if examined_as else ""
        raise UnansweredError(f"{error}{further}") from None


def _audit_repository(settings: Settings, item: AuditRepositorySettings) -> str:
    """Open a connection as for audit messages, send none, and have its end confirmed."""
    from dicom_node.audit_messages.syslog import send
    from dicom_node.tls.profile import calling_context

    repository = app.audit_repository(settings, item)
    where = f"{item.name} ({item.host}:{item.port})"
    context = calling_context(repository.own, [repository.ca], checks_name=True).current()
    try:
        send([], item.host, item.port, context, item.timeout_s)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        words = str(reason).lower().replace("_", " ")
        raise UnansweredError(
            f"{where}: no TLS connection ({words}): check that it runs, that its certificate names "
            "this host and was issued by `tls.ca`, and that it trusts our certificate"
        ) from None
    return f"{where} accepts mutual TLS connections"
