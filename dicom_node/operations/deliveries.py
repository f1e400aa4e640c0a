"""Deliveries: the list, one with its evidence, and trying them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dicom_node.operations.health.commitment import refused_reports
from dicom_node.operations.paging import Page, page, read_cursor
from dicom_node.operations.viewing import looking
from dicom_node.peer_doctor.reporting import TurnedAway
from dicom_node.settings.model import Settings
from storage.database.transactions import Database
from storage.delivery import ladder, listing, outbox
from storage.delivery.listing import DeliveryView
from storage.states import ClimbState, DeliveryState


@dataclass(frozen=True, slots=True)
class DeliveryShown:
    """One delivery; `refused` may have been the commitment report that it waits for."""

    delivery: DeliveryView
    refused: Sequence[TurnedAway]


def list_deliveries(
    database: Database,
    who: str,
    *,
    state: DeliveryState | None = None,
    climb: ClimbState | None = None,
    destination: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Page[DeliveryView]:
    """A page of the deliveries that meet every condition, newest first.

    Raises:
        OrderError: `after` is not the cursor of a page.
    """
    before = read_cursor(after, lambda parts: int(parts[0]))
    with looking(
        database, who, "outbox list", state=state, climb=climb, destination=destination
    ) as tx:
        found = listing.listing(
            tx, state=state, climb=climb, destination=destination, before=before, limit=limit + 1
        )
    return page(found, limit, lambda row: str(row.id))


def show_delivery(settings: Settings, database: Database, who: str, number: int) -> DeliveryShown:
    """How far one delivery is confirmed, by which evidence, and what it waits for.

    Raises:
        NotFoundError: no such delivery.
    """
    with looking(database, who, "outbox show", delivery=number) as tx:
        found = listing.show(tx, number)
        return DeliveryShown(found, refused_reports(tx, settings, found))


def retry(
    settings: Settings,
    database: Database,
    who: str,
    *,
    ids: Sequence[int] | None = None,
    destination: str | None = None,
) -> int:
    """Try deliveries that meet every condition again now; how many there are.

    What failed or waits is sent again. For what was accepted and not confirmed, the confirmation is
    requested again.
    """
    now = datetime.now(UTC)
    longest_s = max((item.maximum_age_s for item in settings.destination), default=86_400.0)
    expires_at = now + timedelta(seconds=longest_s)
    with database.write() as tx:
        count = outbox.requeue(
            tx,
            actor=who,
            ids=ids,
            destination=destination,
            states=(DeliveryState.FAILED, DeliveryState.PENDING),
            now=now,
            expires_at=expires_at,
        )
        return count + ladder.resume(
            tx, actor=who, ids=ids, destination=destination, now=now, expires_at=expires_at
        )
