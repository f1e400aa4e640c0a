"""Pipelines that raise, hang, end the process or return foreign types: only their jobs fail."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from dicom_node.retry_decision import explain
from dicom_node.work.case_report import Reporter
from dicom_node.work.job_runner import JobRunner
from dicom_node.work.step_watch import StepWatch
from storage import tables
from storage.database.owner import this_process
from storage.states import DueReason, JobState
from storage.studies.revisions import complete_study
from storage.work import jobs
from storage.work.jobs import STEP_HUNG
from tests.contract.storing import PIPELINE
from tests.integration.test_work_several_pipelines import US, receive
from tests.peers import wait_until
from tests.work_bench import NODE, Bench, Numbers

BAD = "bad"
ATTEMPTS = 2
#: Far above what a step takes here, on a busy machine too; reports are written within one.
LIMIT_S, REPORT_LIMIT_S = 1.0, 6.0


class Site:
    """A worker of two pipelines, one of which is bad, with somebody who restarts it."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        self.bad = Numbers()
        self.bad.name = BAD
        self.restarts = 0

    def run(self, maximum_attempts: int = 1, limit_s: float = inf) -> None:
        """Work until no job is left, as a supervisor has it."""
        while True:
            ended = threading.Event()
            engine = self._engine(maximum_attempts, StepWatch(limit_s, ended.set))
            thread = threading.Thread(target=engine.run, daemon=True)
            thread.start()
            wait_until(lambda at=ended: at.is_set() or self._is_idle(), 60, "all jobs ended")
            if not ended.is_set():
                engine.stop()
                thread.join(10)
                return
            self.restarts += 1

    def complete(self) -> None:
        with self.bench.database.write() as tx:
            now = datetime(2200, 1, 1, tzinfo=UTC)
            complete_study(tx, 1, now, [PIPELINE, BAD], reason=DueReason.QUIET_PERIOD)

    def states(self, pipeline: str) -> list[tuple[str, int, str | None]]:
        """State, attempt and error of each job of a pipeline."""
        job = tables.Job
        query = select(job.state, job.attempt, job.error_code).where(job.pipeline == pipeline)
        with self.bench.database.read() as tx:
            return [(row[0].value, row[1], row[2]) for row in tx.execute(query)]

    def _engine(self, maximum_attempts: int, watch: StepWatch) -> JobRunner:
        return JobRunner(
            self.bench.database,
            self.bench.spool,
            {PIPELINE: self.bench.pipeline, BAD: self.bad},
            Reporter(self.bench.spool, NODE),
            [],
            owner=this_process(),
            lease_s=30,
            maximum_attempts=maximum_attempts,
            watch=watch,
        )

    def _is_idle(self) -> bool:
        """Nothing waits or runs; what waits for its next attempt need not wait here."""
        job = tables.Job
        open_states = job.state.in_([JobState.QUEUED, JobState.RUNNING])
        with self.bench.database.write() as tx:
            early = datetime.now(UTC) - timedelta(seconds=1)
            tx.execute(
                tables.Job.__table__.update()  # type: ignore[attr-defined]
                .where(job.state == JobState.QUEUED)
                .values(available_at=early)
            )
            return tx.scalar(select(job.id).where(open_states).limit(1)) is None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.bench.database.close()


@contextmanager
def hanging(
    pipeline: Numbers, step: str, unless: Callable[..., Any] = lambda *_: None
) -> Iterator[None]:
    """While it lasts, a step does not come back, but for what `unless` returns."""
    over = threading.Event()

    def hang(*given: Any) -> Any:
        made = unless(*given)
        if made is None:
            over.wait(60)
            raise RuntimeError("it came back too late")
        return made

    setattr(pipeline, step, hang)
    try:
        yield
    finally:
        over.set()


def raises(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a stranger's mistake")


def ends(*_: Any, **__: Any) -> Any:
    sys.exit(3)


def foreign(*_: Any, **__: Any) -> Any:
    return object()


def encodes_too_few(*_: Any, **__: Any) -> Any:
    return []


@pytest.mark.parametrize(
    ("step", "does", "code"),
    [
        *((step, raises, "RUNTIME") for step in ("select", "look", "encode")),
        *((step, ends, "PIPELINE_UNUSABLE") for step in ("select", "look", "encode")),
        ("select", foreign, "PIPELINE_UNUSABLE"),
        ("encode", foreign, "PIPELINE_UNUSABLE"),
        ("encode", encodes_too_few, "PIPELINE_UNUSABLE"),
    ],
)
def test_a_step_that_fails_fails_its_own_job_and_says_so(
    site: Site, step: str, does: Callable[..., Any], code: str
) -> None:
    receive(site.bench, [PIPELINE, BAD], US, US)
    setattr(site.bad, step, does)
    site.run()
    assert site.states(BAD) == [("failed", 1, code)] * 2
    assert site.states(PIPELINE) == [("done", 1, None)] * 2
    site.complete()
    site.run()
    told = {report.pipeline: report.findings_json for report in site.bench.study().reports}
    assert set(told) == {PIPELINE, BAD}
    assert "could not be analysed" in told[BAD]
    assert "could not be analysed" not in told[PIPELINE]


@pytest.mark.parametrize(
    ("step", "does", "code"),
    [
        ("conclude", raises, "RUNTIME"),
        ("conclude", ends, "PIPELINE_UNUSABLE"),
        ("conclude", foreign, "PIPELINE_UNUSABLE"),
        ("abstain", raises, "RUNTIME"),
        ("abstain", ends, "PIPELINE_UNUSABLE"),
        ("abstain", foreign, "PIPELINE_UNUSABLE"),
    ],
)
def test_a_conclusion_that_fails_is_a_failed_analysis_and_the_other_report_is_made(
    site: Site, step: str, does: Callable[..., Any], code: str
) -> None:
    receive(site.bench, [PIPELINE, BAD], US)
    setattr(site.bad, step, does)
    site.complete()
    site.run()
    assert site.bench.study().revisions[-1].failures == {BAD: explain(code)}
    assert PIPELINE in {report.pipeline for report in site.bench.study().reports}
    with site.bench.database.read() as tx:
        assert jobs.failed_reports(tx, site.bench.study().summary.opened_at) == {BAD: [1]}


@pytest.mark.parametrize("step", ["select", "look", "encode"])
def test_an_instance_on_which_a_step_hangs_is_given_up_after_its_attempts(
    site: Site, step: str
) -> None:
    receive(site.bench, [PIPELINE, BAD], US)
    with hanging(site.bad, step):
        site.run(ATTEMPTS, LIMIT_S)
        assert site.restarts == ATTEMPTS
        assert site.states(BAD) == [("failed", ATTEMPTS + 1, STEP_HUNG)]
        assert site.states(PIPELINE) == [("done", 1, None)], "it has lost no attempt"


def test_of_a_batch_that_hangs_only_the_bad_instance_fails(site: Site) -> None:
    receive(site.bench, [PIPELINE, BAD], *[US] * 6)
    encode = site.bad.encode
    with hanging(site.bad, "encode", lambda looks: encode(looks) if 4 not in looks else None):
        site.run(ATTEMPTS, LIMIT_S)
        states = site.states(BAD)
        assert [state for state, _, _ in states].count("done") == 5
        assert states[3] == ("failed", ATTEMPTS + 1, STEP_HUNG)
        assert site.states(PIPELINE) == [("done", 1, None)] * 6


def test_a_conclusion_that_hangs_is_reported_as_failed(site: Site) -> None:
    receive(site.bench, [PIPELINE, BAD], US)
    site.complete()
    with hanging(site.bad, "conclude"):
        site.run(limit_s=REPORT_LIMIT_S)
        assert site.restarts == 1
        told = {report.pipeline: report.findings_json for report in site.bench.study().reports}
        assert "a step of the pipeline did not return" in told[BAD]
        assert site.bench.study().revisions[-1].failures == {BAD: explain(STEP_HUNG)}
        assert PIPELINE in told


def test_where_even_the_report_of_the_failure_hangs_the_job_fails_all_the_same(site: Site) -> None:
    receive(site.bench, [PIPELINE, BAD], US)
    site.complete()
    with hanging(site.bad, "conclude"), hanging(site.bad, "abstain"):
        site.run(limit_s=REPORT_LIMIT_S)
        assert site.restarts == 2
        assert [report.pipeline for report in site.bench.study().reports] == [PIPELINE]
        assert site.bench.study().revisions[-1].failures == {BAD: explain(STEP_HUNG)}
