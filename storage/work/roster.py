"""Who runs which pipeline: the one place that tells what work a site has.

Every running worker records here which pipelines it runs. A process that queues work, whose own
settings may name no pipeline, looks them up here. For a pipeline whose workers are stopped, jobs
are queued and wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database.transactions import Transaction
from storage.errors import StudyBusyError
from storage.states import JobState
from storage.tables import PipelinePlace
from storage.tables.upsert import insert_for

#: A worker that said nothing for so long does not run.
ALIVE_FOR = timedelta(minutes=1)
#: Nothing more is queued for a pipeline that no worker ran for so long.
REMEMBERED_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Absent:
    """A pipeline that no running worker has, and how many jobs wait for one.

    `seen_at` is when a worker last ran it; None: never.
    """

    pipeline: str
    waiting: int
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """That the worker of a place ran a pipeline, and when it last said so."""

    place: str
    pipeline: str
    seen_at: datetime


def places(tx: Transaction) -> list[Place]:
    """Who runs which pipeline, or did."""
    row = PipelinePlace
    found = tx.execute(
        select(row.place, row.pipeline, row.seen_at).order_by(row.pipeline, row.place)
    )
    return [Place(*item) for item in found]


def run_here(tx: Transaction, place: str, pipelines: Sequence[str], now: datetime) -> None:
    """Record that the worker of a place runs these pipelines and no others."""
    row = PipelinePlace
    tx.execute(delete(row).where(row.place == place, row.pipeline.not_in(pipelines)))
    for pipeline in pipelines:
        values = insert_for(tx, row).values(place=place, pipeline=pipeline, seen_at=now)
        tx.execute(
            values.on_conflict_do_update(
                index_elements=["place", "pipeline"], set_={"seen_at": now}
            )
        )


def pipelines(tx: Transaction, own: Sequence[str], now: datetime) -> list[str]:
    """The pipelines to queue work for: those of the site, and those of one's own settings."""
    row = PipelinePlace
    known = tx.scalars(
        select(row.pipeline).where(row.seen_at > now - REMEMBERED_FOR).order_by(row.pipeline)
    )
    return list(dict.fromkeys([*own, *known]))


def absent(tx: Transaction, now: datetime, study_id: int | None = None) -> list[Absent]:
    """The pipelines that work waits for, or that of one study, and no running worker has."""
    row, job = PipelinePlace, tables.Job
    last = select(row.pipeline, func.max(row.seen_at).label("seen_at")).group_by(row.pipeline)
    queued = (
        select(job.pipeline, func.count().label("waiting"))
        .where(job.state == JobState.QUEUED)
        .where(*(() if study_id is None else (job.study_id == study_id,)))
        .group_by(job.pipeline)
    )
    seen = {found.pipeline: found.seen_at for found in tx.execute(last)}
    waiting = {found.pipeline: found.waiting for found in tx.execute(queued)}
    return [
        Absent(pipeline, waiting.get(pipeline, 0), seen.get(pipeline))
        for pipeline in sorted({*seen, *waiting})
        if pipeline not in seen or seen[pipeline] <= now - ALIVE_FOR
    ]


def forget(tx: Transaction, pipeline: str, actor: str, now: datetime) -> int:
    """Remove a pipeline that no worker runs any more; how many waiting jobs are given up.

    Raises:
        StudyBusyError: a worker runs it.
    """
    row, job = PipelinePlace, tables.Job
    alive = select(row.place).where(row.pipeline == pipeline, row.seen_at > now - ALIVE_FOR)
    if tx.scalar(alive.limit(1)) is not None:
        raise StudyBusyError(
            f"a worker runs pipeline {pipeline}: remove it from its settings and restart it first"
        )
    tx.execute(delete(row).where(row.pipeline == pipeline))
    gone = tx.execute(
        update(job)
        .where(job.pipeline == pipeline, job.state == JobState.QUEUED)
        .values(
            state=JobState.FAILED,
            finished_at=now,
            error_code="NO_SUCH_PIPELINE",
            error_message="no worker runs this pipeline any more",
        )
    ).rowcount
    trail.record(
        tx,
        Event(
            action=Action.PIPELINE_FORGOTTEN,
            at=now,
            actor=actor,
            detail={"pipeline": pipeline, "jobs": gone},
        ),
    )
    return gone
