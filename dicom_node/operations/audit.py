"""Searching the audit, and verifying that nobody touched it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dicom_node.operations.paging import Page, page, read_cursor, read_time, write_time
from dicom_node.operations.viewing import looking
from storage.audit import trail, verification
from storage.audit.trail import RecordedEvent
from storage.audit.verification import Verification
from storage.database.transactions import Database


def search(
    database: Database,
    who: str,
    criteria: Mapping[str, Any],
    *,
    limit: int = 50,
    after: str | None = None,
) -> Page[RecordedEvent]:
    """A page of the events that meet every condition of `trail.search`, newest first.

    Raises:
        OrderError: `after` is not the cursor of a page.
    """
    place = read_cursor(after, lambda parts: (read_time(parts[0]), int(parts[1])))
    told = {key: _criterion(value) for key, value in criteria.items()}
    with looking(database, who, "audit", **told) as tx:
        found = trail.search(tx, before=place, limit=limit + 1, **criteria)
    return page(found, limit, lambda event: f"{write_time(event.at)}-{event.id}")


def verify(database: Database, expect: tuple[int, str] | None = None) -> Verification:
    """Check whether events were changed since they were sealed; `expect` is an earlier head."""
    with database.read() as tx:
        return verification.verify(tx, datetime.now(UTC), expect)


def _criterion(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
