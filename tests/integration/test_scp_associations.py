"""Who is let in, and how associations end."""

import socket
import subprocess
import threading
import time
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from pynetdicom import AE

from dicom_node.errors import PortTakenError
from dicom_node.scp import Listener, ListenerConfig, PeerTable
from dicom_node.scp.associations import Associations
from dicom_node.scp.upper_layer.transport import Admission
from dicom_node.study.decision import Rules, due_by_associations
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.migrations.upgrading import upgrade
from storage.states import DueReason
from storage.studies.completeness import evidence_of
from tests.peers import free_port, listens, require, wait_until
from tests.scp_listening import Node, associated, item, listening, peer, send, store, wire

VERIFICATION = "1.2.840.10008.1.1"


def echo(node: Node, calling: str = "CART", called: str = "ECHONODE") -> str:
    command = [require("echoscu"), "-v", "-aet", calling, "-aec", called]
    done = subprocess.run(
        [*command, "127.0.0.1", str(node.port)], capture_output=True, text=True, check=False
    )
    return done.stderr


def test_echoscu_hears_success_and_the_echo_is_audited(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        assert "Received Echo Response (Success)" in echo(node)
        [event] = node.events(Action.ECHO)
        assert (event.peer, event.address) == ("cart", "127.0.0.1")
        [closed] = node.wait_for(Action.ASSOCIATION_CLOSED)
        assert closed.detail["ending"] == "released"


@pytest.mark.parametrize(
    ("calling", "called", "heard", "reason"),
    [
        ("STRANGER", "ECHONODE", "Calling AE Title Not Recognized", "calling AE title unknown"),
        ("FAR", "ECHONODE", "Calling AE Title Not Recognized", "not allowed from this address"),
        ("CART", "OTHER", "Called AE Title Not Recognized", "called AE title is not ours"),
    ],
)
def test_whoever_is_not_configured_is_rejected_and_audited(
    tmp_path: Path, calling: str, called: str, heard: str, reason: str
) -> None:
    far = peer("FAR", networks=(ip_network("10.9.9.9/32"),))
    with listening(tmp_path, peer("CART"), far) as node:
        assert heard in echo(node, calling, called)
        [event] = node.wait_for(Action.ASSOCIATION_REFUSED)
        assert reason in str(event.detail["reason"])
        assert event.detail["calling_aet"] == calling
        assert node.events(Action.ASSOCIATION_OPENED) == []


def test_titles_padded_with_nul_are_recognised(tmp_path: Path) -> None:
    ae = AE("CART\0\0\0")
    ae.add_requested_context(VERIFICATION)
    with listening(tmp_path) as node:
        association = ae.associate("127.0.0.1", node.port, ae_title="ECHONODE\0")
        assert association.is_established
        assert association.send_c_echo().Status == 0
        association.release()


def test_one_association_too_many_is_told_to_come_again(tmp_path: Path) -> None:
    one = item()
    with listening(tmp_path, maximum_associations=1) as node:
        with associated(node.port, [one]) as first:
            assert first.is_established
            assert "Local Limit Exceeded" in echo(node)
            assert int(store(first, one).Status) == 0
        wait_until(lambda: "Success" in echo(node), what="the place is free again")


def test_an_abort_is_told_from_a_lost_connection(tmp_path: Path) -> None:
    one = item()
    with listening(tmp_path) as node:
        with associated(node.port, [one]) as association:
            association.abort()
        [closed] = node.wait_for(Action.ASSOCIATION_CLOSED)
        assert closed.detail["ending"] == "aborted"
        with associated(node.port, [one]) as association:
            wire(association).shutdown(socket.SHUT_RDWR)
        _, closed = node.wait_for(Action.ASSOCIATION_CLOSED, 2)
        assert closed.detail["ending"] == "lost"


def test_a_silent_peer_is_let_go_after_the_network_timeout(tmp_path: Path) -> None:
    with (
        listening(tmp_path, network_timeout_s=0.5) as node,
        associated(node.port, [item()]) as association,
    ):
        wait_until(lambda: node.events(Action.ASSOCIATION_CLOSED), 5, "the association is closed")
        wait_until(lambda: not association.is_established, 5, "the peer hears of it")


def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    with (
        listening(tmp_path, acse_timeout_s=0.5, network_timeout_s=1) as node,
        socket.create_connection(("127.0.0.1", node.port), timeout=5) as silent,
    ):
        assert silent.recv(1) == b""


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\x00\xff\xff\xff\xff" + bytes(64),
        b"\x04\x00\x00\x00\x00\x04" + bytes(4),
        bytes(1000),
    ],
)
def test_noise_on_the_port_harms_nobody(tmp_path: Path, noise: bytes) -> None:
    with (
        listening(tmp_path, acse_timeout_s=1, network_timeout_s=1) as node,
        socket.create_connection(("127.0.0.1", node.port), timeout=5) as noisy,
    ):
        noisy.sendall(noise)
        assert send(node.port, item()) == [0]


def test_two_studies_over_eight_interleaved_associations_stay_two(tmp_path: Path) -> None:
    studies = ["1.2.3.1", "1.2.3.2"]
    items = [
        [item(StudyInstanceUID=studies[(sender + turn) % 2]) for turn in range(6)]
        for sender in range(8)
    ]
    statuses: list[list[int]] = []
    with listening(tmp_path) as node:
        senders = [
            threading.Thread(target=lambda each=each: statuses.append(send(node.port, *each)))
            for each in items
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert statuses == [[0] * 6] * 8
        assert sorted(len(study.instances) for study in node.studies()) == [24, 24]
        node.wait_for(Action.ASSOCIATION_CLOSED, 8)


def due(node: Node) -> tuple[datetime, DueReason]:
    """When and why the only study is due by its associations."""
    with node.database.read() as tx:
        return due_by_associations(evidence_of(tx, 1), Rules())


def test_a_study_is_due_soon_once_its_association_is_released(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        assert send(node.port, item()) == [0]
        node.wait_for(Action.ASSOCIATION_CLOSED)
        assert due(node)[1] == "association released"


def test_a_late_heartbeat_does_not_make_a_released_study_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = Associations._leave

    def leave_late(self: Associations, admission: Admission) -> None:
        self.touch()
        leave(self, admission)

    monkeypatch.setattr(Associations, "_leave", leave_late)
    with listening(tmp_path, heartbeat_s=60.0) as node:
        assert send(node.port, item()) == [0]
        wait_until(lambda: not node.listener._associations.open(), what="it has ended")
        assert due(node)[1] == "association released"


def test_a_long_transfer_does_not_look_like_a_quiet_study(tmp_path: Path) -> None:
    one = item()
    with (
        listening(tmp_path, peer("CART", quiet_s=1.0)) as node,
        associated(node.port, [one]) as association,
    ):
        assert int(store(association, one).Status) == 0
        before = due(node)
        for octet in b"\x04\x00\x00\x00\x10\x00":  # a PDU that trickles in
            wire(association).send(bytes([octet]))
            time.sleep(0.25)
        assert due(node) > before
        wire(association).shutdown(socket.SHUT_RDWR)
        association.abort()


def test_stop_does_not_wait_for_a_peer_that_hangs_in_the_middle_of_a_pdu(tmp_path: Path) -> None:
    with listening(tmp_path) as node, associated(node.port, [item()]) as association:
        wire(association).sendall(b"\x04\x00\x00\x00\x10\x00")
        began = time.monotonic()
        node.listener.stop(grace_s=1)
        assert time.monotonic() - began < 5
        assert len(node.events(Action.ASSOCIATION_CLOSED)) == 1
        association.abort()


def test_stop_lets_the_instance_in_flight_be_answered(tmp_path: Path) -> None:
    one = item()
    with listening(tmp_path) as node, associated(node.port, [one]) as association:
        answers = []
        sender = threading.Thread(target=lambda: answers.append(store(association, one).Status))
        sender.start()
        wait_until(node.spool_files, what="the instance begins to arrive")
        node.listener.stop(grace_s=5)
        sender.join()
        assert answers == [0]
        assert len(node.events(Action.INSTANCE_STORED)) == 1
        assert not listens(node.port)
        wait_until(lambda: association.is_aborted, what="the peer hears that we are gone")
        assert len(node.events(Action.ASSOCIATION_CLOSED)) == 1


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'node.db'}")
    upgrade(database)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = ListenerConfig(ae_title="ECHONODE", host="127.0.0.1", port=port, pipelines=())
        with pytest.raises(PortTakenError, match=str(port)):
            Listener(config, PeerTable([]), database, Spool(tmp_path / "spool")).start()
    database.close()
    assert free_port() != port
