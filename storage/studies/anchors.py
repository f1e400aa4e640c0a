"""Anchors: studies whose reports rest on instances of the patient's other studies too.

A study that takes part is a companion. Which ones do is kept while a report is made, so that those
that leave, or are purged, are known to have been there.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select

from storage.database.transactions import Transaction
from storage.states import DueReason
from storage.studies.revisions import reason_of, revise
from storage.tables import Companion
from storage.work import jobs


def keep_companions(
    tx: Transaction, study_id: int, pipeline: str, companions: Collection[int]
) -> None:
    """Keep which studies take part in what a pipeline reports of a study, and no others."""
    row = Companion
    tx.execute(delete(row).where(row.study_id == study_id, row.pipeline == pipeline))
    key = {"study_id": study_id, "pipeline": pipeline}
    if companions:
        tx.execute(insert(row), [{**key, "companion_id": other} for other in companions])


def anchors_of(tx: Transaction, companion_id: int) -> Sequence[tuple[int, str]]:
    """Each study that a study takes part in, with the pipeline that reports so."""
    row = Companion
    query = select(row.study_id, row.pipeline).where(row.companion_id == companion_id)
    return [(study_id, pipeline) for study_id, pipeline in tx.execute(query)]


def companions_of(tx: Transaction, study_id: int) -> Sequence[tuple[int, str]]:
    """Each study that took part in the last report on a study, with the pipeline of the report."""
    row = Companion
    query = select(row.companion_id, row.pipeline).where(row.study_id == study_id)
    return [(other, pipeline) for other, pipeline in tx.execute(query.order_by(row.companion_id))]


def revise_anchors(tx: Transaction, anchors: Iterable[tuple[int, str]], now: datetime) -> None:
    """Report on studies again, each for a pipeline, since one that takes part has changed.

    One that is still being received, or whose report is still to be made, takes it in anyway.
    """
    for study_id, pipeline in sorted(set(anchors)):
        if tx.scalar(jobs.queued_report(study_id, pipeline)) is None:
            revise(tx, study_id, now, [pipeline], DueReason.COMPANION)


def is_for_companion(tx: Transaction, study_id: int, revision: int) -> bool:
    """Whether a revision was made because another study changed, so that it changes no third."""
    return reason_of(tx, study_id, revision) is DueReason.COMPANION
