"""From the outbox to an HL7 receiver by MLLP: python-hl7's server, and what it may answer."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dicom_node.delivery.destination import Destination
from dicom_node.delivery.reaching import reach
from dicom_node.hl7.errors import Hl7UnreachableError
from dicom_node.hl7.mllp import MllpNode
from dicom_node.scu.peer import TlsTrust
from dicom_node.tls.profile import calling_context
from tests.certificates import Authority
from tests.mllp import HANG_UP, NONSENSE, SILENCE, STRANGER, ris
from tests.outbox import Outbox, destination
from tests.peers import free_port, wait_until
from tests.storescp import storescp

MESSAGE = (
    "MSH|^~\\&|echonode|ECHONODE|||20261121101530+0000||ORU^R01^ORU_R01|{id}|P|2.5.1"
    "||||||UNICODE UTF-8\rPID|1||P1||Müller^Änne^^^^^L^A\r"
)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


def hl7_destination(name: str, port: int, tls: TlsTrust | None = None) -> Destination:
    receiver = MllpNode(
        name=name,
        host="127.0.0.1",
        port=port,
        application="RIS",
        facility="Hospital & Sons",
        connect_timeout_s=1,
        response_timeout_s=1,
        tls=tls,
    )
    return Destination(name, receiver, frozenset({"ORU"}), first_retry_s=0.1, maximum_retry_s=0.3)


def codes(node: Outbox) -> set[str | None]:
    return {item.error_code for item in node.deliveries()}


def test_a_message_arrives_as_it_was_stored_but_for_its_address(
    node: Outbox, tmp_path: Path
) -> None:
    node.queue_message("ris", MESSAGE.format(id="C1"))
    with ris(tmp_path / "ris") as peer, node.delivering(hl7_destination("ris", peer.port)):
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        (message,) = peer.messages()
    assert message["MSH.F5"] == "RIS"
    assert message["MSH.F6"] == "Hospital & Sons"
    assert message["PID.F5.R1.C2"] == "Änne"
    assert [item.sent_sop_instance_uid for item in node.deliveries()] == ["C1"]
    assert [item.attempt for item in node.deliveries()] == [1]


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("AE until 2", "HL7_AE"),
        ("AR until 2", "HL7_AR"),
        (f"{STRANGER} until 2", "NO_ANSWER"),
        (f"{NONSENSE} until 2", "NO_ANSWER"),
        (f"{HANG_UP} until 2", "UNREACHABLE"),
        (f"{SILENCE} until 1", "TIMEOUT"),
    ],
)
def test_what_is_not_accepted_is_sent_again_with_the_same_control_id(
    node: Outbox, tmp_path: Path, behaviour: str, code: str
) -> None:
    node.queue_message("ris", MESSAGE.format(id="C1"))
    seen: set[str | None] = set()

    def is_sent() -> bool:
        seen.update(codes(node))
        return node.states() == {"sent"}

    with (
        ris(tmp_path / "ris", behaviour) as peer,
        node.delivering(hl7_destination("ris", peer.port)),
    ):
        wait_until(is_sent, what="sent")
        assert set(peer.raw()) == {peer.raw()[0]}
        assert len(peer.raw()) > 1
    assert code in seen


def test_two_messages_of_one_report_arrive_in_order_and_are_one_delivery(
    node: Outbox, tmp_path: Path
) -> None:
    node.queue_message("ris", MESSAGE.format(id="FORMER") + MESSAGE.format(id="NOW"), "NOW")
    with ris(tmp_path / "ris") as peer, node.delivering(hl7_destination("ris", peer.port)):
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        assert [message["MSH.F10"] for message in peer.messages()] == ["FORMER", "NOW"]


def test_a_message_never_follows_a_later_one_about_the_same_study(
    node: Outbox, tmp_path: Path
) -> None:
    """The first is refused and waits; the second is accepted; then the first is due again."""
    study = node.queue_message("ris", MESSAGE.format(id="R1"))
    port = free_port()
    receiver = hl7_destination("ris", port)
    with node.delivering(receiver):
        wait_until(lambda: codes(node) == {"UNREACHABLE"}, what="the first waits")
    node.postpone("ris", 1)
    node.queue_message("ris", MESSAGE.format(id="R2"), study_id=study, revision=2)
    with ris(tmp_path / "ris", port=port) as peer, node.delivering(receiver):
        wait_until(lambda: node.states() == {"sent", "failed"}, what="both ended")
        assert [message["MSH.F10"] for message in peer.messages()] == ["R2"]
    assert codes(node) == {None, "OVERTAKEN"}


def test_messages_go_by_tls_to_whom_is_known_and_to_nobody_else(
    node: Outbox, tmp_path: Path
) -> None:
    ours = Authority.at(tmp_path / "hospital")
    own, known = ours.issue("node"), ours.issue("ris")
    nobody = Authority.at(tmp_path / "nobody").issue("ris")
    trust = TlsTrust(context=calling_context(own, [ours.ca], checks_name=True), name="127.0.0.1")
    port = free_port()
    node.queue_message("ris", MESSAGE.format(id="C1"))
    with node.delivering(hl7_destination("ris", port, trust)):
        with ris(tmp_path / "stranger", port=port, own=nobody, ca=ours.ca) as stranger:
            wait_until(lambda: codes(node) == {"NOT_TRUSTED"}, what="not trusted")
            assert not stranger.raw()
        with ris(tmp_path / "ris", port=port, own=known, ca=ours.ca) as peer:
            wait_until(lambda: node.states() == {"sent"}, what="sent")
            assert len(peer.raw()) == 1


def test_a_receiver_that_accepts_connections_is_there(tmp_path: Path) -> None:
    with ris(tmp_path) as peer:
        there = hl7_destination("ris", peer.port).node
        assert "accepts connections" in reach(there)
    with pytest.raises(Hl7UnreachableError):
        reach(there)


def test_a_silent_receiver_delays_no_other_destination(node: Outbox, tmp_path: Path) -> None:
    node.queue_message("ris", MESSAGE.format(id="C1"))
    for _ in range(3):
        node.queue("pacs")
    with (
        ris(tmp_path / "ris", SILENCE) as peer,
        storescp(tmp_path / "pacs") as pacs,
        node.delivering(hl7_destination("ris", peer.port), destination("pacs", pacs.port)),
    ):
        started = time.monotonic()
        wait_until(lambda: node.states("pacs") == {"sent"}, 5, "the PACS got all")
        assert time.monotonic() - started < 2


def test_a_refusal_is_shown_in_the_receivers_words_and_logged_without_them(
    node: Outbox, tmp_path: Path
) -> None:
    node.queue_message("ris", MESSAGE.format(id="C1"))
    with (
        capture_logs() as entries,
        ris(tmp_path / "ris", "AE") as peer,
        node.delivering(hl7_destination("ris", peer.port)),
    ):
        wait_until(lambda: codes(node) == {"HL7_AE"}, what="refused")
    (delivery,) = node.deliveries()
    assert delivery.error_message is not None
    assert "patient Doe unknown" in delivery.error_message
    assert "Doe" not in str(entries)
