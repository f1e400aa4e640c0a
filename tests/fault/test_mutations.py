"""A worker that dies, or sleeps past its lease, beside another: each job ends once.

And the auditor notices a node without rescue, and one without fence. What notices a node that does
not sync, or answers too early, is in test_power_cut.py.
"""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import send_files
from storage.database.transactions import Database
from storage.files.spool import Spool
from tests.fault.auditor import Auditor, content, unfinished
from tests.fault.carts import Exams, sop_instance_uid
from tests.fault.test_kill import BUNDLE
from tests.fault.victims import CART, Ground, Victim
from tests.peers import wait_until

pytestmark = pytest.mark.faults
LEASE_S = 2.0


def is_stopped(victim: Victim) -> bool:
    return Path(f"/proc/{victim.pid}/stat").read_text().rpartition(") ")[2].startswith("T")


def sent(node: Ground, files: Sequence[Path]) -> None:
    listener = node.listening()
    remote = RemoteNode("node", "127.0.0.1", node.port, "ECHONODE", CART)
    assert all(result.stored for result in send_files(remote, files))
    listener.stop()


def problems(folder: Path, *, asleep: bool, broken: str | None = None) -> list[str]:
    """What the auditor finds, deliveries aside: nobody sends here."""
    node = Ground(folder / "node", 1, lease_s=LEASE_S)
    node.prepare(BUNDLE)
    node = replace(node, broken=broken)
    files = Exams(folder, loops=1).next()
    sent(node, files)
    first = node.run("work", at="prepare.encoded", pause=asleep)
    wait_until(lambda: is_stopped(first) if asleep else first.was_killed, 30, "it is reached")
    time.sleep(LEASE_S)
    second = node.run("work")
    database = Database(node.url)
    deadline = time.monotonic() + 25
    while unfinished(database).keys() - {"delivery"} and time.monotonic() < deadline:
        time.sleep(0.1)
    if asleep:
        os.kill(first.pid, signal.SIGCONT)
        time.sleep(6)  # it ends what it had begun, or finds that it may not
        first.kill()
    second.stop()
    told = {sop_instance_uid(file): content(file) for file in files}
    found = Auditor(database, Spool(node.spool_dir)).examine(told)
    database.close()
    return [problem for problem in found.problems if "delivery" not in problem]


@pytest.mark.parametrize("asleep", [False, True])
def test_another_worker_takes_over(tmp_path: Path, asleep: bool) -> None:
    assert problems(tmp_path, asleep=asleep) == []


def test_without_rescue_the_study_is_never_reported(tmp_path: Path) -> None:
    found = problems(tmp_path, asleep=False, broken="no_rescue")
    assert any("job at no end" in one for one in found)


def test_without_fence_a_job_ends_twice(tmp_path: Path) -> None:
    assert any("ended 2 times" in one for one in problems(tmp_path, asleep=True, broken="no_fence"))
