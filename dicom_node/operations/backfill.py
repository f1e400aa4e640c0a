"""Have older studies analysed by a pipeline, behind live work, and see how far that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dicom_node.errors import OrderError
from dicom_node.settings.model import PipelineSettings, Settings
from storage.database.transactions import Database
from storage.states import Backfill
from storage.studies import backfill as storage_backfill
from storage.studies.backfill import Standing, Wanted

_DUE = {Standing.MISSING, Standing.FAILED}


@dataclass(frozen=True, slots=True)
class Backfilled:
    """The period that was meant, the studies in it by how far each is, and how many were queued."""

    pipeline: str
    since: datetime
    until: datetime
    studies: Mapping[Standing, Sequence[int]]
    queued: int = 0


def survey(
    database: Database, settings: Settings, pipeline: str, since: datetime, until: datetime | None
) -> Backfilled:
    """How far the studies received in a period are with a pipeline; None: until now.

    Raises:
        OrderError: the settings have no such pipeline.
        inference.errors.InferenceError: it cannot be loaded.
    """
    return _survey(database, _wanted(settings, _entry(settings, pipeline), since, until))


def order(
    database: Database,
    settings: Settings,
    who: str,
    pipeline: str,
    since: datetime,
    until: datetime | None,
    *,
    store_only: bool,
) -> Backfilled:
    """Queue what lacks a current result of a pipeline, once; raises as `survey` does."""
    item = _entry(settings, pipeline)
    wanted = _wanted(settings, item, since, until)
    found = _survey(database, wanted).studies
    due = sorted(study for standing in _DUE for study in found[standing])
    kind = Backfill.STORED if store_only or not item.reports else Backfill.REPORTED
    queued = 0
    if due:
        now = datetime.now(UTC)
        queued = sum(storage_backfill.order(database, wanted, due, kind, actor=who, now=now))
    return _survey(database, wanted, queued)


def _survey(database: Database, wanted: Wanted, queued: int = 0) -> Backfilled:
    with database.read() as tx:
        surveyed = storage_backfill.survey(tx, wanted)
    studies = {
        standing: [found.study_id for found in surveyed if found.standing is standing]
        for standing in Standing
    }
    return Backfilled(wanted.pipeline, wanted.since, wanted.until, studies, queued)


def _entry(settings: Settings, name: str) -> PipelineSettings:
    for item in settings.pipeline:
        if item.name == name:
            return item
    known = ", ".join(item.name for item in settings.pipeline) or "none"
    raise OrderError(f"there is no [[pipeline]] named {name}; known: {known}")


def _wanted(
    settings: Settings, item: PipelineSettings, since: datetime, until: datetime | None
) -> Wanted:
    """What counts as a current result: of the pipeline as a worker would load it."""
    from dicom_node.app.pipelines import open_pipeline
    from dicom_node.work.prepare import settings_of

    pipeline = open_pipeline(item, settings.work.step_limit_s, "cpu")
    profiles = {None, *(peer.selection for peer in settings.peer)}
    return Wanted(
        pipeline=item.name,
        version=pipeline.version,
        bundle_digest=pipeline.model.bundle_digest,
        settings=frozenset(settings_of(pipeline, profile) for profile in profiles),
        reads=pipeline.business.reads,
        anchors=pipeline.business.anchors,
        since=since,
        until=until or datetime.now(UTC),
    )
