"""The same instances give the same objects, byte for byte, on any node on any day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicom_node.work import conclude
from inference.types import Case, Exclusion, Findings
from tests.contract.storing import end_association, open_association, received, store
from tests.report_cases import estimate, loops
from tests.unit.ultrasound_files import cine, save
from tests.work_bench import Bench, Numbers

KINDS = frozenset({"SR", "SC", "KOS", "PDF"})


class Estimating(Numbers):
    """Estimates the same from whatever it is given."""

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        self.on_conclude()
        chosen = [
            replace(loop, instance=encoded.instance)
            for loop, encoded in zip(loops(len(case.encoded)), case.encoded, strict=True)
        ]
        found = estimate(excluded=tuple(exclusions))
        return replace(found, model=self.model, evidence=tuple(chosen))


def instance(number: int) -> Dataset:
    return cine(
        PatientID="P1",
        SOPInstanceUID=f"1.2.3.{number}",
        SeriesInstanceUID="1.2.8",
        StudyInstanceUID="1.2.9",
        InstanceNumber=number,
        StudyDate="20260131",
        StudyTime="101500",
        AcquisitionDateTime=f"202601311020{number:02}.123",
    )


class Node(Bench):
    """A node of its own that gets the same study."""

    def __init__(self, folder: Path, at: datetime, *, fails: bool = False) -> None:
        folder.mkdir()
        self.at = at
        self.estimating = Estimating()
        if fails:
            self.estimating.on_conclude = self._fail
        super().__init__(folder, maximum_attempts=1, kinds=KINDS)
        self.pipeline = self.estimating
        self.engine = self.new_engine()

    @staticmethod
    def _fail() -> None:
        raise RuntimeError("as ordered")

    def report(self, order: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
        """SOP Instance UID -> file of everything that is made of the study."""
        monkeypatch.setattr(conclude, "now_utc", lambda: self.at)
        open_association(self.database)
        for number in order:
            file = save(instance(number), self.folder / "cine.dcm")
            digest = self.spool.put(file.read_bytes()).digest
            at = datetime.now(UTC) - timedelta(seconds=1)
            store(self.database, replace(received(number), digest=digest, received_at=at))
        end_association(self.database)
        self.complete()
        self.run_until(self.reported)
        (made,) = self.study().reports
        return {
            item.sop_instance_uid: self.spool.path(item.digest).read_bytes()
            for item in made.objects
        }


@pytest.mark.parametrize("fails", [False, True])
def test_the_same_study_on_two_nodes_on_two_days_is_the_same_report(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC)
    first = Node(tmp_path / "a", today, fails=fails).report([1, 2, 3], monkeypatch)
    later = today + timedelta(days=99, seconds=77)
    again = Node(tmp_path / "b", later, fails=fails).report([3, 1, 2], monkeypatch)

    assert first == again
    kinds = {dcmread(BytesIO(data)).Modality for data in first.values()}
    assert kinds == ({"SR", "OT", "DOC"} if fails else {"SR", "OT", "DOC", "KO"})


def test_a_report_bears_the_time_of_the_newest_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Node(tmp_path / "a", datetime.now(UTC)).report([1, 2, 3], monkeypatch)

    for data in made.values():
        dataset = dcmread(BytesIO(data))
        assert (dataset.ContentDate, dataset.ContentTime) == ("20260131", "102003")
        assert "InstanceCreationDate" not in dataset


def test_a_failed_analysis_still_lists_the_loops_that_it_would_have_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Node(tmp_path / "a", datetime.now(UTC), fails=True).report([1, 2, 3], monkeypatch)

    report = next(
        dataset for data in made.values() if (dataset := dcmread(BytesIO(data))).Modality == "SR"
    )
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    listed = [
        item.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]
    assert listed == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
    assert "Selected; no estimate from this study" in str(report)
