"""From a case to what is sent: findings, report objects in the spool, and one report row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydicom import Dataset

from dicom_node.corrections.effects import reissue, why_withdrawn, withdrawal
from dicom_node.report import KINDS, NO_NOTICE, NodeIdentity, Notice, StudyContext, wording
from dicom_node.work.case_findings import (
    Gathered,
    abandoned,
    conclude,
    gather,
    input_digest,
    is_business,
)
from dicom_node.work.content_time import content_time
from dicom_node.work.findings_codec import encode_findings
from dicom_node.work.report_files import Composer
from inference.dicom.header import read_header
from inference.earlier import ReferenceValues
from inference.pipeline import Pipeline
from inference.types import Findings
from storage.errors import (
    SpoolAwayError,
    SpoolDamagedError,
    SpoolUnavailableError,
    StorageError,
)
from storage.files.spool import Spool
from storage.reading.cases import Case, CaseInstance
from storage.states import Outcome
from storage.work.jobs import Job
from storage.work.results import Report, StoredReport


@dataclass(frozen=True, slots=True)
class Recipient:
    """A destination, what it gets and how long the node tries."""

    name: str
    kinds: frozenset[str]
    maximum_age_s: float

    def expires_at(self, now: datetime) -> datetime:
        """When an object queued now becomes a dead letter."""
        return now + timedelta(seconds=self.maximum_age_s)


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes the report of one revision of one study, with objects of the given kinds.

    `reference_values` stand beside the estimates.
    """

    spool: Spool
    identity: NodeIdentity
    kinds: frozenset[str] = KINDS
    reference_values: ReferenceValues = field(default_factory=dict)

    def report(
        self,
        job: Job,
        case: Case,
        latest: StoredReport | None,
        pipeline: Pipeline,
        now: datetime,
        *,
        asked: bool = False,
    ) -> Report:
        """Conclude a case and put its report objects into the spool; nothing is recorded yet.

        Where no instance has a Patient ID no objects are made: an archive would file them under an
        empty Patient ID, together with other patients. Of a quiet abstention none are made either,
        unless somebody `asked` for this report or readers have an earlier one.

        Raises:
            SpoolDamagedError: no file of the study is whole, so that nothing tells whose it is.
            SpoolUnavailableError: nobody can tell now.
        """
        why = why_withdrawn(case, concerned=is_business(case, pipeline))
        if why is not None and (latest or case.withdrawn is not None):
            return self._withdrawal(job, case, latest, pipeline, why, now)
        header = self._header_to_file(case, latest, pipeline)
        if header is None:
            return self._without_objects(job, pipeline, Outcome.NOT_APPLICABLE, "", now)
        gathered = gather(case, pipeline, self.reference_values)
        if latest and latest.input_digest == gathered.input_digest:
            return self._without_objects(
                job, pipeline, Outcome.NO_EFFECT, gathered.input_digest, now
            )
        study = _study(header, job, case)
        if not study.patient_id:
            return self._without_objects(job, pipeline, Outcome.UNFILED, "", now)
        return self._concluded(job, case, gathered, study, latest, pipeline, now, asked=asked)

    def _concluded(
        self,
        job: Job,
        case: Case,
        gathered: Gathered,
        study: StudyContext,
        latest: StoredReport | None,
        pipeline: Pipeline,
        now: datetime,
        *,
        asked: bool,
    ) -> Report:
        """The report of a study that can be filed, as far as anything new is to be told."""
        findings = conclude(case, gathered, pipeline)
        digest = input_digest(case, gathered, findings, pipeline, self.reference_values)
        if latest and latest.input_digest == digest:
            return self._without_objects(job, pipeline, Outcome.NO_EFFECT, digest, now)
        if findings.quiet and latest is None and not asked:
            return self._stored_only(job, findings, digest, pipeline, now)
        study = replace(study, input_digest=digest)
        notice = reissue(case, study, self._reported_as(case, latest, study.revision))
        return self._with_objects(job, study, findings, digest, latest, pipeline, now, notice)

    def failure(
        self,
        job: Job,
        case: Case,
        latest: StoredReport | None,
        pipeline: Pipeline,
        why: str,
        now: datetime,
        *,
        asked: bool = False,
    ) -> Report:
        """The report of an analysis that failed for good: it says why, and no later one equals it.

        A quiet one is only stored, as quiet findings of any other kind are.

        Raises:
            SpoolDamagedError: no file of the study is whole, so that nothing tells whose it is.
        """
        header = self._header_to_file(case, latest, pipeline)
        if header is None:
            return self._without_objects(job, pipeline, Outcome.NOT_APPLICABLE, "", now)
        study = _study(header, job, case)
        if not study.patient_id:
            return self._without_objects(job, pipeline, Outcome.UNFILED, "", now)
        findings = abandoned(case, pipeline, why)
        if findings.quiet and latest is None and not asked:
            return self._stored_only(job, findings, "", pipeline, now)
        return self._with_objects(job, study, findings, "", latest, pipeline, now)

    def findings_only(
        self, job: Job, case: Case, pipeline: Pipeline, now: datetime, failure: str = ""
    ) -> Report:
        """The findings of a case, to be stored; no objects are made, and no reader is told.

        `failure` is why the analysis failed for good.
        """
        concerned = is_business(case, pipeline)
        withdrawn = why_withdrawn(case, concerned=concerned)
        if withdrawn is None and not concerned:
            return self._without_objects(job, pipeline, Outcome.NOT_APPLICABLE, "", now)
        digest = ""  # as of `_withdrawal` and `failure`: no later report equals it
        if withdrawn is not None:
            findings = pipeline.abstain((), wording.withdrawn(withdrawn))
        elif failure:
            findings = abandoned(case, pipeline, failure)
        else:
            gathered = gather(case, pipeline, self.reference_values)
            findings = conclude(case, gathered, pipeline)
            digest = input_digest(case, gathered, findings, pipeline, self.reference_values)
        notice = Notice(withdrawn=withdrawn)
        return self._stored_only(job, findings, digest, pipeline, now, notice)

    def _withdrawal(
        self,
        job: Job,
        case: Case,
        latest: StoredReport | None,
        pipeline: Pipeline,
        why: str,
        now: datetime,
    ) -> Report:
        """The report that takes back all before it; none where there is nothing to take back.

        It bears the identification of the report it withdraws, whose file alone it needs.
        """
        if latest is None:
            return self._without_objects(job, pipeline, Outcome.NOT_APPLICABLE, "", now)
        if latest.outcome is Outcome.WITHDRAWN:
            return self._without_objects(job, pipeline, Outcome.NO_EFFECT, latest.input_digest, now)
        study = _dated(self._composer.reported_study(latest, job.revision or 1), case)
        findings = pipeline.abstain((), wording.withdrawn(why))
        notice = withdrawal(case, why)
        return self._with_objects(job, study, findings, "", latest, pipeline, now, notice)

    def _with_objects(
        self,
        job: Job,
        study: StudyContext,
        findings: Findings,
        input_digest: str,
        latest: StoredReport | None,
        pipeline: Pipeline,
        now: datetime,
        notice: Notice = NO_NOTICE,
    ) -> Report:
        outcome = _outcome(findings, notice)
        composed = self._composer.compose(findings, study, latest, notice, now)
        return replace(
            self._without_objects(job, pipeline, outcome, input_digest, now),
            supersedes=latest.id if latest else None,
            findings_json=encode_findings(findings),
            objects=composed.objects,
            left_out=composed.left_out,
        )

    def _reported_as(
        self, case: Case, latest: StoredReport | None, revision: int
    ) -> StudyContext | None:
        """The identification that readers know the study by, if any and if it is still known.

        The archive may have rejected what bore it and sent the study anew under another.
        """
        if latest is None or not (case.identification or self._composer.holds(latest)):
            return None
        return self._composer.reported_study(latest, revision)

    @property
    def _composer(self) -> Composer:
        return Composer(self.spool, self.identity, self.kinds)

    def _header_to_file(
        self, case: Case, latest: StoredReport | None, pipeline: Pipeline
    ) -> Dataset | None:
        """What a report of this pipeline is filed by; None where there is nothing to file."""
        if not is_business(case, pipeline):
            return None
        header = self._header(case, latest)
        return header if header.get("StudyInstanceUID") else None

    def _header(self, case: Case, latest: StoredReport | None) -> Dataset:
        """The header of the study's first whole instance that is its own patient's.

        One that has a Patient ID comes first, then what was analysed and still stands: what was
        rejected may bear what the archive has corrected since. Of those it is the first by UID,
        whatever the order in which they came. Where retention has removed them all, the last report
        says the same of patient and study.
        """
        own = [item for item in case.instances if not item.patient_differs]
        own.sort(
            key=lambda item: (
                item.names_patient is False,
                item.rejected is not None,
                not _is_analysed(item),
                item.sop_instance_uid,
            )
        )
        reported = [item.digest for item in latest.objects if item.kind == "SR"] if latest else []
        trouble: StorageError = SpoolDamagedError("no file of the study is whole")
        for digest in [item.digest for item in own] + reported:
            try:
                with self.spool.reading(digest) as path:
                    return read_header(path)
            except SpoolAwayError:
                raise
            except SpoolDamagedError:
                pass
            except SpoolUnavailableError as error:
                trouble = error
        raise trouble

    def _stored_only(
        self,
        job: Job,
        findings: Findings,
        input_digest: str,
        pipeline: Pipeline,
        now: datetime,
        notice: Notice = NO_NOTICE,
    ) -> Report:
        outcome = _outcome(findings, notice)
        return replace(
            self._without_objects(job, pipeline, outcome, input_digest, now),
            findings_json=encode_findings(findings),
        )

    @staticmethod
    def _without_objects(
        job: Job, pipeline: Pipeline, outcome: Outcome, input_digest: str, now: datetime
    ) -> Report:
        return Report(
            study_id=job.study_id,
            revision=job.revision or 1,
            pipeline=job.pipeline,
            pipeline_version=pipeline.version,
            bundle_digest=pipeline.model.bundle_digest,
            input_digest=input_digest,
            outcome=outcome,
            supersedes=None,
            findings_json="",
            made_at=now,
            objects=(),
        )


def deliveries(report: Report, recipients: Sequence[Recipient]) -> Mapping[str, list[Recipient]]:
    """Which kinds of object this report has, the SR first, and who gets each."""
    made_for: dict[str, set[str]] = {}
    for item in report.objects:
        made_for.setdefault(item.kind, set()).add(item.destination)
    return {
        kind: [who for who in recipients if kind in who.kinds and {"", who.name} & destinations]
        for kind, destinations in made_for.items()
    }


def _is_analysed(item: CaseInstance) -> bool:
    return item.preparation is not None and item.preparation.selected


def _study(header: Dataset, job: Job, case: Case) -> StudyContext:
    """The study as its header has it, and as an administrator corrected it."""
    study = StudyContext.from_header(header, revision=job.revision or 1)
    elsewhere = {
        item.sop_instance_uid: item.of.study_instance_uid for item in case.companions if item.of
    }
    return replace(_dated(study.corrected(**case.identification), case), elsewhere=elsewhere)


def _dated(study: StudyContext, case: Case) -> StudyContext:
    return replace(study, content_at=content_time(case, study))


def _outcome(findings: Findings, notice: Notice) -> Outcome:
    if notice.withdrawn is not None:
        return Outcome.WITHDRAWN
    return Outcome.ABSTAINED if findings.abstention else Outcome.ESTIMATED
