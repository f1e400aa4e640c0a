"""The local engine: claims jobs one after the other and runs them in this process."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from dicom_node.policy import Decision, Fail, Forget, Halt, Retry, Wait, decide
from dicom_node.work.conclude import stale_instances
from dicom_node.work.prepare import prepare
from dicom_node.work.reporting import Recipient, Reporter, deliveries
from inference.pipeline import Pipeline
from storage import index, jobs, outbox, results
from storage.engine import Database
from storage.errors import StorageError
from storage.jobs import Job, JobKind
from storage.spool import Spool

_IDLE_S = 0.2

log = structlog.get_logger()


class Engine:
    """Runs `prepare` and `conclude` jobs until it is stopped."""

    def __init__(
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
    ) -> None:
        self._database = database
        self._spool = spool
        self._pipelines = pipelines
        self._reporter = reporter
        self._recipients = recipients
        self._owner = owner
        self._lease_s = lease_s
        self._maximum_attempts = maximum_attempts
        self._stopping = threading.Event()
        self._current: Job | None = None
        self._halted: Halt | None = None

    @property
    def halted(self) -> Halt | None:
        """Why the engine cannot go on without an operator, if so."""
        return self._halted

    def stop(self) -> None:
        """Ask the engine to end after the job in hand."""
        self._stopping.set()

    def run(self) -> None:
        """Work until stopped or halted."""
        renewing = threading.Thread(target=self._renew_leases, name="lease", daemon=True)
        renewing.start()
        while not self._stopping.is_set():
            if not self._step():
                self._stopping.wait(_IDLE_S)

    def _step(self) -> bool:
        """Claim and run one job; whether there was one."""
        try:
            with self._database.write() as tx:
                claimed = jobs.claim(tx, owner=self._owner, now=_now(), lease_s=self._lease_s)
        except StorageError as error:
            self._pause(decide(error, 1, self._maximum_attempts))
            return False
        for job in claimed:
            self._current = job
            self._run(job)
            self._current = None
        return bool(claimed)

    def _run(self, job: Job) -> None:
        started = _now()
        try:
            self._dispatch(job)
        except Exception as error:  # noqa: BLE001 - the one place where any failure of a job ends
            self._follow(job, error)
            return
        seconds = (_now() - started).total_seconds()
        log.info("job done", job=job.id, kind=job.kind, study=job.study_id, duration_s=seconds)

    def _dispatch(self, job: Job) -> None:
        if job.attempt > self._maximum_attempts:
            self._set_aside(job, "WORKER_DIED", "the worker died each time it ran this job")
        elif job.pipeline not in self._pipelines:
            self._set_aside(job, "NO_SUCH_PIPELINE", "the settings no longer name this pipeline")
        elif job.kind is JobKind.PREPARE:
            self._prepare(job)
        else:
            self._conclude(job)

    def _prepare(self, job: Job) -> None:
        if job.instance_id is None:
            raise ValueError("a prepare job names its instance")
        with self._database.read() as tx:
            digest = index.instance_digest(tx, job.instance_id)
        self._spool.verify(digest)
        pipeline = self._pipelines[job.pipeline]
        made = prepare(job.instance_id, self._spool.path(digest), pipeline, _now())
        with self._database.write() as tx:
            results.record_preparation(tx, made)
            jobs.finish(tx, job, _now())

    def _conclude(self, job: Job) -> None:
        pipeline = self._pipelines[job.pipeline]
        with self._database.read() as tx:
            case = results.load_case(tx, job.study_id, job.pipeline)
            latest = results.latest_report(tx, job.study_id, job.pipeline)
        stale = stale_instances(case, pipeline.model.bundle_digest)
        if stale:
            with self._database.write() as tx:
                jobs.requeue_prepare(tx, stale, job.pipeline, _now())
                jobs.hand_back(tx, job, _now())
            return
        report = self._reporter.report(job, case, latest, pipeline, _now())
        now = _now()
        with self._database.write() as tx:
            report_id = results.record_report(tx, report)
            for kind, recipients in deliveries(report, self._recipients).items():
                for recipient in recipients:
                    outbox.enqueue(
                        tx,
                        report_id,
                        kind=kind,
                        destination=recipient.name,
                        now=now,
                        expires_at=recipient.expires_at(now),
                    )
            jobs.finish(tx, job, now)
        log.info("report made", study=job.study_id, revision=report.revision, state=report.outcome)

    def _set_aside(self, job: Job, code: str, message: str) -> None:
        with self._database.write() as tx:
            jobs.fail(tx, job, at=_now(), code=code, message=message)
        log.error("job set aside", job=job.id, kind=job.kind, study=job.study_id, code=code)

    def _follow(self, job: Job, error: Exception) -> None:
        decision = decide(error, job.attempt, self._maximum_attempts)
        log.warning("job did not succeed", job=job.id, kind=job.kind, exc_info=error)
        try:
            self._record(job, decision, type(error).__name__)
        except StorageError:
            log.warning("job left to the rescuer", job=job.id, exc_info=True)
        self._pause(decision)

    def _record(self, job: Job, decision: Decision, message: str) -> None:
        now = _now()
        with self._database.write() as tx:
            match decision:
                case Fail(code):
                    jobs.fail(tx, job, at=now, code=code, message=message)
                case Retry(after_s, code):
                    later = now + timedelta(seconds=after_s)
                    jobs.retry(tx, job, at=now, available_at=later, code=code, message=message)
                case Wait() | Halt():
                    jobs.hand_back(tx, job, now)
                case Forget():
                    pass

    def _pause(self, decision: Decision) -> None:
        match decision:
            case Wait(after_s, _):
                self._stopping.wait(after_s)
            case Halt(code):
                log.error("worker halted", code=code)
                self._halted = decision
                self._stopping.set()
            case _:
                pass

    def _renew_leases(self) -> None:
        while not self._stopping.wait(self._lease_s / 3):
            job = self._current
            if job is None:
                continue
            try:
                with self._database.write() as tx:
                    jobs.renew(tx, [job], _now(), self._lease_s)
            except StorageError:
                log.warning("lease not renewed", job=job.id, exc_info=True)


def _now() -> datetime:
    return datetime.now(UTC)
