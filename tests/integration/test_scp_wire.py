"""What is done with the bytes on the wire: cut anywhere, sent all at once, malformed or missing."""

import os
import queue
import socket
import statistics
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dicom_node.scp.upper_layer.connection import ReceivingSocket
from dicom_node.scp.upper_layer.reactor import ReceivingReactor
from dicom_node.scp.upper_layer.transport import ReceivingAssociation
from storage.audit.trail import Action
from storage.states import Ending
from tests.peers import free_port, wait_until
from tests.scp_listening import associated, digest, item, listening, send


@contextmanager
def cut_into(sizes: list[int], port: int) -> Iterator[int]:
    """A proxy to a port that passes the sender's bytes on in pieces of these sizes, in turn."""

    def forward(inward: socket.socket, outward: socket.socket, pieces: list[int]) -> None:
        number = 0
        while data := inward.recv(pieces[number % len(pieces)]):
            outward.sendall(data)
            number += 1
        outward.close()

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            node = socket.create_connection(("127.0.0.1", port))
            node.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=forward, args=(node, client, [65_536]), daemon=True)
            back.start()
            try:
                forward(client, node, sizes)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("sizes", [[1, 5, 2, 7], [6], [4093], [131_078, 3]], ids=str)
def test_pdus_come_out_whole_however_the_bytes_were_cut(tmp_path: Path, sizes: list[int]) -> None:
    one = item()
    pixels = os.urandom(3000 if max(sizes) < 100 else 700_000)
    announced = b"\xe0\x7f\x10\x00OB\0\0" + len(pixels).to_bytes(4, "little")
    large = (*one[:3], one[3] + announced + pixels)
    with listening(tmp_path) as node, cut_into(sizes, node.port) as port:
        assert send(port, large, item()) == [0, 0]
        assert digest(large[3]) in node.dataset_digests()


def test_a_pdu_of_an_unheard_of_size_ends_the_connection(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        with socket.create_connection(("127.0.0.1", node.port)) as connection:
            connection.sendall(struct.pack(">BBI", 1, 0, 0xFFFFFFF0) + bytes(100))
            connection.settimeout(5)
            assert connection.recv(1) == b""
        assert send(node.port, item()) == [0]


@pytest.mark.parametrize(
    "pdu",
    [
        pytest.param(struct.pack(">BBI", 9, 0, 4) + bytes(4), id="unknown type"),
        pytest.param(struct.pack(">BBIIB", 4, 0, 5, 900, 1), id="fragment longer than its PDU"),
        pytest.param(struct.pack(">BBI", 4, 0, 3) + bytes(3), id="half a head"),
        pytest.param(struct.pack(">BBIIBB", 4, 0, 6, 2, 1, 3), id="empty command"),
    ],
)
def test_a_malformed_pdu_is_answered_with_an_abort(tmp_path: Path, pdu: bytes) -> None:
    with listening(tmp_path) as node:
        with associated(node.port, [item()]) as association:
            assert association.dul.socket is not None
            association.dul.socket.send(pdu)
            wait_until(lambda: association.is_aborted, what="the abort")
        [closed] = node.wait_for(Action.ASSOCIATION_CLOSED)
        assert closed.detail["ending"] != Ending.RELEASED
        assert send(node.port, item()) == [0]


def test_a_peer_that_falls_silent_in_the_middle_of_a_pdu_is_aborted(tmp_path: Path) -> None:
    with listening(tmp_path, network_timeout_s=1.0) as node:
        with associated(node.port, [item()]) as association:
            assert association.dul.socket is not None
            association.dul.socket.send(struct.pack(">BBI", 4, 0, 1000) + bytes(10))
            wait_until(lambda: association.is_aborted, 10, "the abort")
        node.wait_for(Action.ASSOCIATION_CLOSED)


def test_an_idle_association_sleeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    step = ReceivingReactor._step

    def counting(self: ReceivingReactor) -> None:
        nonlocal steps
        steps += 1
        step(self)

    monkeypatch.setattr(ReceivingReactor, "_step", counting)
    with listening(tmp_path) as node, associated(node.port, [item()]) as association:
        assert association.is_established
        steps = 0
        time.sleep(2)
        assert steps < 20


def test_two_listeners_share_a_port(tmp_path: Path) -> None:
    port = free_port()
    shared: dict[str, Any] = {"port": port, "shares_port": True}
    with (
        listening(tmp_path / "one", **shared) as one,
        listening(tmp_path / "two", **shared) as two,
    ):
        for _ in range(40):
            assert send(port, item()) == [0]
            if one.studies() and two.studies():
                return
        pytest.fail("one of them was never asked")


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux has TCP_QUICKACK")
def test_a_sender_that_waits_for_acknowledgements_is_not_held_up() -> None:
    """With Nagle's algorithm the second half leaves when the first is acknowledged: 40 ms late."""
    association = SimpleNamespace(dul=SimpleNamespace(event_queue=queue.Queue()))
    took_s = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        connection = ReceivingSocket(cast(ReceivingAssociation, association), server.accept()[0])
    for _ in range(40):
        began = time.perf_counter()
        for half in (struct.pack(">BBI", 4, 0, 10), bytes(10)):
            client.sendall(half)
        while not (connection.ready and connection.next_pdu()):
            connection.wait(1)
        connection.send(b"answer")
        client.recv(6)
        took_s.append(time.perf_counter() - began)
    connection.close()
    client.close()
    assert statistics.median(took_s) < 0.03
