"""From a case to what is sent: findings, report objects in the spool, and one report row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydicom import Dataset

from dicom_node.report import DocumentRef, NodeIdentity, Predecessor, StudyContext, build
from dicom_node.work.conclude import conclude, gather, sop_classes
from dicom_node.work.findings_codec import encode_findings
from inference.dicom.header import read_header
from inference.pipeline import Pipeline
from storage.jobs import Job
from storage.results import Case, Outcome, Report, ResultObject, StoredReport
from storage.spool import Spool


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
    """Makes the report of one revision of one study."""

    spool: Spool
    identity: NodeIdentity

    def report(
        self,
        job: Job,
        case: Case,
        latest: StoredReport | None,
        pipeline: Pipeline,
        now: datetime,
    ) -> Report:
        """Conclude a case and put its report objects into the spool; nothing is recorded yet."""
        header = self._header(case)
        has_study = bool(header.get("StudyInstanceUID"))
        if not has_study or not pipeline.concerns(sop_classes(case)):
            return self._without_objects(job, pipeline, Outcome.NOT_APPLICABLE, "", now)
        gathered = gather(case, pipeline)
        if latest and latest.input_digest == gathered.input_digest:
            return self._without_objects(
                job, pipeline, Outcome.NO_EFFECT, gathered.input_digest, now
            )
        findings = conclude(case, gathered, pipeline)
        built = build(
            findings,
            StudyContext.from_header(header, revision=job.revision or 1),
            identity=self.identity,
            predecessor=_predecessor(latest),
            made_at=now,
        )
        objects = []
        for item in built:
            file = self.spool.put(item.data)
            objects.append(
                ResultObject(
                    kind=item.kind,
                    preference=item.preference,
                    sop_class_uid=item.sop_class_uid,
                    sop_instance_uid=item.sop_instance_uid,
                    series_instance_uid=item.series_instance_uid,
                    digest=file.digest,
                    size_bytes=file.size_bytes,
                )
            )
        outcome = Outcome.ABSTAINED if findings.abstention else Outcome.ESTIMATED
        return replace(
            self._without_objects(job, pipeline, outcome, gathered.input_digest, now),
            supersedes=latest.id if latest else None,
            findings_json=encode_findings(findings),
            objects=tuple(objects),
        )

    def _header(self, case: Case) -> Dataset:
        """The header of the study's first instance, which is its own patient's by definition."""
        return read_header(self.spool.path(case.instances[0].digest))

    @staticmethod
    def _without_objects(
        job: Job, pipeline: Pipeline, outcome: Outcome, input_digest: str, now: datetime
    ) -> Report:
        return Report(
            study_id=job.study_id,
            revision=job.revision or 1,
            pipeline=pipeline.name,
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
    kinds = dict.fromkeys(item.kind for item in report.objects)
    return {kind: [who for who in recipients if kind in who.kinds] for kind in kinds}


def _predecessor(latest: StoredReport | None) -> Predecessor | None:
    if latest is None:
        return None
    return Predecessor(
        revision=latest.revision,
        documents=tuple(
            DocumentRef(item.sop_class_uid, item.sop_instance_uid, item.series_instance_uid)
            for item in latest.objects
            if item.kind == "SR"
        ),
    )
