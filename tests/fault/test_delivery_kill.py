"""kill -9 of the deliverer in the middle of sending: everything arrives, each object once."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.objects import SECONDARY_CAPTURE
from tests.orthanc import running_orthanc
from tests.outbox import Outbox
from tests.peers import process, wait_until
from tests.storescp import storescp

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


@contextmanager
def deliverer(node: Outbox, port: int, ae_title: str) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [node.url, str(node.spool.root), str(port), ae_title]
    command = [sys.executable, "-m", "tests.fault.deliver_process", *arguments]
    with process(command, node.folder / "deliverer.log", cwd=CHECKOUT) as child:
        yield child


@pytest.mark.long
def test_killed_ten_times_each_object_is_in_orthanc_once(node: Outbox, tmp_path: Path) -> None:
    chance = random.Random(20261121)
    sent = [node.queue("pacs", "SC", [SECONDARY_CAPTURE], pixels=bytes(500_000)) for _ in range(60)]
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        for _ in range(10):
            before = ended(node)
            with deliverer(node, orthanc.dicom_port, "ORTHANC") as child:
                wait_until(lambda at=before: ended(node) > at or ended(node) == 60, what="progress")
                time.sleep(chance.uniform(0, 0.05))
                child.kill()
                child.wait()
        with deliverer(node, orthanc.dicom_port, "ORTHANC"):
            wait_until(lambda: node.states() == {"sent"}, 60, "all sent")
        assert sorted(orthanc.instances()) == sorted(uid for (uid,) in sent)


def ended(node: Outbox) -> int:
    return sum(delivery.state == "sent" for delivery in node.deliveries())


@pytest.mark.long
def test_killed_between_sending_and_writing_down_the_same_bytes_are_sent_again(
    node: Outbox, tmp_path: Path
) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with storescp(tmp_path, "--sleep-during", "1") as peer:
        with deliverer(node, peer.port, "X") as first:
            wait_until(lambda: node.states() == {"sending"}, what="claimed")
            with node.database.write():  # nobody else can write down anything now
                wait_until(lambda: any(map(size, peer.files())), what="the object arrived")
                time.sleep(2)  # the answer is out as well
                first.kill()
                first.wait()
        assert node.states() == {"sending"}
        with deliverer(node, peer.port, "X"):
            wait_until(lambda: node.states() == {"sent"}, what="sent")
        one, other = (path.read_bytes() for path in peer.files())
    assert one == other
    assert node.deliveries()[0].attempt == 2


def size(path: Path) -> int:
    return path.stat().st_size


def test_a_terminated_deliverer_ends_cleanly(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs")
    with storescp(tmp_path) as peer, deliverer(node, peer.port, "X") as child:
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        child.terminate()
        assert child.wait(10) == 0
