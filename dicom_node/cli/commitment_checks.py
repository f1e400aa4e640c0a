"""The doctor's look at the ladder and at storage commitment."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

from dicom_node import app
from dicom_node.errors import NodeError
from dicom_node.settings import Settings
from storage import commitment, ladder

#: How long a report that was given up is shown.
_RECENT = timedelta(days=7)
#: How long a report may take.
_OVERDUE = timedelta(minutes=10)


def check_ladder(settings: Settings) -> str:
    """That no delivery has stalled after it was accepted.

    Raises:
        NodeError: some have.
    """
    with closing(app.open_database(settings)) as database, database.read() as tx:
        stalled = ladder.stalled_counts(tx)
    if stalled:
        where = ", ".join(f"{number} to {name}" for name, number in stalled.items())
        raise NodeError(
            f"accepted and then stalled: {where}: see `echonode outbox list --climb stalled`; "
            "`echonode outbox retry` lets them climb on"
        )
    return "every delivery that was accepted has climbed as far as it must, or still climbs"


def check_reports(settings: Settings) -> str:
    """That whoever asked for storage commitment was told what is held.

    Raises:
        NodeError: somebody was not.
    """
    now = datetime.now(UTC)
    with closing(app.open_database(settings)) as database, database.read() as tx:
        owed = commitment.unreported(tx, since=now - _RECENT, before=now - _OVERDUE)
    if owed:
        whom = ", ".join(f"{number} to {peer}" for peer, number in owed.items())
        raise NodeError(
            f"reports on storage commitment that did not get through: {whom}: give commitment_host "
            "and commitment_port of these peers, or see why they do not answer there"
        )
    return "whoever asked for storage commitment was told"


def unheard(settings: Settings) -> Iterator[tuple[str, str]]:
    """Destinations that are asked for commitment and may not report to us, each with a remedy."""
    may_report = {peer.ae_title for peer in settings.peer if "commit" in peer.may}
    for item in settings.destination:
        title = item.commitment_ae_title or item.ae_title
        if item.climb_to != "accepted" and title and title not in may_report:
            words = (
                f"{title} can report what it commits only on the association that asks it: where "
                'it opens one of its own, add it as a [[peer]] with "commit" in may'
            )
            yield item.name, words
