"""What is made for a report follows from what its destinations get."""

from collections.abc import Sequence
from pathlib import Path

import hl7
import pytest

from dicom_node.hl7 import envelope
from dicom_node.report import NO_NOTICE, Notice, StudyContext
from dicom_node.work.findings_codec import encode_findings
from dicom_node.work.report_files import Composer, kinds_for
from inference.types import Code, Findings
from storage.files.spool import Spool
from storage.states import Outcome
from storage.work.results import ResultObject, StoredReport
from tests.report_cases import IDENTITY, MADE_AT, abstention, estimate, study


@pytest.mark.parametrize(
    ("wanted", "made"),
    [
        ([], {"SR"}),
        ([{"SR"}], {"SR", "SC", "PDF"}),
        ([{"SR", "KOS"}, {"ORU"}], {"SR", "SC", "PDF", "KOS", "ORU"}),
        ([{"KOS"}, {"PDF"}], {"SR", "KOS", "PDF"}),
    ],
)
def test_only_what_a_destination_gets_or_may_get_instead_is_made(
    wanted: Sequence[set[str]], made: set[str]
) -> None:
    assert kinds_for([frozenset(kinds) for kinds in wanted]) == made


class Ris:
    """What a RIS is told of one study, report after report."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder, low_water_bytes=0)
        self._composer = Composer(self.spool, IDENTITY, frozenset({"SR", "ORU"}))
        self.latest: StoredReport | None = None

    def report(
        self, findings: Findings, context: StudyContext, notice: Notice = NO_NOTICE
    ) -> list[hl7.Message]:
        """The messages of the next report."""
        objects = self._composer.compose(findings, context, self.latest, notice, MADE_AT).objects
        self.latest = _stored(findings, context.revision, objects)
        (message,) = (item for item in objects if item.kind == "ORU")
        data = self.spool.path(message.digest).read_bytes()
        return [hl7.parse(each.decode()) for each in envelope.split(data)]

    def lose_last_report(self) -> None:
        """Let retention remove it."""
        assert self.latest is not None
        for item in self.latest.objects:
            self.spool.path(item.digest).unlink()


def _stored(findings: Findings, revision: int, objects: tuple[ResultObject, ...]) -> StoredReport:
    return StoredReport(
        id=revision,
        study_id=1,
        revision=revision,
        pipeline="p",
        pipeline_version="1",
        bundle_digest="d",
        input_digest="i",
        outcome=Outcome.ESTIMATED,
        supersedes=None,
        findings_json=encode_findings(findings),
        made_at=MADE_AT,
        objects=objects,
    )


def statuses(message: hl7.Message) -> dict[str, str]:
    """Code of each observation -> its status."""
    return {str(line[3][0][0]): str(line[11]) for line in message.segments("OBX")}


MEAN_PRESSURE = "8414-5"


def test_a_ris_is_told_that_what_it_has_under_another_identification_is_wrong(
    tmp_path: Path,
) -> None:
    ris = Ris(tmp_path)
    (first,) = ris.report(estimate(), study())
    moved = Notice(("The identification was corrected.",), rejection=Code("113038", "DCM", "x"))
    former, now = ris.report(estimate(), study(patient_id="RIGHT", revision=2), moved)
    assert statuses(first)[MEAN_PRESSURE] == "P"
    assert (former["PID.F3.R1.C1"], statuses(former)[MEAN_PRESSURE]) == ("MARK-4711", "W")
    assert (now["PID.F3.R1.C1"], statuses(now)[MEAN_PRESSURE]) == ("RIGHT", "C")


def test_a_ris_is_told_of_a_withdrawal_value_by_value(tmp_path: Path) -> None:
    ris = Ris(tmp_path)
    ris.report(estimate(), study())
    (message,) = ris.report(abstention(), study(revision=2), Notice(withdrawn="Wrong patient."))
    assert statuses(message)[MEAN_PRESSURE] == "W"


def test_where_the_last_report_is_gone_a_ris_is_told_what_holds_now(tmp_path: Path) -> None:
    ris = Ris(tmp_path)
    ris.report(estimate(), study())
    ris.lose_last_report()
    (message,) = ris.report(estimate(), study(revision=2))
    assert statuses(message)[MEAN_PRESSURE] == "P"
