"""A worker's engine in this process, with a pipeline that does what a test tells it to."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom import Dataset
from sqlalchemy import select

from dicom_node.report import NodeIdentity
from dicom_node.work.case_report import Recipient, Reporter
from dicom_node.work.job_runner import JobRunner
from inference.dicom.header import instance_ref
from inference.errors import InferenceError, InstanceUnreadableError
from inference.registry import Business
from inference.types import Case, Exclusion, Features, Findings, ModelCard, Selected, Standing
from inference.ultrasound.rules import ULTRASOUND_SOP_CLASS_UIDS
from storage import tables
from storage.database.owner import this_process
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.migrations.upgrading import upgrade
from storage.reading.browse import StudyDetail, show_study
from storage.states import DueReason, JobKind
from storage.studies.revisions import complete_study
from storage.work import jobs
from tests.contract.storing import PIPELINE, end_association, open_association, received, store
from tests.peers import wait_until
from tests.unit.ultrasound_files import cine, save

NODE = NodeIdentity("m", "m", "1", "S")


class Numbers:
    """A pipeline whose feature is the instance number; what it is told to do, it does."""

    name, version = PIPELINE, "1"
    business = Business(reads=ULTRASOUND_SOP_CLASS_UIDS, anchors=ULTRASOUND_SOP_CLASS_UIDS)
    model = ModelCard("x", "1", "x", "1", "d" * 64, "1.2", Standing.UNTRAINED, "")

    def __init__(self) -> None:
        self.unreadable: set[int] = set()
        self.bad: set[int] = set()
        self.batches: list[list[int]] = []
        self.on_encode: Callable[[Sequence[int]], None] = lambda _: None
        self.on_conclude: Callable[[], None] = lambda: None

    def select(self, header: Dataset, profile: str | None = None) -> Selected:
        return Selected(instance_ref(header), (), {})

    def look(self, instance: Path, selected: Selected) -> int:
        number = selected.instance.instance_number or 0
        if number in self.unreadable:
            raise InstanceUnreadableError("no picture")
        return number

    def encode(self, looks: Sequence[int]) -> list[Features]:
        self.batches.append(list(looks))
        self.on_encode(looks)
        if self.bad.intersection(looks):
            raise InferenceError("not finite")
        return [Features({"n": np.array([n], np.float32)}, (1,)) for n in looks]

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        self.batches.append([])
        self.on_conclude()
        return self.abstain(exclusions, "none")

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        return Findings("t", self.model, exclusions=tuple(exclusions), abstention=why)


class Bench:
    """A database, a spool and an engine on them."""

    def __init__(
        self,
        folder: Path,
        maximum_attempts: int = 3,
        kinds: frozenset[str] = frozenset({"SR"}),
    ) -> None:
        self.folder = folder
        self.maximum_attempts = maximum_attempts
        self.kinds = kinds
        self.database = Database(f"sqlite:///{folder / 'node.db'}")
        upgrade(self.database)
        self.spool = Spool(folder / "spool", low_water_bytes=0)
        self.pipeline = Numbers()
        self.engine = self.new_engine()

    def new_engine(self, profiles: Mapping[str, str] | None = None) -> JobRunner:
        return JobRunner(
            self.database,
            self.spool,
            {PIPELINE: self.pipeline},
            Reporter(self.spool, NODE),
            [Recipient("pacs", self.kinds, 3600.0)],
            owner=this_process(),
            lease_s=30,
            maximum_attempts=self.maximum_attempts,
            profiles=profiles or {},
        )

    def receive(self, count: int) -> None:
        """Instances 1 to `count` of one study, a second ago."""
        at = datetime.now(UTC) - timedelta(seconds=1)
        open_association(self.database)
        for number in range(1, count + 1):
            file = save(cine(InstanceNumber=number, PatientID="P1"), self.folder / "cine.dcm")
            digest = self.spool.put(file.read_bytes()).digest
            store(self.database, replace(received(number), digest=digest, received_at=at))
        end_association(self.database)

    def run_until(self, done: Callable[[], bool]) -> None:
        thread = threading.Thread(target=self.engine.run, daemon=True)
        thread.start()
        try:
            wait_until(done, 20, "the engine did its work")
        finally:
            self.engine.stop()
            thread.join(10)
        assert not thread.is_alive()

    def jobs(self) -> dict[int, tuple[str, int, str | None]]:
        """State, attempt and error of each `prepare` job, by instance."""
        job = tables.Job
        with self.database.read() as tx:
            rows = tx.execute(
                select(job.instance_id, job.state, job.attempt, job.error_code).where(
                    job.kind == JobKind.PREPARE
                )
            )
            return {row[0]: (row[1].value, row[2], row[3]) for row in rows}

    def all_ended(self) -> bool:
        return all(state in {"done", "failed"} for state, _, _ in self.jobs().values())

    def complete(self, study_id: int = 1) -> None:
        """Make the study complete now."""
        with self.database.write() as tx:
            at = datetime(2200, 1, 1, tzinfo=UTC)
            complete_study(tx, study_id, at, [PIPELINE], reason=DueReason.QUIET_PERIOD)
            # It is due by the story's clock; the job is by today's.
            job = tables.Job.__table__
            tx.execute(
                job.update()  # type: ignore[attr-defined]
                .where(job.c.kind == JobKind.CONCLUDE)
                .values(available_at=datetime.now(UTC) - timedelta(seconds=1))
            )

    def study(self) -> StudyDetail:
        """All that is known of the study."""
        with self.database.read() as tx:
            return show_study(tx, 1)

    def reported(self) -> bool:
        """Whether no job waits or runs any more and there is a report or a failure to be seen."""
        with self.database.read() as tx:
            waiting = {state for _, state in jobs.counts(tx) if state in {"queued", "running"}}
        detail = self.study()
        return not waiting and bool(detail.reports or detail.revisions[-1].failures)
