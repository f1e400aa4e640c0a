"""The listener as a process: what it loads, and what it needs for a large object."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.reading.browse import show_study
from storage.reading.study_list import list_studies
from tests.peers import free_port, wait_until
from tests.scp_listening import Item, associated, item, send, store

LISTENER = """
import sys
from ipaddress import ip_network
from pathlib import Path
from dicom_node import logs
from dicom_node.scp import Listener, ListenerConfig, Peer, PeerTable
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.migrations.upgrading import upgrade

logs.configure("debug")
folder, port = Path(sys.argv[1]), int(sys.argv[2])
database = Database(f"sqlite:///{folder / 'node.db'}")
upgrade(database)
cart = Peer("cart", "CART", (ip_network("127.0.0.0/8"),), frozenset({"echo", "store"}), 60.0)
config = ListenerConfig(ae_title="ECHONODE", host="127.0.0.1", port=port, pipelines=("one",))
listener = Listener(config, PeerTable([cart]), database, Spool(folder / "spool"))
listener.start()
(folder / "loaded").write_text(" ".join(sorted(sys.modules)))
sys.stdin.read()
listener.stop()
"""


@dataclass(frozen=True)
class Child:
    """A listener in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def listener(folder: Path) -> Iterator[Child]:
    """Run a listener until the block ends, or somebody kills it."""
    port = free_port()
    (folder / "loaded").unlink(missing_ok=True)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", LISTENER, str(folder), str(port)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).resolve().parents[2],
        )
        try:
            wait_until((folder / "loaded").exists, what="the listener is up")
            yield Child(process, port, folder)
        finally:
            process.communicate(timeout=30)
    assert process.returncode in (0, -signal.SIGKILL)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    with listener(tmp_path) as running:
        yield running


def peak_memory_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")
    )


def test_the_listener_loads_its_rooms_and_the_register_of_pipelines(child: Child) -> None:
    assert send(child.port, item()) == [0]
    loaded = set((child.folder / "loaded").read_text().split())
    assert "pynetdicom" in loaded
    assert loaded.isdisjoint({"torch", "highdicom", "apscheduler", "dicom_node.settings.model"})
    rooms = {name for name in loaded if name.partition(".")[0] == "inference"}
    register = {"registry", "errors", "types", "results", "earlier", "codes"}
    header = {"elements", "header", "part10", "frame_count", "frame_bytes", "codestreams"}
    known = {f"inference.{name}" for name in (*register, "dicom")}
    known |= {f"inference.dicom.{name}" for name in header}
    assert rooms <= {"inference", *known}


@pytest.mark.long
def test_memory_stays_flat_while_a_large_object_arrives(child: Child) -> None:
    one = item()
    size_bytes = 300 << 20
    announced = b"\xe0\x7f\x10\x00OB\0\0" + size_bytes.to_bytes(4, "little")
    assert send(child.port, item()) == [0]
    before = peak_memory_bytes(child.process.pid)
    pixels = os.urandom(1 << 20) * 300
    assert send(child.port, (*one[:3], one[3] + announced + pixels)) == [0]
    assert peak_memory_bytes(child.process.pid) - before < 24 << 20


def test_no_log_line_says_who_was_examined(child: Child) -> None:
    study = "1.2.777.1"
    marked = {"PatientName": "Marked^Patient", "PatientID": "MARKED-1", "StudyInstanceUID": study}
    one = item(**marked, SOPInstanceUID="1.2.777.2")
    other = item(**marked, SOPInstanceUID="1.2.777.2", AccessionNumber="MARKED-2")
    malformed = item(**marked | {"StudyInstanceUID": "1.2.777.x"}, SOPInstanceUID="1.2.777.03")
    liar = (one[0], "1.2.777.4", *one[2:])
    cut = (*one[:3], one[3][:-20])
    statuses = send(child.port, one, other, malformed, liar, cut)
    assert statuses == [0, 0x0111, 0xC000, 0xA900, 0xC000]
    wait_until(lambda: "association closed" in child.log, what="all is logged")
    assert "MARKED" not in child.log.upper()
    assert "1.2.777" not in child.log


@pytest.mark.long
def test_whatever_was_acknowledged_before_kill_9_is_on_disk_and_indexed(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    items = [item(StudyInstanceUID="1.2.3") for _ in range(500)]
    for life in range(5):
        mine = items[life * 100 : life * 100 + 100]
        before = len(acknowledged)
        with listener(tmp_path) as running:
            sender = threading.Thread(
                target=send_until_gone, args=(running.port, mine, acknowledged)
            )
            sender.start()
            wait_until(
                lambda before=before: len(acknowledged) > before, what="some are acknowledged"
            )
            time.sleep(0.07 * life)
            running.process.kill()
            sender.join()
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    spool = Spool(tmp_path / "spool")
    with database.read() as tx:
        indexed = {
            instance.sop_instance_uid: instance.digest
            for study in list_studies(tx, limit=10_000)
            for instance in show_study(tx, study.study_instance_uid).instances
        }
    database.close()
    for uid in acknowledged:
        spool.verify(indexed[uid])


def send_until_gone(port: int, items: list[Item], acknowledged: list[str]) -> None:
    """Send instance after instance; stop at the first that is not acknowledged."""
    with associated(port, items) as association:
        for one in items:
            try:
                response = store(association, one)
            except AssertionError:
                return
            if response.Status == 0:
                acknowledged.append(one[1])
