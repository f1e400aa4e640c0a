"""Whatever happens to jobs, none is passed over and all end, each worker with its own pipelines."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from storage import tables
from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade
from storage.states import DueReason, JobKind, JobState
from storage.studies import preparing
from storage.studies.revisions import complete_study
from storage.work import jobs
from storage.work.jobs import Job
from tests.contract.storing import after, end_association, open_association, received, store

PIPELINES = ("a", "b", "c")
STUDIES, INSTANCES = 3, 2
LONGEST_PAUSE_S = 100
LEASE_S = 1000.0


class Event(NamedTuple):
    """A worker claims some jobs and this becomes of each; then time passes."""

    pipelines: frozenset[str]
    kinds: Sequence[JobKind]
    limit: int
    ends: Sequence[str]
    pause_s: int


EVENTS = st.lists(
    st.builds(
        Event,
        st.frozensets(st.sampled_from(PIPELINES), min_size=1),
        st.sampled_from([jobs.URGENCY, jobs.URGENCY[::-1], (JobKind.PREPARE,)]),
        st.integers(1, 4),
        st.lists(
            st.sampled_from(["finish", "fail", "retry", "hand back", "postpone", "again"]),
            min_size=4,
            max_size=4,
        ),
        st.integers(0, LONGEST_PAUSE_S),
    ),
    max_size=12,
)


class Site:
    """Three complete studies with work for three pipelines, by the story's clock."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        upgrade(self.database)
        open_association(self.database)
        for number in range(STUDIES * INSTANCES):
            uid = f"1.2.9.{number % STUDIES}"
            store(self.database, received(number, number, study_instance_uid=uid), PIPELINES)
        end_association(self.database, at_s=10)
        self.now_s = 700.0
        with self.database.write() as tx:
            for study_id in range(1, STUDIES + 1):
                complete_study(
                    tx, study_id, after(self.now_s), PIPELINES, reason=DueReason.QUIET_PERIOD
                )

    def claim(self, event: Event) -> list[Job]:
        with self.database.write() as tx:
            claimed = jobs.claim(
                tx,
                owner="here:1:x",
                now=after(self.now_s),
                lease_s=LEASE_S,
                limit=event.limit,
                pipelines=sorted(event.pipelines),
                kinds=event.kinds,
            )
        self._nobody_is_passed_over(event, claimed)
        return claimed

    def _nobody_is_passed_over(self, event: Event, claimed: Sequence[Job]) -> None:
        """What waits longer than a loop that was claimed was claimed too, or is another's."""
        job = tables.Job
        ids = [one.id for one in claimed if one.kind is JobKind.PREPARE]
        with self.database.read() as tx:
            taken = tx.scalars(select(job.available_at).where(job.id.in_(ids))).all()
            left = tx.scalars(
                select(job.available_at).where(
                    job.state == JobState.QUEUED,
                    job.kind == JobKind.PREPARE,
                    job.pipeline.in_(event.pipelines),
                    job.available_at <= after(self.now_s),
                )
            ).all()
        assert all(one.pipeline in event.pipelines for one in claimed)
        assert not left or not taken or max(taken) <= min(left)

    def end(self, job: Job, how: str) -> None:
        now, later = after(self.now_s), after(self.now_s + LONGEST_PAUSE_S)
        with self.database.write() as tx:
            match how:
                case "finish":
                    jobs.finish(tx, job, now)
                case "fail":
                    jobs.fail(tx, job, at=now, code="x", message="x")
                case "retry":
                    jobs.retry(tx, job, at=now, available_at=later, code="x", message="x")
                case "postpone":
                    jobs.postpone(tx, job, at=now, available_at=later, code="x", message="x")
                case "again" if job.kind is JobKind.CONCLUDE:
                    preparing.prepare(tx, [job.study_id], job.pipeline, now)
                    jobs.postpone(tx, job, at=now, available_at=now, code="x", message="x")
                case _:
                    jobs.hand_back(tx, job, now)

    def unended(self) -> int:
        job = tables.Job
        with self.database.read() as tx:
            waits = select(job.id).where(job.state.in_([JobState.QUEUED, JobState.RUNNING]))
            return len(tx.scalars(waits).all())


@given(events=EVENTS)
@settings(max_examples=25, deadline=None)
def test_no_job_is_passed_over_and_all_end(events: list[Event]) -> None:
    with TemporaryDirectory() as folder:
        site = Site(Path(folder))
        for event in events:
            for job, how in zip(site.claim(event), event.ends, strict=False):
                site.end(job, how)
            site.now_s += event.pause_s
        site.now_s += LONGEST_PAUSE_S
        left = site.unended()
        everything = Event(frozenset(PIPELINES), jobs.URGENCY, 100, (), 0)
        # Loops, then the reports that waited for them: a round for each kind is enough.
        for _ in range(2):
            for job in site.claim(everything):
                site.end(job, "finish")
                left -= 1
        assert site.unended() == left == 0
        site.database.close()
