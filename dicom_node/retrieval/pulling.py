"""A pull: found studies are fetched one after the other, and each step is written down.

A pull that was stopped or killed goes on from its rows; what has come is not fetched again.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from dicom_node.dicomweb.errors import (
    WebError,
    WebNotTrustedError,
    WebRefusedError,
    WebUnreachableError,
)
from dicom_node.retrieval.archive import Archive, Fetching
from dicom_node.retrieval.criteria import Criteria
from dicom_node.retrieval.searching import search
from dicom_node.retrieval.wanted import wanted
from dicom_node.scu.errors import (
    AssociationRejectedError,
    NotTrustedError,
    PeerUnreachableError,
    ScuError,
)
from storage.database.owner import is_dead, this_process
from storage.database.transactions import Database
from storage.retrieval import pulls
from storage.retrieval.listing import PullView, StudyView, find_pull
from storage.retrieval.pulls import Fetched, Order
from storage.states import FetchState, PullState
from storage.studies.associations import lose_dead_associations

#: The next study would fare no better: the pull is left for later, as it stands.
_ARCHIVE_IS_AWAY = (
    PeerUnreachableError,
    NotTrustedError,
    AssociationRejectedError,
    WebUnreachableError,
    WebNotTrustedError,
)

Report = Callable[[str, int, int], None]
"""(what is going on, how many are done, of how many)."""


class Puller:
    """Pulls from one archive, one study at a time; `stop` ends it between any two instances."""

    def __init__(
        self,
        database: Database,
        archive: Archive,
        stop: threading.Event,
        report: Report = lambda *_: None,
    ) -> None:
        self._database = database
        self._archive = archive
        self._stop = stop
        self._report = report

    def order(self, criteria: Criteria, *, priors: int, actor: str) -> int:
        """Write down what is wanted; the number of the pull.

        Raises:
            storage.errors.ArchiveBusyError: another process pulls from this archive.
        """
        given = Order(
            archive=self._archive.name,
            actor=actor,
            criteria=criteria.given(),
            priors=priors,
            at=datetime.now(UTC),
        )
        with self._database.write() as tx:
            return pulls.order(tx, given, this_process(), is_dead)

    def run(self, pull_id: int) -> PullView:
        """Search, and fetch what is not here; returns when nothing is left, or `stop` is set.

        Raises:
            ScuError, WebError: the archive is away; the pull can be resumed.
            storage.errors.StorageError: so is the database, or the spool is full; likewise.
        """
        try:
            with self._database.write() as tx:
                lose_dead_associations(tx, is_dead, datetime.now(UTC))
                pull = find_pull(tx, pull_id)
            if pull.state is PullState.SEARCHING:
                self._search(pull)
            self._fetch_all(pull_id)
        finally:
            with self._database.write() as tx:
                pulls.leave(tx, pull_id)
        with self._database.read() as tx:
            return find_pull(tx, pull_id)

    def _search(self, pull: PullView) -> None:
        found = 0
        for batch in search(self._archive, Criteria.of(pull.criteria), pull.priors):
            with self._database.write() as tx:
                found += sum(pulls.add_study(tx, pull.id, study) for study in batch)
            self._report("studies found", found, found)
            if self._stop.is_set():
                return
        with self._database.write() as tx:
            pulls.search_ended(tx, pull.id)

    def _fetch_all(self, pull_id: int) -> None:
        while not self._stop.is_set():
            with self._database.write() as tx:
                pull = find_pull(tx, pull_id)
                study = pulls.next_study(tx, pull_id)
                if study is None:
                    pulls.end_pull(tx, pull_id, datetime.now(UTC))
                    return
                pulls.begin_study(tx, study)
            came = self._fetched(study)
            if came is not None:
                with self._database.write() as tx:
                    pulls.end_study(tx, pull, study, came, datetime.now(UTC))
                self._report("studies", pull.done + (came.state is FetchState.DONE), pull.studies)

    def _fetched(self, study: StudyView) -> Fetched | None:
        """What came of a study; None where it was stopped."""
        try:
            came = self._fetch(study)
        except _ARCHIVE_IS_AWAY:
            if not self._stop.is_set():
                raise
            return None
        except (ScuError, WebError) as error:
            if isinstance(error, WebRefusedError) and error.concerns_all:
                raise
            came = Fetched(
                state=FetchState.FAILED,
                listed=study.listed,
                present=len(self._held(study)),
                error_code=type(error).__name__.removesuffix("Error"),
                error_message=str(error),
            )
        return None if self._stop.is_set() and came.state is not FetchState.DONE else came

    def _fetch(self, study: StudyView) -> Fetched:
        listed = self._archive.find_instances(study.study_instance_uid)
        uids = {item.sop_instance_uid for item in listed}
        missing = wanted(study.study_instance_uid, listed, self._held(study))
        expected = len(uids) or study.listed
        refused = 0
        if missing.missing or not listed:
            fetching = Fetching(
                self._stop, lambda came: self._report("instances", came, len(missing.missing))
            )
            refused = self._archive.fetch(missing, fetching)
        held = self._held(study)
        present = len(held & uids) if uids else len(held)
        is_whole = bool(present) and present >= (expected or 0)
        return Fetched(
            state=FetchState.DONE if is_whole else FetchState.INCOMPLETE,
            listed=expected,
            present=present,
            refused=refused,
            error_code=None if is_whole else "MISSING",
            error_message=None if is_whole else _missing(expected, present, refused),
        )

    def _held(self, study: StudyView) -> frozenset[str]:
        with self._database.read() as tx:
            return pulls.held_instances(tx, study.study_instance_uid)


def _missing(expected: int | None, present: int, refused: int) -> str:
    lists = "does not tell how many there are" if expected is None else f"lists {expected}"
    said = f", and said that {refused} could not be sent" if refused else ""
    return f"the archive {lists}; {present} came{said}"
