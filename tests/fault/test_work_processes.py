"""Workers that are killed by what they work on, or wake up when another has done their work."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicom_node.work.step_watch import HUNG
from storage.audit import trail
from storage.audit.trail import Action
from tests.peers import process, wait_until
from tests.work_bench import Bench

CHECKOUT = Path(__file__).resolve().parents[2]
LEASE_S = 1.0
ATTEMPTS = 2


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.database.close()


@contextmanager
def worker(bench: Bench, log: str = "worker.log") -> Iterator[subprocess.Popen[bytes]]:
    arguments = [str(bench.folder), str(LEASE_S), str(ATTEMPTS)]
    command = [sys.executable, "-m", "tests.fault.work_process", *arguments]
    with process(command, bench.folder / log, cwd=CHECKOUT) as child:
        yield child


def work_until_reported(bench: Bench, ended: list[int] | None = None) -> int:
    """Start a worker each time one died, as the supervisor does; returns how many died.

    `ended` gets the exit status of each.
    """
    statuses = [] if ended is None else ended
    while True:
        with worker(bench) as child:
            wait_until(lambda at=child: at.poll() is not None or bench.reported(), 90, "the report")
            if child.poll() is None:
                return len(statuses)
            statuses.append(child.returncode)


@pytest.mark.parametrize(
    "poisons",
    [
        {2: signal.SIGSEGV},
        pytest.param(
            {2: signal.SIGSEGV, 3: signal.SIGKILL, 5: signal.SIGABRT}, marks=pytest.mark.faults
        ),
    ],
    ids=["one", "three"],
)
def test_an_instance_that_kills_its_worker_is_set_aside_and_named(
    bench: Bench, poisons: dict[int, signal.Signals]
) -> None:
    bench.receive(6)
    bench.complete()
    for number, with_signal in poisons.items():
        (bench.folder / f"poison-{number}").write_text(str(int(with_signal)))
    # The first death may be of a batch: then each is tried alone, and two may lie ahead of it.
    assert work_until_reported(bench) <= ATTEMPTS * len(poisons)
    states = bench.jobs()
    assert {number for number, job in states.items() if job[0] == "failed"} == set(poisons)
    [report] = bench.study().reports
    told = report.findings_json.count("the worker died each time it ran this job")
    assert told == len(poisons) + 1, "with each of them, and where no estimate is made"
    assert len(bench.study().deliveries) == 1


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ("sleep", HUNG, "a step of the pipeline did not return"),
        pytest.param(
            "lock", 1, "the worker died each time it ran this job", marks=pytest.mark.faults
        ),
    ],
)
def test_an_instance_on_which_a_step_hangs_ends_its_worker_and_is_set_aside(
    bench: Bench, how: str, status: int, told: str
) -> None:
    bench.receive(3)
    bench.complete()
    (bench.folder / "hang-2").write_text(how)
    ended: list[int] = []
    # With the lock held nothing is handed back: each of the batch is then tried alone.
    assert work_until_reported(bench, ended) <= ATTEMPTS + 1
    assert set(ended) == {status}
    states = bench.jobs()
    assert {number for number, job in states.items() if job[0] == "failed"} == {2}
    [report] = bench.study().reports
    assert told in report.findings_json


def test_a_worker_that_wakes_up_after_its_lease_makes_no_second_report(bench: Bench) -> None:
    bench.receive(2)
    bench.complete()
    slow = bench.folder / "slow"
    slow.touch()
    with worker(bench, "paused.log") as paused:
        wait_until((bench.folder / f"concluding-{paused.pid}").exists, 90, "a conclusion begun")
        with bench.database.write():  # so that it is not paused with SQLite's only write lock
            paused.send_signal(signal.SIGSTOP)
        slow.unlink()
        wait_until(lambda: leases_ran_out(bench), 10, "the lease ran out")
        with worker(bench):
            wait_until(bench.reported, 90, "the other worker reports")
            paused.send_signal(signal.SIGCONT)
            log = bench.folder / "paused.log"
            wait_until(lambda: b"ClaimLostError" in log.read_bytes(), 60, "the claim is lost")
    assert len(bench.study().reports) == len(bench.study().deliveries) == 1
    with bench.database.read() as tx:
        assert len(trail.search(tx, action=Action.REPORT_MADE)) == 1


def leases_ran_out(bench: Bench) -> bool:
    with bench.database.read() as tx:
        until = tx.exec_driver_sql("SELECT max(lease_until) FROM job").scalar()
        now = tx.exec_driver_sql("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')").scalar()
    return bool(until is not None and now is not None and until < now)


@pytest.mark.faults
def test_memory_that_a_process_may_not_have_is_told_from_other_errors() -> None:
    script = (
        "import numpy, resource, torch\n"
        "from dicom_node.retry_decision import is_out_of_memory\n"
        "limit = 8 << 30\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "for allocate in (torch.empty, numpy.empty):\n"
        "    try: allocate(1 << 34)\n"
        "    except Exception as error: assert is_out_of_memory(error), error\n"
        "    else: raise SystemExit('allocated')\n"
        "assert not is_out_of_memory(RuntimeError('x'))\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True, timeout=60)
