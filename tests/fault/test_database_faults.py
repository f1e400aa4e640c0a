"""The database locked, slow, cut off, killed: a sender never hears of a success that is none.

The node is never restarted here: it has to go on by itself.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from storage import tables
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.states import JobKind
from tests import postgresql
from tests.fault.lost_answers import lossy_proxy
from tests.peers import listens, wait_until
from tests.scp_listening import ECHO_CINE, Item, Node, associated, item, listening, send, store

OUT_OF_RESOURCES = 0xA700
IMPATIENT_S = 0.5
NEVER_S = 3600.0


def require_whole(node: Node, *instances: Item) -> None:
    """Each instance has one row, one `prepare` job, one "stored" in the audit, and its file."""
    uids = {one[1] for one in instances}
    with node.database.read() as tx:
        rows = Counter(tx.scalars(select(tables.Instance.sop_instance_uid)))
        jobs = tx.scalar(
            select(func.count()).select_from(tables.Job).where(tables.Job.kind == JobKind.PREPARE)
        )
        digests = list(tx.scalars(select(tables.Instance.digest)))
        counted = tx.scalar(select(func.sum(tables.Study.instances)))
    stored = Counter(event.sop_instance_uid for event in node.events(Action.INSTANCE_STORED))
    assert rows == stored == dict.fromkeys(uids, 1)
    assert jobs == counted == len(uids)
    for digest in digests:
        node.spool.verify(digest)


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked_by_another_process(file: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        yield
        holder.communicate()


def test_sqlite_locked_by_another_process(tmp_path: Path) -> None:
    one = item(SOPClassUID=ECHO_CINE)
    database = Database(f"sqlite:///{tmp_path / 'node.db'}", busy_timeout_s=IMPATIENT_S)
    with (
        listening(tmp_path, database=database) as node,
        associated(node.port, [one]) as association,
    ):
        with locked_by_another_process(tmp_path / "node.db"):
            assert store(association, one).Status == OUT_OF_RESOURCES
        assert store(association, one).Status == 0
        require_whole(node, one)


class Server:
    """A private PostgreSQL that can be killed and started again."""

    def __init__(self, address: str) -> None:
        self.address = address
        with self.admin() as connection:
            [self.data] = connection.execute("SHOW data_directory").fetchone() or ("",)

    def admin(self) -> psycopg.Connection[tuple[str]]:
        return psycopg.connect(f"postgresql://postgres@{self.address}/postgres", autocommit=True)

    def kill(self) -> None:
        """As a power cut of its machine would, but for what the kernel still holds."""
        postmaster = int((Path(self.data) / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in (postmaster, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not listens(int(self.address.rpartition(":")[2])), what="it is gone")

    def start(self) -> None:
        # The killed one's shared memory is in use until the kernel has buried the last child.
        wait_until(self._started, what="it is up again")

    def _started(self) -> bool:
        try:
            postgresql._run("pg_ctl", "-D", self.data, "-l", "/dev/null", "-w", "start")
        except subprocess.CalledProcessError:
            return False
        return True


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql.server() as address:
        yield Server(address)


@pytest.fixture
def node(tmp_path: Path, own_postgresql_url: str) -> Iterator[Node]:
    """A node on PostgreSQL that waits half a second for a lock or a connection."""
    database = Database(own_postgresql_url, busy_timeout_s=IMPATIENT_S)
    with listening(tmp_path, database=database) as node:
        yield node


@pytest.fixture
def mortal_node(tmp_path: Path, server: Server) -> Iterator[Node]:
    """Such a node on a server that may be killed."""
    database = Database(postgresql.create(server.address), busy_timeout_s=IMPATIENT_S)
    with listening(tmp_path, database=database) as node:
        yield node


def test_postgresql_killed_and_started_again(mortal_node: Node, server: Server) -> None:
    node, one, other = mortal_node, item(SOPClassUID=ECHO_CINE), item(SOPClassUID=ECHO_CINE)
    with associated(node.port, [one]) as association:
        assert store(association, one).Status == 0
        server.kill()
        assert store(association, other).Status == OUT_OF_RESOURCES
        with associated(node.port, [one]) as second:
            assert second.is_rejected
        server.start()
        assert store(association, other).Status == 0
    assert send(node.port, one, other) == [0, 0]
    require_whole(node, one, other)


def test_postgresql_cuts_every_connection(
    node: Node, restart_postgresql: Callable[[], None]
) -> None:
    one, other = item(SOPClassUID=ECHO_CINE), item(SOPClassUID=ECHO_CINE)
    with associated(node.port, [one]) as association:
        assert store(association, one).Status == 0
        restart_postgresql()
        assert store(association, other).Status == 0
        require_whole(node, one, other)


def test_postgresql_slow_for_a_lock_held_by_another(node: Node, own_postgresql_url: str) -> None:
    one = item(SOPClassUID=ECHO_CINE)
    with associated(node.port, [one]) as association:
        with psycopg.connect(own_postgresql_url.replace("+psycopg", "")) as holder:
            holder.execute("LOCK TABLE instance IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            assert store(association, one).Status == OUT_OF_RESOURCES
            assert time.monotonic() - began < 10 * IMPATIENT_S
            holder.rollback()
        assert store(association, one).Status == 0
        require_whole(node, one)


def test_a_commit_whose_answer_is_lost_is_no_success_and_does_no_harm(
    tmp_path: Path, postgresql_server: str, own_postgresql_url: str
) -> None:
    one = item(SOPClassUID=ECHO_CINE)
    with lossy_proxy(postgresql_server) as proxy:
        through = own_postgresql_url.replace(postgresql_server, f"127.0.0.1:{proxy.port}")
        database = Database(through)
        with (
            listening(tmp_path, database=database, heartbeat_s=NEVER_S) as node,
            associated(node.port, [one]) as association,
        ):
            proxy.lose_next()
            assert store(association, one).Status == OUT_OF_RESOURCES
            require_whole(node, one)
            assert store(association, one).Status == 0
            assert len(node.events(Action.INSTANCE_DUPLICATE)) == 1
            require_whole(node, one)


@pytest.mark.long
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.faults)])
def test_postgresql_killed_while_carts_are_sending(
    mortal_node: Node, server: Server, kills: int
) -> None:
    node = mortal_node
    instances = [[item(SOPClassUID=ECHO_CINE) for _ in range(20)] for _ in range(3)]
    acknowledged: set[str] = set()
    over = threading.Event()

    def cart(own: list[Item]) -> None:
        for round_number in range(10_000):
            one = own[round_number % len(own)]
            if over.is_set():
                return
            if attempt(lambda one=one: send(node.port, one)) == [0]:  # type: ignore[misc]
                acknowledged.add(one[1])

    carts = [threading.Thread(target=cart, args=(own,)) for own in instances]
    for each in carts:
        each.start()
    for _ in range(kills):
        time.sleep(0.7)
        server.kill()
        with_none = set(acknowledged)
        time.sleep(0.3)
        server.start()
        with node.database.read() as tx:
            rows = set(tx.scalars(select(tables.Instance.sop_instance_uid)))
        assert with_none <= rows
    over.set()
    for each in carts:
        each.join()
    everything = [one for own in instances for one in own]
    assert send(node.port, *everything) == [0] * len(everything)
    require_whole(node, *everything)


def attempt(what: Callable[[], list[int]]) -> list[int]:
    """What came of it; nothing where the node let nobody in, or ended the association."""
    try:
        return what()
    except AssertionError:
        return []
