"""The job runner: claims jobs and runs them in this process, reports before instances."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from types import MappingProxyType

import structlog

from dicom_node.retry_decision import (
    Decision,
    Fail,
    Halt,
    Retry,
    Wait,
    decide,
    explain,
    growing_delay_s,
    is_spent,
)
from dicom_node.work.batch import Batch, BatchSize, by_instance, encode_each
from dicom_node.work.case_report import Recipient, Reporter
from dicom_node.work.conclude import Conclusions
from dicom_node.work.encoding.local import LocalEncoder
from dicom_node.work.holding import Holding, now_utc
from dicom_node.work.pauses import Pauses
from dicom_node.work.prepare import Judged, judge, preparation
from dicom_node.work.step_watch import StepWatch
from inference.dicom.header import read_header
from inference.pipeline import Encoder, Pipeline
from inference.types import Features
from storage.database.transactions import Database, Transaction
from storage.errors import StorageError
from storage.files.spool import Spool
from storage.intake.instances import instance_digest, instance_peer
from storage.states import JobKind
from storage.studies import preparing
from storage.work import jobs, results
from storage.work.jobs import LANES, LIVE, STEP_HUNG, URGENCY, WORKER_DIED, Job

_IDLE_S = 0.5
#: Decoding beside the model; more would take its cores.
_LOOKING_THREADS = 2

log = structlog.get_logger()


class JobRunner:
    """Runs `prepare` and `conclude` jobs until it is stopped.

    While one batch of instances is encoded, the next is claimed and decoded. A `conclude` job waits
    for one batch at most, and after a report comes a batch: neither kind waits for the end of the
    other. While the spool is away, nothing is claimed.
    """

    def __init__(  # noqa: PLR0913 - the parts that it works with
        self,
        database: Database,
        spool: Spool,
        pipelines: Mapping[str, Pipeline],
        reporter: Reporter,
        recipients: Sequence[Recipient],
        *,
        owner: str,
        lease_s: float,
        maximum_attempts: int,
        profiles: Mapping[str, str] = MappingProxyType({}),
        shadows: Collection[str] = (),
        encoder_of: Callable[[Pipeline], Encoder] = LocalEncoder,
        watch: StepWatch | None = None,
    ) -> None:
        self._database = database
        self._spool = spool
        self._pipelines = pipelines
        self._encoders = {name: encoder_of(each) for name, each in pipelines.items()}
        # Without a watch a step may take as long as it likes.
        self._watch = watch or StepWatch(inf)
        self._maximum_attempts = maximum_attempts
        # By peer, where one has a selection profile of its own.
        self._profiles = profiles
        self._holding = Holding(database, owner, lease_s, pipelines)
        self._conclusions = Conclusions(
            database, pipelines, reporter, recipients, self._holding, profiles, shadows
        )
        self._looking = ThreadPoolExecutor(_LOOKING_THREADS, thread_name_prefix="look")
        self._size = BatchSize()
        self._ahead: Batch | None = None
        # A job that was tried before waits for its turn: nothing is claimed beside another.
        self._careful = False
        self._has_just_reported = False
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._pauses = Pauses(self._stopping)
        self._halted: Halt | None = None

    @property
    def halted(self) -> Halt | None:
        """Why the runner cannot go on without an operator, if so."""
        return self._halted

    def stop(self) -> None:
        """Ask the runner to end after the batch in hand."""
        self._stopping.set()
        self._woken.set()

    def wake(self) -> None:
        """Look for jobs now: somebody in this process has just queued one."""
        self._woken.set()

    def run(self) -> None:
        """Work until stopped or halted, then hand back what was not begun."""
        for name, run in (("lease", self._holding.renew_until), ("steps", self._watch_steps)):
            threading.Thread(target=run, args=[self._stopping], name=name, daemon=True).start()
        while not self._stopping.is_set():
            self._woken.clear()
            busy = True
            try:
                busy = self._step()
            except StorageError as error:
                self._heed(decide(error, 1, self._maximum_attempts))
            self._pauses.rest()
            if not busy:
                self._woken.wait(_IDLE_S)
        if self._ahead:
            self._holding.hand_back(self._ahead.jobs)
        self._looking.shutdown(wait=False, cancel_futures=True)

    def _step(self) -> bool:
        """Run what is most urgent; whether there was anything."""
        self._spool.require_here()
        wanted = self._wanted()
        # What is looked at already goes before a report of a backfill.
        lanes = LIVE if self._ahead else LANES
        claimed = self._holding.claim(1, wanted, lanes) if wanted else []
        self._has_just_reported = False
        if claimed and claimed[0].kind is JobKind.CONCLUDE:
            self._run_report(claimed[0])
            self._has_just_reported = True
            return True
        if claimed:
            self._ahead = self._begin(claimed)
        batch, self._ahead = self._ahead, None
        if batch:
            self._run_batch(batch)
        else:
            self._careful = False
        return batch is not None

    def _wanted(self) -> Sequence[JobKind]:
        """What to claim next, the most urgent first."""
        if self._ahead:
            return () if self._has_just_reported else (JobKind.CONCLUDE,)
        return tuple(reversed(URGENCY)) if self._has_just_reported else URGENCY

    def _begin(self, first: Sequence[Job]) -> Batch:
        """Start to look at the instance of some jobs and, where that is safe, at more of them."""
        together = list(first)
        if first[0].attempt > 1:
            self._careful = False
        elif not self._careful and self._size.instances > 1:
            together += self._only_fresh(
                self._holding.claim(
                    self._size.instances - 1, [JobKind.PREPARE], [first[0].backfill]
                )
            )
        runnable = [job for job in together if not self._is_hopeless(job)]
        return Batch(
            [(alike, self._looking.submit(self._look, alike)) for alike in by_instance(runnable)]
        )

    def _begin_next(self) -> Batch | None:
        """The batch to look at while another is encoded."""
        fresh = self._only_fresh(self._holding.claim(1, [JobKind.PREPARE]))
        return self._begin(fresh) if fresh else None

    def _only_fresh(self, claimed: Sequence[Job]) -> list[Job]:
        """Hand back what was tried before: its turn comes when nothing else is held."""
        self._careful = any(job.attempt > 1 for job in claimed)
        self._holding.hand_back([job for job in claimed if job.attempt > 1])
        return [job for job in claimed if job.attempt == 1]

    def _look(self, alike: Sequence[Job]) -> Sequence[Judged | Exception]:
        """Look at an instance for each of its jobs; its file is checked and parsed once."""
        instance_id = alike[0].instance_id
        if instance_id is None:
            raise ValueError("a prepare job names its instance")
        with self._database.read() as tx:
            digest = instance_digest(tx, instance_id)
            peer = instance_peer(tx, instance_id) if self._profiles else ""
        with self._spool.reading(digest) as path:
            header = read_header(path)
            profile = self._profiles.get(peer)
            seen: list[Judged | Exception] = []
            for job in alike:
                try:
                    with self._watch.step("look", [job]):
                        seen.append(judge(path, header, self._pipelines[job.pipeline], profile))
                except Exception as error:  # noqa: BLE001 - one pipeline's failure is its own
                    seen.append(error)
            return seen

    def _run_batch(self, batch: Batch) -> None:
        looked = []
        for job, seen in batch.looked():
            if isinstance(seen, Exception):
                self._follow(job, seen)
            else:
                looked.append((job, seen))
        fresh = all(job.attempt == 1 for job in batch.jobs)
        if fresh and not self._careful and not self._stopping.is_set():
            self._ahead = self._begin_next()
        started_s = time.monotonic()
        for job, judged, made in encode_each(looked, self._encode, self._size):
            self._finish_prepare(job, judged, made)
        self._size.learn(len(batch.jobs), time.monotonic() - started_s)

    def _encode(self, selected: Sequence[tuple[Job, Judged]]) -> list[Features]:
        encoder = self._encoders[selected[0][0].pipeline]
        with self._watch.step("encode", [job for job, _ in selected]):
            # No name for the future: it would keep the memory of what failed.
            return encoder.submit([judged.look for _, judged in selected]).result()

    def _finish_prepare(self, job: Job, judged: Judged, made: Features | Exception | None) -> None:
        if isinstance(made, Exception):
            self._follow(job, made)
            return
        try:
            now = now_utc()
            kept = preparation(job, judged, made, self._pipelines[job.pipeline], now)

            def change(tx: Transaction) -> None:
                results.record_preparation(tx, kept)
                preparing.report_on(tx, job, now)
                jobs.finish(tx, job, now)

            self._holding.let_go(job, change)
        except Exception as error:  # noqa: BLE001 - the policy decides about every error
            self._follow(job, error)
            return
        log.info("job done", job=job.id, kind=job.kind, study=job.study_id)

    def _run_report(self, job: Job) -> None:
        if self._is_hopeless(job):
            return
        started_s = time.monotonic()
        try:
            with self._watch.step("conclude", [job]):
                self._conclusions.conclude(job)
        except Exception as error:  # noqa: BLE001 - the policy decides about every error
            self._follow(job, error)
            return
        seconds = time.monotonic() - started_s
        log.info("job done", job=job.id, kind=job.kind, study=job.study_id, duration_s=seconds)

    def _is_hopeless(self, job: Job) -> bool:
        """Whether a job is not to be run any more; it is then set aside."""
        if not is_spent(job.attempt, job.last_error, self._maximum_attempts):
            return False
        self._set_aside(job, STEP_HUNG if job.last_error == STEP_HUNG else WORKER_DIED)
        return True

    def _watch_steps(self, stopping: threading.Event) -> None:
        self._watch.watch_until(stopping, self._end_with)

    def _end_with(self, hung: Sequence[Job]) -> None:
        """Let go of all jobs, since steps of these hang: they alone have used up an attempt."""
        self._stopping.set()
        for job in hung:
            again = Retry(growing_delay_s(job.attempt), STEP_HUNG)
            self._holding.record(job, again, explain(STEP_HUNG))
        self._holding.hand_back(self._holding.held)

    def _follow(self, job: Job, error: Exception) -> None:
        decision = decide(error, job.attempt, self._maximum_attempts)
        log.warning("job did not succeed", job=job.id, kind=job.kind, exc_info=error)
        match decision:
            case Fail(code):
                self._set_aside(job, code)
            case Retry(_, code):
                self._holding.record(job, decision, explain(code))
            case _:
                self._holding.record(job, decision, "")
        self._heed(decision)

    def _set_aside(self, job: Job, code: str) -> None:
        """Give a job up; where it was a report, a report that says so takes its place."""
        log.error("job set aside", job=job.id, kind=job.kind, study=job.study_id, code=code)
        # Where making even this one killed the worker, it is not tried again.
        may_report = not is_spent(job.attempt - 1, job.last_error, self._maximum_attempts)
        if job.kind is JobKind.CONCLUDE and may_report:
            try:
                with self._watch.step("abstain", [job]):
                    self._conclusions.report_failure(job, code)
            except Exception:  # the job still fails, visibly
                log.exception("study without report", study=job.study_id, code=code)
            else:
                return
        self._holding.record(job, Fail(code), explain(code))

    def _heed(self, decision: Decision) -> None:
        match decision:
            case Wait():
                self._pauses.want(decision)
            case Halt(code):
                log.error("worker halted", code=code)
                self._halted = decision
                self._stopping.set()
            case _:
                pass
