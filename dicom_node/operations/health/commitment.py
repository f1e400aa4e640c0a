"""Are deliveries confirmed? Storage commitment and read-back, both ways."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dicom_node.errors import NodeError
from dicom_node.peer_doctor.reporting import Reporter, TurnedAway, turned_away
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Settings
from storage.database.transactions import Transaction
from storage.delivery import ladder
from storage.delivery.listing import DeliveryView
from storage.keeping import promises
from storage.states import ClimbState, Rung

#: How long a report that was given up is shown.
_RECENT = timedelta(days=7)
#: How long a report may take.
_OVERDUE = timedelta(minutes=10)


def check_ladder(tx: Transaction) -> str:
    """Whether every accepted delivery has the confirmation that it needs, or may still get it.

    Raises:
        NodeError: some have not, and are not asked for any more.
    """
    stalled = ladder.stalled_counts(tx)
    if stalled:
        where = ", ".join(f"{number} to {name}" for name, number in stalled.items())
        raise NodeError(
            f"accepted but not confirmed: {where}: `echonode outbox list --climb stalled` says "
            "why; then `echonode outbox retry` asks again"
        )
    return "delivery confirmation: none overdue"


def check_reports(tx: Transaction) -> str:
    """Whether every peer that asked for storage commitment received its report.

    Raises:
        NodeError: some did not.
    """
    now = datetime.now(UTC)
    owed = promises.unreported(tx, since=now - _RECENT, before=now - _OVERDUE)
    if owed:
        whom = ", ".join(f"{number} to {peer}" for peer, number in owed.items())
        raise NodeError(
            f"storage-commitment reports not delivered: {whom}: set commitment_host and "
            "commitment_port of these peers, or find out why they do not answer there"
        )
    return "every requested storage-commitment report was sent"


def unheard(settings: Settings) -> Iterator[tuple[str, str]]:
    """Destinations that are asked for commitment and have no [[peer]] with the right to report."""
    may_report = {peer.ae_title for peer in settings.peer if "commit" in peer.may}
    for item in settings.destination:
        title = item.commitment_ae_title or item.ae_title
        if item.climb_to != "accepted" and title and title not in may_report:
            words = (
                f"if {title} sends its commitment report on a new association (Orthanc does), add "
                'a [[peer]] for it with may = ["commit"]'
            )
            yield item.name, words


def reporter(settings: Settings, destination: DestinationSettings) -> Reporter | None:
    """What identifies the commitment reports of a destination; None where it is not asked."""
    title = destination.commitment_ae_title or destination.ae_title
    if destination.climb_to == "accepted" or title is None:
        return None
    receive = settings.receive
    return Reporter(
        name=destination.name,
        ae_title=title,
        addresses=_addresses(destination.host or ""),
        peers=tuple(peer.name for peer in settings.peer if peer.ae_title == title),
        called=f"AE title {receive.ae_title}, port {receive.port or receive.tls_port}",
    )


def refused_reports(tx: Transaction, settings: Settings, view: DeliveryView) -> list[TurnedAway]:
    """Refusals since a delivery was accepted that may have been the report it waits for."""
    waits = view.climb in (ClimbState.CLIMBING, ClimbState.STALLED) and view.rung is Rung.ACCEPTED
    since = view.finished_at
    found = [item for item in settings.destination if item.name == view.destination]
    if not waits or since is None or not found or (asked := reporter(settings, found[0])) is None:
        return []
    return turned_away(tx, asked, since)


def _addresses(host: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(item[4][0]) for item in found))
