"""Looking at pulls: the list, and the studies of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from dicom_node.operations.paging import Page, page, read_cursor
from dicom_node.operations.viewing import looking
from storage.database.engine import Database
from storage.retrieval import listing
from storage.retrieval.listing import PullView, StudyView


@dataclass(frozen=True, slots=True)
class PullShown:
    """One pull and its studies, in the order they are fetched in."""

    pull: PullView
    studies: Sequence[StudyView]


def list_pulls(
    database: Database, who: str, *, limit: int = 50, after: str | None = None
) -> Page[PullView]:
    """A page of the pulls, newest first.

    Raises:
        OrderError: `after` is not the cursor of a page.
    """
    before = read_cursor(after, lambda parts: int(parts[0]))
    with looking(database, who, "pull list") as tx:
        found = listing.list_pulls(tx, limit + 1, before=before)
    return page(found, limit, lambda pull: str(pull.id))


def show_pull(database: Database, who: str, number: int) -> PullShown:
    """One pull, and what is missing of its studies.

    Raises:
        NotFoundError: no such pull.
    """
    with looking(database, who, "pull show", pull=number) as tx:
        return PullShown(listing.find_pull(tx, number), listing.studies_of(tx, number))
