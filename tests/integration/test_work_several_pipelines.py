"""Several pipelines on one node: each file is read once, and only for those who read its class."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from sqlalchemy import select

from dicom_node.intake.recording import Recorder
from dicom_node.report import NodeIdentity
from dicom_node.work import job_runner
from dicom_node.work.case_findings import gather, unprepared_instances
from dicom_node.work.case_report import Reporter
from dicom_node.work.job_runner import JobRunner
from dicom_node.work.unusable import Unusable
from inference.dicom.header import instance_ref, read_header
from inference.exclusions import reason
from inference.types import Rejected, Selected, Selection
from storage import tables
from storage.database.owner import this_process
from storage.files.spool import Spool
from storage.reading import cases
from storage.states import DueReason
from storage.studies.revisions import complete_study
from tests.contract.storing import PIPELINE, open_association, received
from tests.unit.ultrasound_files import cine, save
from tests.work_bench import Bench, Numbers

US = "1.2.840.10008.5.1.4.1.1.3.1"
CHEST = "1.2.840.10008.5.1.4.1.1.1.1"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
NOT_MINE = reason("NOT_MINE", "Not a class of mine")


class Second(Numbers):
    """Another pipeline that looks at the same loops, and says why it leaves others out."""

    name = "second"

    def select(self, header: Dataset, profile: str | None = None) -> Selection:
        if header.SOPClassUID in self.business.reads:
            return Selected(instance_ref(header), (), {})
        return Rejected(instance_ref(header), (), NOT_MINE, f"{header.Modality} is not mine")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def both(bench: Bench, **others: Any) -> JobRunner:
    pipelines = {PIPELINE: bench.pipeline, **others}
    return JobRunner(
        bench.database,
        bench.spool,
        pipelines,
        Reporter(bench.spool, NodeIdentity("m", "m", "1", "S")),
        [],
        owner=this_process(),
        lease_s=30,
        maximum_attempts=3,
    )


def receive(bench: Bench, pipelines: list[str], *classes: str) -> None:
    """One instance of each class, recorded as the listener does."""
    open_association(bench.database)
    recorder = Recorder(bench.database, pipelines)
    for number, sop_class in enumerate(classes, 1):
        file = save(cine(InstanceNumber=number, PatientID="P1"), bench.folder / "cine.dcm")
        with bench.spool.incoming() as incoming:
            incoming.write(file.read_bytes())
            settling = incoming.keep_beside()
            recorder.record(
                replace(
                    received(number),
                    sop_class_uid=sop_class,
                    modality="DX" if sop_class == CHEST else "US",
                    digest=settling.file.digest,
                    received_at=datetime.now(UTC) - timedelta(seconds=1),
                ),
                settling,
            )


def queued(bench: Bench) -> list[tuple[int, str, str, str | None]]:
    """Instance, pipeline, state and error of each `prepare` job."""
    job = tables.Job
    query = select(job.instance_id, job.pipeline, job.state, job.error_code).where(
        job.instance_id.isnot(None)
    )
    with bench.database.read() as tx:
        return sorted(tuple(row) for row in tx.execute(query))


def test_only_those_who_read_a_class_look_at_its_instances(bench: Bench) -> None:
    receive(bench, ["echo_haemodynamics"], US, CHEST, KEY_OBJECTS)
    assert [(number, name) for number, name, _, _ in queued(bench)] == [(1, "echo_haemodynamics")]


def test_a_file_is_checked_and_its_header_read_once_for_all_pipelines(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    checked: list[str] = []
    reading = Spool.reading

    def count_headers(path: Path) -> Dataset:
        read.append(path)
        return read_header(path)

    def count_checks(spool: Spool, digest: str) -> Any:
        checked.append(digest)
        return reading(spool, digest)

    monkeypatch.setattr(job_runner, "read_header", count_headers)
    monkeypatch.setattr(Spool, "reading", count_checks)
    receive(bench, [PIPELINE, "second"], US, US, US)
    bench.engine = both(bench, second=Second())
    bench.run_until(lambda: all(state == "done" for _, _, state, _ in queued(bench)))
    assert len(queued(bench)) == 6
    assert (len(read), len(checked)) == (3, 3)


def test_what_one_pipeline_cannot_look_at_another_can(bench: Bench) -> None:
    receive(bench, [PIPELINE, "second", "broken"], US)
    second = Second()
    second.look = lambda instance, selected: 1 / 0  # type: ignore[assignment]
    bench.engine = both(bench, second=second, broken=Unusable("broken", OSError("no weights")))
    bench.run_until(
        lambda: (
            {name: state for _, name, state, _ in queued(bench)}
            == {PIPELINE: "done", "second": "queued", "broken": "failed"}
        )
    )
    assert {name: code for _, name, _, code in queued(bench)} == {
        PIPELINE: None,
        "second": "ZERO_DIVISION",
        "broken": "PIPELINE_UNUSABLE",
    }


def test_an_unusable_pipeline_fails_its_study_visibly(bench: Bench) -> None:
    receive(bench, [PIPELINE, "broken"], US)
    bench.engine = both(bench, broken=Unusable("broken", OSError("no weights")))
    with bench.database.write() as tx:
        at = datetime(2200, 1, 1, tzinfo=UTC)
        complete_study(tx, 1, at, [PIPELINE, "broken"], reason=DueReason.QUIET_PERIOD)
        job = tables.Job.__table__
        early = datetime.now(UTC) - timedelta(seconds=1)
        tx.execute(job.update().values(available_at=early))  # type: ignore[attr-defined]
    bench.run_until(lambda: bool(bench.study().reports and bench.study().revisions[-1].failures))
    assert set(bench.study().revisions[-1].failures) == {"broken"}


def test_a_report_tells_of_instances_that_nobody_opened(bench: Bench) -> None:
    receive(bench, [PIPELINE], US, CHEST)
    second = Second()
    with bench.database.read() as tx:
        case = cases.load_case(tx, 1, "second")
    [unread] = [item for item in gather(case, second).exclusions if item.instance.modality == "DX"]
    assert (unread.reason, unread.detail) == (NOT_MINE, "DX is not mine")
    assert (unread.instance.sop_class_uid, unread.instance.instance_number) == (CHEST, 2)


def test_what_nobody_looked_at_yet_is_prepared_where_a_pipeline_reads_it(bench: Bench) -> None:
    """So a pipeline may be added to a running site."""
    receive(bench, [], US, CHEST, KEY_OBJECTS)
    with bench.database.read() as tx:
        case = cases.load_case(tx, 1, "second")
    assert unprepared_instances(case, Second(), {}, retry_failed=False) == [1]
