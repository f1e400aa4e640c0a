"""What one peer, or one stranger, can use up: a bounded part."""

import socket
import subprocess
import threading
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path

import pytest
from pynetdicom import AE

from dicom_node import app
from dicom_node.scp.upper_layer.waiting import MOST
from dicom_node.settings.file import read_settings
from storage.audit.trail import Action
from tests.peers import free_port, require, wait_until
from tests.scp_listening import Node, associated, item, listening, peer, send

VERIFICATION = "1.2.840.10008.1.1"


def knock(port: int, calling: str) -> str:
    """What who calls by this title hears."""
    ae = AE(calling)
    ae.add_requested_context(VERIFICATION)
    association = ae.associate("127.0.0.1", port, ae_title="ECHONODE")
    if association.is_established:
        association.release()
        return "accepted"
    answer = association.acceptor.primitive
    return answer.reason_str if association.is_rejected and answer else "aborted"


def reasons(node: Node) -> set[str]:
    return {str(e.detail["reason"]) for e in node.events(Action.ASSOCIATION_REFUSED)}


def test_a_peer_with_all_its_places_taken_leaves_the_others_theirs(tmp_path: Path) -> None:
    one = item()
    greedy = peer("GREEDY", maximum_associations=1)
    with listening(tmp_path, greedy, peer("CART")) as node:
        with associated(node.port, [one], calling="GREEDY") as first:
            assert first.is_established
            assert knock(node.port, "GREEDY") == "Local limit exceeded"
            assert send(node.port, item()) == [0]
        wait_until(lambda: knock(node.port, "GREEDY") == "accepted", what="the place is free again")
        assert reasons(node) == {"too many associations of this peer"}


def test_by_default_no_peer_holds_all_places(tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "node.toml"
    file.write_text(
        f'[storage]\nlow_water_bytes = 0\n[receive]\nhost = "127.0.0.1"\nport = {port}\n'
        "maximum_associations = 4\n"
        + "".join(
            f'[[peer]]\nname = "{title}"\nae_title = "{title}"\nnetworks = ["127.0.0.0/8"]\n'
            for title in ("GREEDY", "CART")
        )
    )
    listener = app.make_listener(read_settings(file))
    listener.start()
    try:
        with ExitStack() as stack:
            for _ in range(3):
                held = stack.enter_context(associated(port, [item()], calling="GREEDY"))
                assert held.is_established
            assert knock(port, "GREEDY") == "Local limit exceeded"
            assert knock(port, "CART") == "accepted"
    finally:
        listener.stop(1)


def test_a_peer_that_calls_too_often_is_told_to_come_again(tmp_path: Path) -> None:
    hasty = peer("HASTY", associations_per_minute=3)
    with listening(tmp_path, hasty, peer("CART")) as node:
        heard = [knock(node.port, "HASTY") for _ in range(5)]
        assert heard == ["accepted"] * 3 + ["Temporary congestion"] * 2
        assert knock(node.port, "CART") == "accepted"
        wait_until(lambda: reasons(node), what="it is audited")
        assert reasons(node) == {"this peer opens associations too often"}


def test_a_stranger_that_knocks_all_day_is_one_line_of_the_audit(tmp_path: Path) -> None:
    with listening(tmp_path, peer("CART")) as node:
        for _ in range(30):
            assert knock(node.port, "STRANGER") == "Calling AE title not recognised"
        assert len(node.wait_for(Action.ASSOCIATION_REFUSED)) == 1
        node.listener.stop()
        told, counted = node.events(Action.ASSOCIATION_REFUSED)
        assert (told.detail["count"], counted.detail["count"]) == (1, 29)


def test_connections_that_say_nothing_are_bounded(tmp_path: Path) -> None:
    with listening(tmp_path, peer("CART"), acse_timeout_s=60) as node:
        before = threading.active_count()
        address = ("127.0.0.1", node.port)
        silent = [socket.create_connection(address, timeout=10) for _ in range(MOST)]
        # Who asks gets the place of who does not; a process, for select() ends at 1,024 here.
        echo = [require("echoscu"), "-aet", "CART", "-aec", "ECHONODE", "127.0.0.1", str(node.port)]
        subprocess.run(echo, check=True, timeout=30)
        assert silent[0].recv(1) == b"", "whoever said nothing longest is cut off"
        assert threading.active_count() - before <= 2 * MOST
        wait_until(lambda: reasons(node) == {"too many connections wait to be let in"})
        for connection in silent:
            connection.close()


@pytest.mark.parametrize("title", ["A\x1b[31mB", "A\nB 2026", 'A"};DROP', "<script>", "../../etc"])
def test_a_title_forges_no_line_of_log_or_audit(
    tmp_path: Path, title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not printable is dropped; the rest is a value, never a line, a path or a query."""
    far = peer("FAR", networks=(ip_network("10.9.9.9/32"),))
    with listening(tmp_path, far) as node:
        assert knock(node.port, title) == "Calling AE title not recognised"
        [event] = node.wait_for(Action.ASSOCIATION_REFUSED)
        assert str(event.detail["calling_aet"]).isprintable()
    lines = [line for line in capsys.readouterr().out.splitlines() if "refused" in line]
    assert len(lines) == 1
    assert "\x1b[31mB" not in lines[0]
