"""From findings to the files of one report: built, checked and put into the spool."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from dicom_node.hl7.result_message import Reported, result_message
from dicom_node.report import (
    KINDS,
    DocumentRef,
    NodeIdentity,
    Notice,
    Predecessor,
    StudyContext,
    build_what_passes,
)
from dicom_node.work.findings_codec import decode_findings
from inference.dicom.header import read_header
from inference.types import Findings
from storage.files.spool import Spool
from storage.work.results import LAST_RESORT, ResultObject, StoredReport

log = structlog.get_logger()


def kinds_for(wanted: Sequence[frozenset[str]]) -> frozenset[str]:
    """The kinds of object to make, given those that each destination gets.

    With each goes what is sent where it is refused. The SR is always made: where retention has
    removed a study's instances, it says whose it is.
    """
    asked = {kind for kinds in wanted for kind in kinds}
    instead = {other for kind in asked for other in LAST_RESORT.get(kind, ())}
    return frozenset({"SR"} | asked | instead)


@dataclass(frozen=True, slots=True)
class Composition:
    """The objects of a report in the spool, and in words what had to be left out of it."""

    objects: tuple[ResultObject, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes the objects of a report, of the given kinds alone."""

    spool: Spool
    identity: NodeIdentity
    kinds: frozenset[str]

    def compose(
        self,
        findings: Findings,
        study: StudyContext,
        latest: StoredReport | None,
        notice: Notice,
        now: datetime,
    ) -> Composition:
        """The objects of a report that replaces `latest`; nothing is recorded yet.

        Raises:
            ReportError: not even the summary of the report passes our own check.
            SpoolDamagedError: the last report, which a message must quote, is not what it was.
        """
        made = self._dicom(findings, study, latest, notice, now)
        if "ORU" not in self.kinds:
            return made
        try:
            message = self._message(findings, study, latest, notice, now)
        except (ValueError, TypeError, LookupError, AttributeError):
            log.exception("message left out", revision=study.revision)
            return replace(made, left_out=(*made.left_out, "the HL7 message"))
        return replace(made, objects=(*made.objects, message))

    def holds(self, latest: StoredReport) -> bool:
        """Whether the last report can still be read; retention may have removed it."""
        return self.spool.exists(_sr_digest(latest))

    def reported_study(self, latest: StoredReport, revision: int) -> StudyContext:
        """What the last report says about patient and study, for the revision in work.

        Raises:
            SpoolDamagedError: its file is missing or is not what it was.
        """
        digest = _sr_digest(latest)
        with self.spool.reading(digest) as path:
            header = read_header(path)
        return StudyContext.from_header(header, revision=revision)

    def _dicom(
        self,
        findings: Findings,
        study: StudyContext,
        latest: StoredReport | None,
        notice: Notice,
        now: datetime,
    ) -> Composition:
        made = build_what_passes(
            findings,
            study,
            identity=self.identity,
            predecessor=_predecessor(latest),
            made_at=study.content_at or now,
            notice=notice,
            kinds=[kind for kind in KINDS if kind in self.kinds],
        )
        objects = []
        for item in made.objects:
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
                    destination=item.destination,
                )
            )
        return Composition(tuple(objects), made.left_out)

    def _message(
        self,
        findings: Findings,
        study: StudyContext,
        latest: StoredReport | None,
        notice: Notice,
        now: datetime,
    ) -> ResultObject:
        earlier = self._reported(latest) if latest and self.holds(latest) else None
        message = result_message(
            findings, study, identity=self.identity, made_at=now, earlier=earlier, notice=notice
        )
        file = self.spool.put(message.data)
        return ResultObject("ORU", 0, "", message.control_id, "", file.digest, file.size_bytes)

    def _reported(self, latest: StoredReport) -> Reported:
        study = self.reported_study(latest, latest.revision)
        return Reported(study, decode_findings(latest.findings_json))


def _sr_digest(report: StoredReport) -> str:
    return next(item.digest for item in report.objects if item.kind == "SR")


def _predecessor(latest: StoredReport | None) -> Predecessor | None:
    if latest is None:
        return None
    return Predecessor(
        revision=latest.revision,
        documents=tuple(
            DocumentRef(item.sop_class_uid, item.sop_instance_uid, item.series_instance_uid)
            for item in latest.objects
            if item.kind in {"SR", "PDF"}
        ),
    )
