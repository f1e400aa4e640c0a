"""From findings to ORU^R01 messages (HL7 2.5.1 section 7.3.1, message structure ORU_R01).

The bytes are fixed when the report is made. Only whom a message is addressed to is written when
it is sent: see `envelope`. Estimates nobody has verified are preliminary (P); what corrections
changed is a correction (C); what is said no more was wrong (W).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dicom_node.hl7 import observations, people
from dicom_node.hl7.observations import Observation, Origin, Status
from dicom_node.hl7.segments import Value, header, segment
from dicom_node.report import (
    NO_NOTICE,
    NodeIdentity,
    Notice,
    StudyContext,
    comparison,
    narrative,
    wording,
)
from dicom_node.report.relations import procedures_reported
from dicom_node.report.uids import object_uid
from inference.types import Findings, Standing

#: HL7 table 0103: what an untrained or phantom's model says is for training, not for production.
_PRODUCTION, _TRAINING = "P", "T"
#: MSH-10 holds no more characters.
_CONTROL_ID_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Reported:
    """What the last report of the same study and pipeline said, and under which identification."""

    study: StudyContext
    findings: Findings


@dataclass(frozen=True, slots=True)
class ResultMessage:
    """A message, in UTF-8, and the control ID that every sending of it bears."""

    control_id: str
    data: bytes


def result_message(
    findings: Findings,
    study: StudyContext,
    *,
    identity: NodeIdentity,
    made_at: datetime,
    earlier: Reported | None = None,
    notice: Notice = NO_NOTICE,
) -> ResultMessage:
    """The message of one revision of one study; the same arguments give the same bytes.

    Where the identification was corrected, what was reported under the former one is another
    message before it, in the same bytes.
    """
    writer = _Writer(findings, identity, made_at, notice)
    said = observations.observed(earlier.findings) if earlier else []
    messages = []
    if earlier and earlier.study.filed_under() != study.filed_under():
        former = replace(earlier.study, revision=study.revision)
        messages.append(writer.message(former, observations.taken_back(said), "former"))
        said = []
    now = _now(findings, notice)
    messages.append(writer.message(study, [*now, *observations.taken_back(said, now)]))
    return ResultMessage(writer.control_id(study), "".join(messages).encode())


def _now(findings: Findings, notice: Notice) -> list[Observation]:
    if notice.withdrawn is not None:
        return [replace(observations.withdrawn(notice.withdrawn), status=Status.CORRECTION)]
    status = Status.CORRECTION if notice.sentences else Status.PRELIMINARY
    return [replace(item, status=status) for item in observations.observed(findings)]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the messages of one report."""

    findings: Findings
    identity: NodeIdentity
    made_at: datetime
    notice: Notice

    def control_id(self, study: StudyContext, *what: str) -> str:
        """The same for the same report, so that a retry is known as one (MSH-10).

        A message says when it was made, so one of another time has another.
        """
        made_at = self.made_at.isoformat()
        uid = object_uid(study, self.findings.model, "ORU", made_at, *what)
        return hashlib.sha256(uid.encode()).hexdigest()[:_CONTROL_ID_LENGTH].upper()

    def message(self, study: StudyContext, said: Sequence[Observation], *what: str) -> str:
        """One message; each segment ends with a carriage return."""
        told = [observations.study_reference(study.study_instance_uid), *said]
        origin = Origin(_observed_at(study), _moment(self.made_at), self._equipment())
        lines = [
            self._header(self.control_id(study, *what)),
            people.patient(study),
            people.visit(study),
            self._order(study, said, origin),
            *observations.notes(self._remarks()),
            *observations.segments(told, origin),
        ]
        return "".join(f"{line}\r" for line in lines)

    def _header(self, control_id: str) -> str:
        trusted = self.findings.model.standing is Standing.RESEARCH
        return header(
            {
                3: self.identity.model_name,
                4: self.identity.station_name,
                7: _moment(self.made_at),
                9: ("ORU", "R01", "ORU_R01"),
                10: control_id,
                11: _PRODUCTION if trusted else _TRAINING,
                12: "2.5.1",
                18: "UNICODE UTF-8",
            }
        )

    def _order(self, study: StudyContext, said: Sequence[Observation], origin: Origin) -> str:
        """OBR: the accession number as the filler's order number (3).

        And where IHE SWF has it (18), with the Requested Procedure ID behind it (19).
        """
        corrects = any(item.status is not Status.PRELIMINARY for item in said)
        return segment(
            "OBR",
            {
                1: "1",
                3: study.accession_number or study.study_instance_uid,
                4: observations.coded(procedures_reported(self.findings, study)[0]),
                7: origin.observed_at,
                16: people.physician(study),
                18: study.accession_number,
                19: next((item.procedure_id for item in study.requested_procedures), ""),
                22: origin.analysed_at,
                24: self.findings.words.hl7_section,
                25: (Status.CORRECTION if corrects else Status.PRELIMINARY).value,
            },
        )

    def _remarks(self) -> Iterator[str]:
        """What stands before every value: warnings first."""
        yield from narrative.opening(self.findings, NO_NOTICE)
        yield from self.notice.sentences
        yield from self.findings.cautions
        yield from comparison.comparisons(self.findings)
        yield from filter(None, [wording.familiarity(self.findings)])
        yield from narrative.reservations(self.findings)
        yield wording.model(self.findings)

    def _equipment(self) -> Value:
        model = self.findings.model
        return (model.algorithm, "", model.device_uid, "ISO")


def _observed_at(study: StudyContext) -> str:
    """Date and time of the study as HL7 has them (DTM), as precise as they are."""
    if not study.study_date:
        return ""
    time, _, _ = study.study_time.partition(".")
    return f"{study.study_date}{time}{study.timezone_offset_from_utc if time else ''}"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
