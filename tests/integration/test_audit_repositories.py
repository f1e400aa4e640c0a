"""Audit repositories are told everything, in order, however often they are away."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from lxml import etree
from structlog.testing import capture_logs

from dicom_node.audit_messages.forwarder import Forwarder
from dicom_node.audit_messages.kinds import KINDS
from dicom_node.audit_messages.message import AuditSource
from dicom_node.audit_messages.repository import Repository
from dicom_node.tls.profile import Credentials
from storage.audit import telling as audit_telling
from storage.audit import trail
from storage.audit.seals import seal_new
from storage.audit.trail import Action, Event
from storage.database.transactions import Database
from tests.audit_repository import Received, repository
from tests.certificates import Authority
from tests.contract.storing import NOON, after, store_study
from tests.peers import free_port, wait_until

Telling = Callable[..., AbstractContextManager[Forwarder]]
SCHEMA = etree.RelaxNG(
    etree.parse(Path(__file__).resolve().parents[1] / "schemas" / "audit-message.rng")
)

#: One database will do where the network is what is tried.
on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.at(tmp_path_factory.mktemp("tls") / "hospital")


@pytest.fixture(scope="module")
def node(authority: Authority) -> Credentials:
    return authority.issue("node")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Credentials:
    return authority.issue("arr")


@pytest.fixture
def telling(database: Database, authority: Authority, node: Credentials) -> Telling:
    """A forwarder for the length of a block, to one repository for each port."""

    @contextmanager
    def run(*ports: int, ca: Path = authority.ca, own: Credentials = node) -> Iterator[Forwarder]:
        forwarder = Forwarder(
            [
                Repository(
                    name=f"arr-{port}",
                    host="127.0.0.1",
                    port=port,
                    own=own,
                    ca=ca,
                    kinds=frozenset(KINDS),
                    timeout_s=2,
                    maximum_retry_s=0.2,
                )
                for port in ports
            ],
            database,
            AuditSource(id="ECHONODE"),
            "ECHONODE",
            poll_s=0.05,
        )
        forwarder.start()
        try:
            yield forwarder
        finally:
            forwarder.stop()

    return run


def start_node(database: Database, number: int, at_s: float = 0) -> None:
    with database.write() as tx:
        for count in range(number):
            event = Event(action=Action.NODE_STARTED, at=after(at_s + count), actor=f"p{count}")
            trail.record(tx, event)


def starts(received: Received) -> list[str]:
    """The times of the starts that were told, each message checked against the schema."""
    found = []
    for line in received.lines:
        tree = etree.fromstring(line[line.index(b"<?xml") :])
        SCHEMA.assertValid(tree)
        if tree.xpath("//EventTypeCode/@csd-code='110120'"):
            found.append(str(tree.xpath("EventIdentification/@EventDateTime")[0]))
    return found


def times(number: int, at_s: float = 0) -> list[str]:
    return [after(at_s + count).isoformat(timespec="microseconds") for count in range(number)]


def test_what_happens_is_told_in_order(
    database: Database, authority: Authority, server: Credentials, telling: Telling
) -> None:
    with repository(authority, server) as received, telling(received.port):
        start_node(database, 450)
        wait_until(lambda: len(starts(received)) == 450, 20, "all are told")
        store_study(database, instances=3)
        wait_until(lambda: any(b"110104" in line for line in received.lines), 20, "the transfer")
    assert starts(received) == times(450)
    [transfer] = [line for line in received.lines if b"110104" in line]
    assert b'ParticipantObjectID="P1"' in transfer
    assert b'NumberOfInstances="3"' in transfer


@on_sqlite
def test_a_repository_that_was_away_is_told_what_it_missed(
    database: Database,
    authority: Authority,
    server: Credentials,
    telling: Telling,
) -> None:
    port = free_port()
    with capture_logs() as logged, telling(port):
        store_study(database)
        start_node(database, 3)
        wait_until(lambda: "audit repository waits" in str(logged), 20, "it is tried")
        with repository(authority, server, port) as received:
            wait_until(lambda: starts(received) == times(3), 20, "it is told")
        start_node(database, 2, at_s=10)
    start_node(database, 2, at_s=20)
    with repository(authority, server, port) as again, telling(port):
        wait_until(lambda: len(starts(again)) == 4, 20, "the rest is told after a restart")
    assert starts(again) == times(2, at_s=10) + times(2, at_s=20)
    assert not [identity for identity in ("Doe", "ACC1", "1.2.9") if identity in str(logged)]


@on_sqlite
def test_a_repository_that_dies_with_lines_unread_is_told_again(
    database: Database, authority: Authority, server: Credentials, telling: Telling
) -> None:
    with repository(authority, server) as received:
        received.resets = 3
        start_node(database, 5)
        with telling(received.port):
            wait_until(lambda: len(starts(received)) >= 5, 20, "all are told in the end")
        assert received.connections >= 4
        assert sorted(set(starts(received))) == times(5)


@on_sqlite
def test_one_that_is_away_does_not_delay_another(
    database: Database, authority: Authority, server: Credentials, telling: Telling
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        repository(authority, server) as received,
        telling(silent.getsockname()[1], received.port),
    ):
        wait_until(lambda: cursor(database, received) is not None, 10, "it begins")
        start_node(database, 2)
        wait_until(lambda: starts(received) == times(2), 4, "it is told")


@on_sqlite
def test_nothing_is_told_to_a_stranger(
    tmp_path: Path,
    database: Database,
    authority: Authority,
    server: Credentials,
    telling: Telling,
) -> None:
    others = Authority.at(tmp_path / "elsewhere")
    start_node(database, 2)
    with repository(authority, server) as received:
        for stranger in ({"ca": others.ca}, {"own": others.issue("stranger")}):
            with capture_logs() as logged, telling(received.port, **stranger):
                wait_until(lambda logged=logged: len(logged) > 2, 10, "it is tried")
            assert cursor(database, received) == 0
        assert received.lines == []
        with telling(received.port):
            wait_until(lambda: len(starts(received)) == 2, 10, "the right one is told")


def cursor(database: Database, received: Received) -> int | None:
    with database.read() as tx:
        return audit_telling.cursor(tx, f"arr-{received.port}")


@on_sqlite
def test_a_new_repository_is_told_what_happens_from_then_on(
    database: Database, authority: Authority, server: Credentials, telling: Telling
) -> None:
    start_node(database, 2)
    seal_new(database, NOON)
    with repository(authority, server) as received, telling(received.port):
        wait_until(lambda: cursor(database, received) is not None, 10, "it begins")
        start_node(database, 1, at_s=30)
        wait_until(lambda: starts(received) == times(1, at_s=30), 10, "the new one alone")
