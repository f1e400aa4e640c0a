"""The database goes away while objects are delivered: the deliverer waits for it and goes on."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage.database.transactions import Database
from tests.objects import SECONDARY_CAPTURE
from tests.outbox import Outbox, destination
from tests.peers import wait_until
from tests.storescp import storescp


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


@pytest.fixture
def impatient(node: Outbox) -> Iterator[Database]:
    """The same database, given up as unavailable after a moment of being locked."""
    database = Database(node.url, busy_timeout_s=0.1)
    yield database
    database.close()


def test_away_at_the_start(node: Outbox, impatient: Database, tmp_path: Path) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with storescp(tmp_path) as peer, ExitStack() as work:
        with node.database.write():
            work.enter_context(node.delivering(destination("pacs", peer.port), database=impatient))
            time.sleep(0.5)
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        assert len(peer.files()) == 1


def test_away_between_sending_and_writing_down(
    node: Outbox, impatient: Database, tmp_path: Path
) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with (
        storescp(tmp_path, "--sleep-during", "1") as peer,
        node.delivering(destination("pacs", peer.port), database=impatient),
    ):
        wait_until(lambda: node.states() == {"sending"}, what="claimed")
        with node.database.write():
            wait_until(peer.files, what="the object arrives")
            time.sleep(2.5)
        wait_until(lambda: node.states() == {"sent"}, what="written down after all")
        assert len(peer.files()) == 1
    assert node.deliveries()[0].attempt == 1
