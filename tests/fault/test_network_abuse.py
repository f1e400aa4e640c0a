"""Peers that drop, drip, flood and lie: the listener stays small, honest senders get through."""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from dicom_node.scp.upper_layer.association_pdu import ACCEPT, tidied
from dicom_node.scp.upper_layer.waiting import MOST
from tests.fault.abused import PATIENCE_S, USUAL_DESCRIPTORS, Abused, abused
from tests.fault.fuzz.__main__ import regressions
from tests.fault.fuzz.pdu import ESTABLISHED
from tests.fault.messages import (
    ABORT,
    COMMAND,
    DATA,
    LAST,
    RELEASE_REQUEST,
    SECONDARY_CAPTURE,
    association_request,
    echo,
    fragment,
    p_data,
    store,
)
from tests.objects import write_object
from tests.peers import wait_until

#: Others are unaffected if they take no longer than this over what they take alone.
SLOWDOWN = 5
SLACK_S = 1.0
MEGABYTE = 1 << 20
#: Connections that are just coming or going.
SOME = 16
ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RP, ABORT_RQ = 2, 3, 4, 6, 7


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Abused]:
    with abused(tmp_path_factory.mktemp("abused")) as node:
        yield node
        assert "Exception in thread" not in node.log


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("honest") / "object.dcm"
    return write_object(
        path, SECONDARY_CAPTURE, str(ExplicitVRLittleEndian), pixels=bytes(MEGABYTE)
    )


@pytest.fixture(scope="module")
def alone_s(node: Abused, honest: Path) -> float:
    """How long an honest sender takes when nobody else is there."""
    return min(node.store_s(honest) for _ in range(3))


@contextmanager
def connected(node: Abused, address: str = "127.0.0.1") -> Iterator[socket.socket]:
    source = (address, 0)
    with socket.create_connection(("127.0.0.1", node.port), 10, source) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


@contextmanager
def associated(node: Abused, calling: str = "ROGUE") -> Iterator[socket.socket]:
    with connected(node) as connection:
        connection.sendall(association_request(calling))
        assert answer(connection)[0] == ASSOCIATE_AC
        yield connection


def answer(connection: socket.socket) -> bytes:
    """The next PDU; empty where the node closed the connection."""
    with contextlib.suppress(ConnectionResetError):
        head = connection.recv(6, socket.MSG_WAITALL)
        if len(head) == 6:
            return head + connection.recv(int.from_bytes(head[2:], "big"), socket.MSG_WAITALL)
    return b""


def status(response: bytes) -> int:
    """The Status (0000,0900) of a response's command set."""
    at = response.index(b"\0\0\0\x09\x02\0\0\0")
    return int(struct.unpack_from("<H", response, at + 8)[0])


def is_over(connection: socket.socket) -> bool:
    """Whether the node has ended the association: an A-ABORT, or the connection closed."""
    return answer(connection)[:1] in {b"", bytes([ABORT_RQ])}


def unaffected(node: Abused, honest: Path, alone_s: float) -> None:
    assert node.store_s(honest) < SLOWDOWN * alone_s + SLACK_S


def at_rest(node: Abused, threads: int, descriptors: int) -> None:
    """Wait until nothing is left of the abuse."""
    wait_until(
        lambda: node.threads <= threads and node.descriptors <= descriptors and not node.incoming,
        PATIENCE_S + 10,
        f"threads {node.threads}, was {threads}; files {node.descriptors}, was {descriptors}",
    )


COMMAND_SET, DATASET = store()
PHASES = {
    "at once": b"",
    "in the head of the request": association_request("ROGUE")[:3],
    "in the request": association_request("ROGUE")[:100],
    "after the request": association_request("ROGUE"),
    "in the command set": association_request("ROGUE") + COMMAND_SET[:30],
    "after the command set": association_request("ROGUE") + COMMAND_SET,
    "in the dataset": association_request("ROGUE") + COMMAND_SET + DATASET[:60],
    "before the answer": association_request("ROGUE") + COMMAND_SET + DATASET,
    "after the release": association_request("ROGUE") + RELEASE_REQUEST,
    "after an abort in the dataset": association_request("ROGUE")
    + COMMAND_SET
    + p_data((1, DATA, DATASET[12:60]))
    + ABORT,
    "after a release in the dataset": association_request("ROGUE")
    + COMMAND_SET
    + p_data((1, DATA, DATASET[12:60]))
    + RELEASE_REQUEST,
    "after garbage": bytes(range(256)) * 40,
    "after HTTP": b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
    "after TLS": bytes.fromhex("1603010200010001fc0303") + bytes(500),
}


def test_a_peer_that_drops_leaves_nothing_behind(
    node: Abused, honest: Path, alone_s: float
) -> None:
    before = node.threads, node.descriptors
    for sent in PHASES.values():
        for politely in (True, False):
            with connected(node) as connection:
                if not politely:  # a reset instead of an end
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.sendall(sent)
    unaffected(node, honest, alone_s)
    at_rest(node, *before)


def test_silent_and_dripping_connections_end(node: Abused, honest: Path, alone_s: float) -> None:
    before = node.threads, node.descriptors
    request = association_request("ROGUE")
    with ExitStack() as stack:
        silent = stack.enter_context(connected(node))
        requesting = stack.enter_context(connected(node))
        sending = stack.enter_context(associated(node))
        sending.sendall(COMMAND_SET)
        open_ones = {silent: b"", requesting: request, sending: DATASET}
        for position in range(int(3 * PATIENCE_S / 0.2)):
            for connection, data in open_ones.items():
                with contextlib.suppress(OSError):
                    connection.send(data[position : position + 1])
            time.sleep(0.2)
            if position == 5:
                unaffected(node, honest, alone_s)
        for connection in open_ones:
            connection.settimeout(PATIENCE_S / 3)  # not the end of a silence that begins only now
            assert is_over(connection)
    at_rest(node, *before)


@pytest.mark.parametrize("connects", [600, pytest.param(10_000, marks=pytest.mark.faults)])
def test_connections_that_say_nothing_are_few(
    node: Abused, honest: Path, alone_s: float, connects: int
) -> None:
    before, peak_bytes = (node.threads, node.descriptors), node.peak_bytes
    at_once = min(connects, 5_000)
    threads = descriptors = 0
    for _ in range(connects // at_once):
        with ExitStack() as stack:
            for number in range(at_once):
                stack.enter_context(connected(node, f"127.0.1.{1 + number % 4}"))
                if number % 100 == 0:
                    threads = max(threads, node.threads)
                    descriptors = max(descriptors, node.descriptors)
            unaffected(node, honest, alone_s)
    assert threads < before[0] + 2 * (MOST + SOME)
    assert descriptors < before[1] + 3 * (MOST + SOME) < USUAL_DESCRIPTORS
    assert node.peak_bytes - peak_bytes < 64 * MEGABYTE
    at_rest(node, *before)


@pytest.mark.parametrize("connects", [300, pytest.param(10_000, marks=pytest.mark.faults)])
def test_a_scanner_costs_nothing_that_lasts(
    node: Abused, honest: Path, alone_s: float, connects: int
) -> None:
    before, peak_bytes = (node.threads, node.descriptors), node.peak_bytes
    threads = 0
    for number in range(connects):
        with connected(node, "127.0.2.1"):
            pass
        if number % 50 == 0:
            threads = max(threads, node.threads)
    unaffected(node, honest, alone_s)
    assert threads < before[0] + 2 * SOME
    assert node.peak_bytes - peak_bytes < 64 * MEGABYTE
    at_rest(node, *before)


LIES = {
    "a PDU of four gigabytes": struct.pack(">BBI", 4, 0, 0xFFFFFFFF),
    "a fragment longer than its PDU": struct.pack(">BBIIB", 4, 0, 5, 1 << 30, 1),
    "a dataset before its command set": DATASET + COMMAND_SET + DATASET,
    "a command set in a dataset": COMMAND_SET + p_data((1, DATA, b"12345678")) + COMMAND_SET,
    "a dataset in another context": COMMAND_SET + p_data((3, *fragment(DATASET)[1:])),
    "a command set of a gigabyte": COMMAND_SET[:12]
    + struct.pack("<HHI", 0, 2, 1 << 30)
    + COMMAND_SET[20:]
    + DATASET,
    "a command set without end": p_data((1, COMMAND, bytes(16_000))) * 20,
    "requests without number": p_data(*[fragment(echo())] * 100),
    "a request that is none": p_data((1, COMMAND | LAST, b"nonsense")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_ends_the_association(node: Abused, lie: str) -> None:
    before, peak_bytes = (node.threads, node.descriptors), node.peak_bytes
    with associated(node) as connection:
        connection.sendall(LIES[lie])
        assert is_over(connection), "it was answered as if it were honest"
    assert node.peak_bytes - peak_bytes < 16 * MEGABYTE
    at_rest(node, *before)


def test_what_fuzzing_found_ends_the_association_or_is_put_in_order(node: Abused) -> None:
    before = node.threads, node.descriptors
    with ExitStack() as stack:
        for data in regressions("pdu"):
            opened = data[0] & 1 == ESTABLISHED
            connection = stack.enter_context(associated(node) if opened else connected(node))
            connection.sendall(data[1:])
            connection.settimeout(0.8 * PATIENCE_S)  # sooner than silence alone would end it
            first = data[1 : 7 + int.from_bytes(data[3:7], "big")]
            if tidied(first) != first:
                assert answer(connection)[:1] == bytes([ACCEPT])
            else:
                wait_until(partial(is_over, connection), what="the end")
    at_rest(node, *before)


def test_a_command_set_that_drips_without_end_is_cut_off(node: Abused) -> None:
    with associated(node) as connection, pytest.raises(OSError):
        for _ in range(200):
            connection.sendall(p_data((1, COMMAND, bytes(1000))))
            time.sleep(0.01)


def test_requests_that_do_not_wait_for_answers_are_answered_in_turn(node: Abused) -> None:
    uids = [str(generate_uid()) for _ in range(8)]
    with associated(node) as connection:
        for number, uid in enumerate(uids):
            connection.sendall(b"".join(store(uid, message_id=number % 2, pieces=3)))
        responses = [answer(connection) for _ in uids]
        assert [status(response) for response in responses] == [0] * len(uids)
        for uid, response in zip(uids, responses, strict=True):
            assert uid.encode() in response
        connection.sendall(RELEASE_REQUEST)
        assert answer(connection)[0] == RELEASE_RP


def test_two_requests_in_one_pdu_are_both_answered(node: Abused) -> None:
    uid = str(generate_uid())
    with associated(node) as connection:
        command, dataset = store(uid)
        connection.sendall(p_data(fragment(command), fragment(dataset), fragment(echo())))
        assert uid.encode() in answer(connection)
        assert status(answer(connection)) == 0


def test_a_rogue_takes_no_place_from_others(node: Abused, honest: Path, alone_s: float) -> None:
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(associated(node))
        ninth = stack.enter_context(connected(node))
        ninth.sendall(association_request("ROGUE"))
        assert answer(ninth)[0] == ASSOCIATE_RJ
        unaffected(node, honest, alone_s)
