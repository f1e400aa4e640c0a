"""A stop finishes what is in flight or hands it back, and takes no longer than it may."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.objects import SECONDARY_CAPTURE
from tests.outbox import Outbox, destination
from tests.peers import wait_until
from tests.storescp import silent_port, storescp


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


def test_the_object_in_flight_is_finished_and_the_rest_handed_back(
    node: Outbox, tmp_path: Path
) -> None:
    for _ in range(4):
        node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with (
        storescp(tmp_path, "--sleep-after", "1") as peer,
        node.delivering(destination("pacs", peer.port)) as deliverer,
    ):
        wait_until(lambda: "sent" in node.states(), what="the first one sent")
        deliverer.stop(grace_s=5)
    assert node.states() == {"sent", "pending"}
    assert {item.attempt for item in node.deliveries() if item.state == "pending"} == {0}


def test_a_send_that_does_not_end_is_cut_off_and_handed_back(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with (
        storescp(tmp_path, "--sleep-during", "20") as peer,
        node.delivering(destination("pacs", peer.port, dimse_timeout_s=60)) as deliverer,
    ):
        wait_until(lambda: "Association Received" in log_of(tmp_path), what="sending")
        time.sleep(0.3)
        started = time.monotonic()
        deliverer.stop(grace_s=0.5)
        assert time.monotonic() - started < 4
        (delivery,) = node.deliveries()
    assert (delivery.state, delivery.attempt, delivery.claimed_by) == ("pending", 0, None)


def log_of(folder: Path) -> str:
    return (folder / "storescp.log").read_text()


def test_a_peer_that_never_answers_the_association_holds_no_stop_up(node: Outbox) -> None:
    node.queue("pacs")
    with silent_port() as port, node.delivering(destination("pacs", port)) as deliverer:
        wait_until(lambda: node.states() == {"sending"}, what="sending")
        started = time.monotonic()
        deliverer.stop(grace_s=0.2)
        assert time.monotonic() - started < 3
    assert node.states() == {"pending"}
