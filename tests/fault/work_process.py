"""A worker as a process of its own, to be paused or killed: folder, lease, attempts.

Its pipeline does what the folder says: `poison-N` holds the signal that an instance number N kills
the worker with, `hang-N` how one does not come back ("sleep", or "lock": with the interpreter
lock), and while `slow` is there, a conclusion does not end.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dicom_node.report import NodeIdentity
from dicom_node.study.clock import Clock
from dicom_node.work.case_report import Recipient, Reporter
from dicom_node.work.job_runner import JobRunner
from dicom_node.work.step_watch import StepWatch
from dicom_node.work.worker import Worker
from inference.types import Selected
from storage.database.owner import this_process
from storage.database.transactions import Database
from storage.files.spool import Spool
from tests.contract.storing import PIPELINE
from tests.work_bench import Numbers

#: Where a step hangs: above what others take; with the interpreter lock it ends after twice that.
HANG_LIMIT_S = 10.0
STEP_LIMIT_S = 600.0
HANGS: dict[str, Callable[[], object]] = {
    "sleep": lambda: time.sleep(3600),
    "lock": lambda: sum(range(10**13)),
}


class Deadly(Numbers):
    """Numbers, of which some kill."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.on_conclude = self._linger

    def look(self, instance: Path, selected: Selected) -> int:
        number = super().look(instance, selected)
        poison = self._folder / f"poison-{number}"
        if poison.exists():
            os.kill(os.getpid(), int(poison.read_text()))
            time.sleep(60)  # the signal comes at once, on whatever thread
        hang = self._folder / f"hang-{number}"
        if hang.exists():
            HANGS[hang.read_text()]()
        return number

    def _linger(self) -> None:
        (self._folder / f"concluding-{os.getpid()}").touch()
        while (self._folder / "slow").exists():
            time.sleep(0.05)


def main(folder: Path, lease_s: float, maximum_attempts: int) -> None:
    """Work until a signal comes."""
    database = Database(f"sqlite:///{folder / 'node.db'}")
    spool = Spool(folder / "spool")
    limit_s = HANG_LIMIT_S if any(folder.glob("hang-*")) else STEP_LIMIT_S
    engine = JobRunner(
        database,
        spool,
        {PIPELINE: Deadly(folder)},
        Reporter(spool, NodeIdentity("m", "m", "1", "S")),
        [Recipient("pacs", frozenset({"SR"}), 3600.0)],
        owner=this_process(),
        lease_s=lease_s,
        maximum_attempts=maximum_attempts,
        watch=StepWatch(limit_s, last_resort=True),
    )
    worker = Worker(engine, Clock(database, [PIPELINE], engine.wake))
    # Blocked before the threads start, so that they inherit it and only the wait below sees it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    worker.start()
    signal.sigwait({signal.SIGTERM})
    worker.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
