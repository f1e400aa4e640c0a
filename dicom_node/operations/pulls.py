"""Fetching studies from an archive, and looking at pulls: the list, and the studies of one."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dicom_node.errors import OrderError
from dicom_node.operations.paging import Page, page, read_cursor
from dicom_node.operations.viewing import looking
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.model import Settings
from storage.database.owner import is_dead, this_process
from storage.database.transactions import Database
from storage.retrieval import listing, pulls
from storage.retrieval.listing import PullView, StudyView
from storage.retrieval.pulls import Order

if TYPE_CHECKING:
    from dicom_node.retrieval.criteria import Criteria
    from dicom_node.retrieval.pulling import Report


@dataclass(frozen=True, slots=True)
class Found:
    """A study that would be fetched, and how many of its instances are here."""

    study_instance_uid: str
    patient_id: str
    accession_number: str
    study_date: str
    listed: int | None
    here: int
    prior_of_uid: str


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


def find(
    settings: Settings,
    database: Database,
    who: str,
    criteria: "Criteria",
    *,
    archive: str | None,
    priors: int,
) -> list[Found]:
    """What a pull would fetch; `archive` is its name, None the only one.

    Raises:
        OrderError: the settings have no such archive.
    """
    from dicom_node.app import archives
    from dicom_node.retrieval.searching import search

    item = _archive(settings, archive)
    order = Order(
        archive=item.name,
        actor=who,
        criteria=criteria.given(),
        priors=priors,
        at=datetime.now(UTC),
    )
    with database.write() as tx:
        pulls.record_search(tx, order, dry_run=True)
    rows = []
    with archives.open_archive(settings, item, database) as opened:
        for batch in search(opened, criteria, priors):
            for study in batch:
                with database.read() as tx:
                    here = len(pulls.held_instances(tx, study.study_instance_uid))
                values = {field: getattr(study, field) for field in study.__dataclass_fields__}
                rows.append(Found(**values, here=here))
    return rows


def pull(
    settings: Settings,
    database: Database,
    who: str,
    criteria: "Criteria",
    stop: threading.Event,
    report: "Report",
    *,
    archive: str | None,
    priors: int,
) -> PullView:
    """Fetch what meets the criteria and is not here, until all is done or `stop` is set.

    Raises:
        OrderError: the settings have no such archive.
        ArchiveBusyError: another process pulls from it.
    """
    from dicom_node.app import archives
    from dicom_node.retrieval.pulling import Puller

    item = _archive(settings, archive)
    with archives.open_archive(settings, item, database) as opened:
        puller = Puller(database, opened, stop, report)
        return puller.run(puller.order(criteria, priors=priors, actor=who))


def resume(
    settings: Settings,
    database: Database,
    number: int | None,
    stop: threading.Event,
    report: "Report",
) -> PullView:
    """Continue an unfinished pull, or the newest of them.

    Raises:
        NotFoundError: there is none.
        OrderError: the settings no longer have its archive; the pull stays as it is.
    """
    from dicom_node.app import archives
    from dicom_node.retrieval.pulling import Puller

    with database.write() as tx:
        left = pulls.resume(tx, number, this_process(), is_dead)
        item = _archive(settings, left.archive)
    with archives.open_archive(settings, item, database) as opened:
        return Puller(database, opened, stop, report).run(left.id)


def _archive(settings: Settings, name: str | None) -> ArchiveSettings:
    known = {item.name: item for item in settings.archive}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name in known:
        return known[name]
    names = ", ".join(known) or "none configured; see [[archive]] in the settings"
    raise OrderError(f"give the name of an archive; known: {names}")
