"""A deliverer that is slow keeps its claim; one that was paused past its lease or died loses it."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from storage.audit import trail
from storage.audit.trail import Action
from tests.objects import SECONDARY_CAPTURE
from tests.outbox import Outbox
from tests.peers import process, wait_until
from tests.storescp import StoreScp, storescp

CHECKOUT = Path(__file__).resolve().parents[2]
LEASE_S = 1.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


@contextmanager
def deliverer(
    node: Outbox, port: int, log: str = "other.log", lease_s: float = LEASE_S, machine: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [node.url, str(node.spool.root), str(port), "X", str(lease_s), machine]
    command = [sys.executable, "-m", "tests.fault.deliver_process", *arguments]
    with process(command, node.folder / log, cwd=CHECKOUT) as child:
        yield child


def arrived(peer: StoreScp) -> Counter[bytes]:
    return Counter(path.read_bytes() for path in peer.files())


def test_a_send_longer_than_the_lease_keeps_its_claim(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with (
        storescp(tmp_path, "--sleep-after", "2") as peer,
        deliverer(node, peer.port, "one.log"),
        deliverer(node, peer.port, "other.log"),
    ):
        wait_until(lambda: node.states() == {"sent"}, 20, "sent")
        assert len(peer.files()) == 1
    assert node.deliveries()[0].attempt == 1


def test_the_deliveries_of_a_dead_machine_are_taken_over_once_its_lease_is_over(
    node: Outbox, tmp_path: Path
) -> None:
    """Whether a process of another machine lives cannot be seen: its lease alone tells."""
    lease_s = 4.0
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with storescp(tmp_path, "--sleep-during", "1", "--fork") as peer:
        with deliverer(node, peer.port, "dead.log", lease_s, "other-machine") as dead:
            wait_until(lambda: node.states() == {"sending"}, what="claimed")
            wait_until(peer.files, what="it is on its way")
            dead.kill()
            dead.wait()
        died = time.monotonic()
        with deliverer(node, peer.port, "living.log", lease_s):
            time.sleep(lease_s / 4)
            assert node.states() == {"sending"}
            wait_until(lambda: node.deliveries()[0].attempt == 2, 30, "taken over")
            assert time.monotonic() - died < 1.5 * lease_s
            wait_until(lambda: node.states() == {"sent"}, 20, "sent")
    assert "other-machine" not in str(node.deliveries()[0].claimed_by)


@pytest.mark.faults
def test_a_deliverer_that_wakes_up_after_its_lease_sends_nothing_more(
    node: Outbox, tmp_path: Path
) -> None:
    uids = [uid for _ in range(3) for uid in node.queue("pacs", "SC", [SECONDARY_CAPTURE])]
    with storescp(tmp_path, "--sleep-after", "1", "--fork") as peer:
        with deliverer(node, peer.port, "paused.log") as paused:
            wait_until(peer.files, what="the first object is being sent")
            with node.database.write():  # so that it is not paused with SQLite's only write lock
                paused.send_signal(signal.SIGSTOP)
            with deliverer(node, peer.port):
                wait_until(lambda: node.states() == {"sent"}, 30, "the other one sends all")
            paused.send_signal(signal.SIGCONT)
            log = node.folder / "paused.log"
            wait_until(lambda: b"claim lost" in log.read_bytes(), 10, "the claims are lost")
        received = Counter(str(dcmread(path).SOPInstanceUID) for path in peer.files())
    assert set(received) == set(uids)
    assert sorted(received.values()) in ([1, 1, 1], [1, 1, 2])  # that in flight, the same bytes
    with node.database.read() as tx:
        assert len(trail.search(tx, action=Action.DELIVERY_SENT)) == 3
