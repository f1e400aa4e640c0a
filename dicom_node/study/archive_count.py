"""Ask an archive how many instances a study has, while it is received and quiet for a moment.

Where the archive has more than we, it is asked which. An archive that does not answer, or does not
know the study, changes nothing; it is asked again later.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from dicom_node.delivery.backoff import retry_delay_s
from dicom_node.errors import NodeError
from dicom_node.scu.query import FoundInstance, FoundStudy, StudyQuery
from storage.database.transactions import Database
from storage.studies import archive_counts
from storage.studies.archive_counts import Question

#: An instance is followed by the next within this time, or there is a pause.
_PAUSE = timedelta(seconds=1)
_AT_ONCE = 20
_FIRST_RETRY_S = 10.0
_LONGEST_RETRY_S = 600.0

log = structlog.get_logger()


class CountingArchive(Protocol):
    """An archive to ask; both ways of asking end in time, and raise a `NodeError` on failure."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    def find_studies(self, query: StudyQuery) -> Sequence[FoundStudy]:
        """The studies that it has of what is asked for."""

    def find_instances(self, study_instance_uid: str) -> Sequence[FoundInstance]:
        """The instances that it has of a study."""


def ask_archive(
    database: Database, open_archive: Callable[[], AbstractContextManager[CountingArchive]]
) -> None:
    """Ask about the studies that paused since they were asked about last.

    Who does not answer now is not asked about the next one at once.
    """
    asked_at = datetime.now(UTC)
    with database.read() as tx:
        questions = archive_counts.studies_to_ask_about(tx, asked_at, quiet=_PAUSE, limit=_AT_ONCE)
    if not questions:
        return
    question = questions[0]
    try:
        with open_archive() as archive:
            for question in questions:
                asked_at = datetime.now(UTC)
                count, named = _ask(archive, question)
                with database.write() as tx:
                    archive_counts.record_count(tx, question, archive.name, asked_at, count, named)
    except NodeError as error:
        log.warning("archive gave no instance count", study=question.study_id, exc_info=error)
        delay_s = retry_delay_s(question.failures + 1, _FIRST_RETRY_S, _LONGEST_RETRY_S)
        with database.write() as tx:
            again_at = asked_at + timedelta(seconds=delay_s)
            archive_counts.record_no_answer(tx, question, asked_at, again_at)


def _ask(archive: CountingArchive, question: Question) -> tuple[int | None, frozenset[str]]:
    """How many instances the archive has, None: it does not know; which, if more than we."""
    uid = question.study_instance_uid
    found = archive.find_studies(StudyQuery(study_instance_uid=uid))
    count = found[0].instances if found else None
    if count is None or count <= question.instances:
        return count, frozenset()
    return count, frozenset(item.sop_instance_uid for item in archive.find_instances(uid))
