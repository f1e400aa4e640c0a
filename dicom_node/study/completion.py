"""Complete the studies that are due: a new revision, and one job to conclude it per pipeline."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from storage import index
from storage.engine import Database

_AT_ONCE = 100

log = structlog.get_logger()


def complete_due_studies(database: Database, now: datetime, pipelines: Sequence[str]) -> int:
    """Complete every study that is due; returns how many this call completed."""
    with database.read() as tx:
        due = index.due_studies(tx, now, _AT_ONCE)
    completed = 0
    for study in due:
        with database.write() as tx:
            revision = index.complete_study(tx, study.study_id, now, pipelines)
        if revision is not None:
            completed += 1
            log.info("study complete", study=study.study_id, revision=revision, reason=study.reason)
    return completed
