"""From a `conclude` job to one commit: the report, whom it goes to, and the end of the job."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from dicom_node.corrections.effects import is_filed_anew
from dicom_node.delivery.acceptance import BELIEVED_FOR, CLASS_REFUSALS
from dicom_node.errors import NoProgressError
from dicom_node.retry_decision import MOST_POSTPONEMENTS, explain, growing_delay_s
from dicom_node.work.case_findings import unprepared_instances
from dicom_node.work.case_report import Recipient, Reporter, deliveries
from dicom_node.work.holding import Holding, now_utc
from inference.pipeline import Pipeline
from storage.database.transactions import Database, Transaction
from storage.delivery import destinations, outbox
from storage.reading import cases
from storage.reading.cases import Case
from storage.reading.companions import Reach, anchors_near
from storage.states import Backfill, DueReason, Outcome
from storage.studies import anchors, preparing
from storage.studies.revisions import reason_of
from storage.work import jobs, results
from storage.work.jobs import Job
from storage.work.results import Report, StoredReport

#: What goes beside a report. Where it was refused, one failed delivery tells as much as many.
_ACCOMPANYING = frozenset({"SC", "KOS", "PDF"})

log = structlog.get_logger()


class Conclusions:
    """Makes the reports of jobs that `holding` claimed, and ends the jobs with them."""

    def __init__(
        self,
        database: Database,
        pipelines: Mapping[str, Pipeline],
        reporter: Reporter,
        recipients: Sequence[Recipient],
        holding: Holding,
        profiles: Mapping[str, str],
        shadows: Collection[str],
    ) -> None:
        self._database = database
        self._pipelines = pipelines
        self._reporter = reporter
        self._recipients = recipients
        self._holding = holding
        self._profiles = profiles
        self._shadows = shadows

    def conclude(self, job: Job) -> None:
        """Report on a study, or first have prepared what is not, or not as it would be now.

        Raises:
            NoProgressError: that was done often enough.
        """
        pipeline = self._pipelines[job.pipeline]
        case, latest, asked = self._load(job)
        # What failed for an earlier revision is tried once more: its cause may be gone.
        retry_failed = (job.revision or 1) > 1 and job.postponed == 0
        unprepared = unprepared_instances(case, pipeline, self._profiles, retry_failed=retry_failed)
        if unprepared:
            self._prepare_first(job, unprepared)
            return
        if self._only_stores(job):
            report = self._reporter.findings_only(job, case, pipeline, now_utc())
        else:
            report = self._reporter.report(job, case, latest, pipeline, now_utc(), asked=asked)
        # What waits under a former identification, or is withdrawn, must not go out any more.
        calls_off = report.outcome is Outcome.WITHDRAWN or is_filed_anew(case)
        self._hand_in(job, report, lambda tx, now: jobs.finish(tx, job, now), calls_off=calls_off)

    def report_failure(self, job: Job, code: str) -> None:
        """Report that a study's analysis failed for good: the reader hears of it as of a result."""
        why = explain(code)
        case, latest, asked = self._load(job)
        pipeline = self._pipelines[job.pipeline]
        if self._only_stores(job):
            report = self._reporter.findings_only(job, case, pipeline, now_utc(), why)
        else:
            now = now_utc()
            report = self._reporter.failure(job, case, latest, pipeline, why, now, asked=asked)
        self._hand_in(
            job, report, lambda tx, now: jobs.fail(tx, job, at=now, code=code, message=why)
        )

    def _only_stores(self, job: Job) -> bool:
        """Whether nobody is told what is found: by a shadow, or by a backfill that stores only."""
        return job.pipeline in self._shadows or job.backfill is Backfill.STORED

    def _load(self, job: Job) -> tuple[Case, StoredReport | None, bool]:
        """The case, the report that readers have, and whether somebody asked for this one."""
        reach = self._reach(job)
        with self._database.write() if reach else self._database.read() as tx:
            case = cases.load_case(tx, job.study_id, job.pipeline, reach)
            if reach:  # kept at once: what is purged from now on is known to have been there
                others = {item.of.study_id for item in case.companions if item.of}
                anchors.keep_companions(tx, job.study_id, job.pipeline, others)
            reason = reason_of(tx, job.study_id, job.revision or 1)
            asked = reason is DueReason.RERUN and job.backfill is None
            return case, results.latest_report(tx, job.study_id, job.pipeline), asked

    def _reach(self, job: Job) -> Reach | None:
        """What of the patient's other studies takes part, if any."""
        business = self._pipelines[job.pipeline].business
        if not business.reach_days:
            return None
        return Reach(business.companions or business.reads, business.reach_days)

    def _revise_anchors(self, tx: Transaction, job: Job, now: datetime) -> None:
        """Have reported again what this study takes part in, or did, unless that is why it ran."""
        reach, pipeline = self._reach(job), job.pipeline
        # What a backfill only stores must not make a report on another study.
        if reach is None or job.backfill is Backfill.STORED:
            return
        if anchors.is_for_companion(tx, job.study_id, job.revision or 1):
            return
        near = anchors_near(tx, job.study_id, pipeline, reach)
        held = (found for found in anchors.anchors_of(tx, job.study_id) if found[1] == pipeline)
        anchors.revise_anchors(tx, [*((study_id, pipeline) for study_id in near), *held], now)

    def _hand_in(
        self,
        job: Job,
        report: Report,
        end: Callable[[Transaction, datetime], None],
        *,
        calls_off: bool = False,
    ) -> None:
        now = now_utc()

        def change(tx: Transaction) -> None:
            report_id = results.record_report(tx, report)
            if calls_off and report.objects:
                outbox.call_off(tx, report_id, now)
            for kind, recipients in deliveries(report, self._recipients).items():
                for recipient in recipients:
                    if not _is_spared(tx, report, kind, recipient, now):
                        outbox.enqueue(
                            tx,
                            report_id,
                            kind=kind,
                            destination=recipient.name,
                            now=now,
                            expires_at=recipient.expires_at(now),
                        )
            self._revise_anchors(tx, job, now)
            end(tx, now)

        self._holding.let_go(job, change)
        log.info("report made", study=job.study_id, revision=report.revision, state=report.outcome)

    def _prepare_first(self, job: Job, instance_ids: Sequence[int]) -> None:
        if job.postponed >= MOST_POSTPONEMENTS:
            raise NoProgressError("its instances are prepared repeatedly")
        now = now_utc()
        # The first time is nothing unusual: the report only waits for what it has ordered.
        later = now + timedelta(seconds=growing_delay_s(job.postponed)) if job.postponed else None

        def change(tx: Transaction) -> None:
            preparing.prepare(tx, instance_ids, job.pipeline, now, job.backfill)
            jobs.postpone(
                tx,
                job,
                at=now,
                available_at=later,
                code="UNPREPARED",
                message=f"{len(instance_ids)} instance(s) are prepared first",
            )

        self._holding.let_go(job, change)
        log.info("report postponed", job=job.id, study=job.study_id, count=len(instance_ids))


def _is_spared(
    tx: Transaction, report: Report, kind: str, recipient: Recipient, now: datetime
) -> bool:
    """Whether what goes beside a report is not queued, as its like was refused there lately."""
    if kind not in _ACCOMPANYING:
        return False
    # The last rendition: what is sent where those before it are refused.
    renditions = (item for item in report.objects if item.kind == kind)
    made = max(renditions, key=lambda item: item.preference)
    since = now - BELIEVED_FOR
    return destinations.spares(
        tx, recipient.name, made, report.study_id, now, since, CLASS_REFUSALS
    )
