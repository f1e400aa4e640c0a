"""The contestants of the receive benchmark, each started afresh for a run and ended after it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade
from tests.benchmark.receive_workloads import Workload
from tests.orthanc import Orthanc
from tests.peers import free_port, process, require, wait_until

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def node(folder: Path, processes: int = 1) -> Iterator[tuple[int, str]]:
    """Our listener, in one process or several that share the port."""
    database = Database(f"sqlite:///{folder / 'node.db'}")
    upgrade(database)
    database.close()
    port = free_port()
    module = "tests.benchmark.receive_node"
    shared = "shared" if processes > 1 else "alone"
    with ExitStack() as running:
        for number in range(processes):
            command = [sys.executable, "-m", module, str(folder), str(port), shared, str(number)]
            running.enter_context(process(command, folder / f"log-{number}", cwd=ROOT))
        wait_until(lambda: len([*folder.glob("up-*")]) == processes, what="the node listens")
        yield port, "ECHONODE"


@contextmanager
def floor(folder: Path, options: Sequence[str] = ()) -> Iterator[tuple[int, str]]:
    """The bare socket reader."""
    port = free_port()
    kept = folder / "kept"
    kept.mkdir()
    command = [sys.executable, "-m", "tests.benchmark.receive_floor", str(kept), str(port)]
    with process([*command, *options], folder / "log", cwd=ROOT):
        wait_until(lambda: _is_bound(port), what="the floor listens")
        yield port, "FLOOR"


@contextmanager
def storescp(folder: Path, options: Sequence[str] = ()) -> Iterator[tuple[int, str]]:
    """DCMTK's storescp as it comes, with the PDU size that suits it best; it syncs nothing."""
    port = free_port()
    kept = folder / "kept"
    kept.mkdir()
    command = [require("storescp"), "--accept-all", "--max-pdu", "131072", *options]
    with process([*command, "--output-directory", str(kept), str(port)], folder / "log"):
        wait_until(lambda: _is_bound(port), what="storescp listens")
        yield port, "STORESCP"


@contextmanager
def orthanc(folder: Path) -> Iterator[tuple[int, str]]:
    """Orthanc as it comes: files synced, SQLite index."""
    peer = Orthanc(folder)
    peer.start()
    try:
        yield peer.dicom_port, peer.ae_title
    finally:
        peer.stop()


@contextmanager
def tcp_no_delay(wanted: bool) -> Iterator[None]:
    """Whether DCMTK, as sender, as storescp and inside Orthanc, sends small packets at once.

    As it comes, it does not: each object then waits for an acknowledgement that the other side
    delays. Processes started inside the block heed it.
    """
    if wanted:
        os.environ["TCP_NODELAY"] = "1"
    try:
        yield
    finally:
        os.environ.pop("TCP_NODELAY", None)


def send(workload: Workload, port: int, ae_title: str, senders: int = 1) -> float:
    """Send a workload with so many storescu at once; returns the rate in the workload's unit.

    Raises:
        RuntimeError: not every instance was answered with success.
    """
    began = time.perf_counter()
    children = [
        subprocess.Popen(
            _storescu(share, workload, port, ae_title),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for share in workload.shares(senders)
    ]
    statuses = [child.wait() for child in children]
    if any(statuses):
        raise RuntimeError(f"a sender of {workload.name} was refused")
    return workload.amount / (time.perf_counter() - began)


def _storescu(files: Sequence[Path], workload: Workload, port: int, ae_title: str) -> list[str]:
    where = ["127.0.0.1", str(port)]
    return [
        *(require("storescu"), "-aet", "STORESCU", "-aec", ae_title, *workload.options),
        *("--max-send-pdu", "131072", *where, *map(str, files)),
    ]


def _is_bound(port: int) -> bool:
    listening = f":{port:04X}"
    return any(
        line.split()[1].endswith(listening) and line.split()[3] == "0A"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
    )
