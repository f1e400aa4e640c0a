"""Peers ask the node for storage commitment, and hear what it holds, on whichever association."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association

from dicom_node.commitment_messages import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    Report,
    read_report,
    request_dataset,
)
from dicom_node.delivery.commitment_reports import CommitmentReports
from dicom_node.scu.peer import RemoteNode, TlsTrust
from dicom_node.tls.profile import calling_context, listening_context
from storage.audit.trail import Action
from storage.keeping import purge
from storage.keeping.promises import FailureReason, Reference
from tests.certificates import Authority
from tests.orthanc import Orthanc, running_orthanc
from tests.peers import free_port, wait_until
from tests.scp_listening import Item, Node, item, listening, peer, send

RIGHTS = frozenset({"echo", "store", "commit"})
UID = "2.25.1"


def cart(**changes: Any) -> Any:
    return peer("CART", may=RIGHTS, **changes)


class Cart:
    """A cart that asks for commitment and writes down what it hears."""

    def __init__(self, port: int, status: int = 0x0000) -> None:
        self.port = port
        self.heard: list[Report] = []
        self.roles: list[bool | None] = []
        self._status = status

    def ask(self, references: list[Reference], uid: str = UID, linger_s: float = 0.0) -> int:
        """The status of the N-ACTION; stays on the line for a report for so long."""
        before = len(self.heard)
        with self.associated() as association:
            status, _ = association.send_n_action(
                request_dataset(uid, references), 1, PUSH_MODEL, PUSH_MODEL_INSTANCE
            )
            deadline = time.monotonic() + linger_s
            while len(self.heard) == before and time.monotonic() < deadline:
                time.sleep(0.01)
        return int(status.Status)

    @contextmanager
    def associated(self) -> Iterator[Association]:
        association = AE("CART").associate(
            "127.0.0.1",
            self.port,
            [build_context(PUSH_MODEL)],
            "ECHONODE",
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._hear)],
        )
        assert association.is_established
        try:
            yield association
        finally:
            association.release()

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        """Hear reports on associations that the node opens, as the SCU that it asked as."""
        entity = AE("CART")
        entity.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
        server = entity.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self._hear)]
        )
        try:
            yield
        finally:
            assert server is not None
            server.shutdown()

    def _hear(self, event: evt.Event) -> tuple[int, Dataset | None]:
        report = read_report(event.event_information)
        assert event.event_type == report.event_type
        self.roles.append(event.assoc.accepted_contexts[0].as_scu)
        self.heard.append(report)
        return self._status, None


@contextmanager
def reporting(node: Node, port: int, **options: Any) -> Iterator[None]:
    """What the deliverer's process does for a cart that is called back."""
    remote = RemoteNode("cart", "127.0.0.1", port, "CART", "ECHONODE", connect_timeout_s=1)
    reports = CommitmentReports(
        {"cart": remote}, node.database, node.spool, first_retry_s=0.1, **options
    )
    reports.start()
    try:
        yield
    finally:
        reports.stop()


def reference(one: Item) -> Reference:
    return Reference(one[0], one[1])


def test_a_cart_that_stays_on_the_line_hears_it_there(tmp_path: Path) -> None:
    one, never = item(), item()
    with listening(tmp_path, cart()) as node:
        assert send(node.port, one) == [0]
        asking = Cart(node.port)
        assert asking.ask([reference(one), reference(never)], linger_s=5) == 0
        node.wait_for(Action.COMMITMENT_REPORTED)
    [report] = asking.heard
    assert report.transaction_uid == UID
    assert report.committed == (reference(one),)
    assert dict(report.failed) == {reference(never): FailureReason.NO_SUCH_INSTANCE}


def test_who_left_the_line_too_early_asks_again_and_hears_it(tmp_path: Path) -> None:
    one = item()
    with listening(tmp_path, cart()) as node:
        send(node.port, one)
        asking = Cart(node.port)
        asking.ask([reference(one)])
        asking.heard.clear()
        assert asking.ask([reference(one)], linger_s=5) == 0
        node.wait_for(Action.COMMITMENT_REPORTED)
    assert [report.committed for report in asking.heard] == [(reference(one),)]


def test_a_cart_is_called_back_as_the_scu_that_it_was(tmp_path: Path) -> None:
    one = item()
    port = free_port()
    with listening(tmp_path, cart(is_called_back=True)) as node:
        send(node.port, one)
        asking = Cart(node.port)
        with asking.listening(port), reporting(node, port):
            assert asking.ask([reference(one)]) == 0
            node.wait_for(Action.COMMITMENT_REPORTED)
    assert [report.committed for report in asking.heard] == [(reference(one),)]
    assert asking.roles == [True]


def test_a_cart_that_is_away_is_called_again(tmp_path: Path) -> None:
    one = item()
    port = free_port()
    with listening(tmp_path, cart(is_called_back=True)) as node:
        send(node.port, one)
        asking = Cart(node.port)
        with reporting(node, port, maximum_retry_s=0.3):
            asking.ask([reference(one)])
            time.sleep(0.7)
            with asking.listening(port):
                node.wait_for(Action.COMMITMENT_REPORTED)
    assert len(asking.heard) == 1


def test_a_report_that_was_refused_is_sent_again(tmp_path: Path) -> None:
    one = item()
    port = free_port()
    with listening(tmp_path, cart(is_called_back=True)) as node:
        send(node.port, one)
        unwilling = Cart(node.port, status=0x0110)
        with unwilling.listening(port), reporting(node, port, maximum_retry_s=0.2):
            unwilling.ask([reference(one)])
            wait_until(lambda: len(unwilling.heard) >= 2, what="reported twice")
        assert node.events(Action.COMMITMENT_REPORTED) == []


def test_what_was_purged_meanwhile_is_not_claimed_to_be_held(tmp_path: Path) -> None:
    one, kept = item(), item()
    port = free_port()
    with listening(tmp_path, cart(is_called_back=True)) as node:
        send(node.port, one, kept)
        asking = Cart(node.port)
        asking.ask([reference(one), reference(kept)])
        with node.database.write() as tx:
            purge.purge_study(
                tx, 1, actor="admin", reason="asked to", now=datetime.now(UTC), force=True
            )
        with asking.listening(port), reporting(node, port):
            node.wait_for(Action.COMMITMENT_REPORTED)
    assert [report.committed for report in asking.heard] == [(reference(kept),)]


def test_who_may_not_ask_is_refused(tmp_path: Path) -> None:
    with listening(tmp_path, peer("CART")) as node:
        assert Cart(node.port).ask([reference(item())]) == 0x0124
        assert node.events(Action.COMMITMENT_REQUESTED) == []


Spoil = Callable[[Association], int]


def act(dataset: Dataset, action: int = 1, instance: str = PUSH_MODEL_INSTANCE) -> Spoil:
    def send_it(association: Association) -> int:
        status, _ = association.send_n_action(dataset, action, PUSH_MODEL, instance)
        return int(status.Status)

    return send_it


def tell(dataset: Dataset, event: int = 1) -> Spoil:
    def send_it(association: Association) -> int:
        status, _ = association.send_n_event_report(dataset, event, PUSH_MODEL, PUSH_MODEL_INSTANCE)
        return int(status.Status)

    return send_it


ONE = [Reference("1.2.840.10008.5.1.4.1.1.7", "2.25.7")]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (act(request_dataset(UID, ONE), instance="2.25.404"), 0x0112),
        (act(request_dataset(UID, ONE), action=2), 0x0123),
        (act(request_dataset(UID, [])), 0x0115),
        (act(request_dataset("", ONE)), 0x0115),
        (tell(request_dataset("2.25.404", ONE)), 0x0115),
        (tell(request_dataset(UID, ONE), event=3), 0x0113),
    ],
    ids=["instance", "action", "nothing", "no transaction", "not asked", "event"],
)
def test_what_makes_no_sense_is_refused_with_its_status(
    tmp_path: Path, message: Spoil, status: int
) -> None:
    with listening(tmp_path, cart()) as node, Cart(node.port).associated() as association:
        assert message(association) == status
        assert association.is_established


def test_a_cart_is_called_back_by_tls(tmp_path: Path) -> None:
    hospital = Authority.at(tmp_path / "hospital")
    ours, carts = hospital.issue("node"), hospital.issue("cart")
    one, port = item(), free_port()
    heard = threading.Event()
    entity = AE("CART")
    entity.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)

    def hear(_: evt.Event) -> tuple[int, None]:
        heard.set()
        return 0, None

    server = entity.start_server(
        ("127.0.0.1", port),
        block=False,
        ssl_context=listening_context(carts, [hospital.ca]).current(),
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)],
    )
    context = calling_context(ours, [hospital.ca], checks_name=True)
    trust = TlsTrust(context=context, name="127.0.0.1")
    remote = RemoteNode("cart", "127.0.0.1", port, "CART", "ECHONODE", tls=trust)
    with listening(tmp_path, cart(is_called_back=True)) as node:
        send(node.port, one)
        Cart(node.port).ask([reference(one)])
        reports = CommitmentReports({"cart": remote}, node.database, node.spool)
        reports.start()
        try:
            assert heard.wait(10)
            node.wait_for(Action.COMMITMENT_REPORTED)
        finally:
            reports.stop()
            assert server is not None
            server.shutdown()


@pytest.fixture
def orthanc_asks(tmp_path: Path) -> Iterator[tuple[Node, Orthanc]]:
    """A node, and an Orthanc beside it that may ask it and is called back."""
    rights = peer("ORTHANC", may=RIGHTS, is_called_back=True)
    with (
        listening(tmp_path, cart(), rights) as node,
        running_orthanc(
            tmp_path / "orthanc", modalities={"node": ("ECHONODE", "127.0.0.1", node.port)}
        ) as orthanc,
    ):
        yield node, orthanc


@contextmanager
def reporting_to(node: Node, orthanc: Orthanc) -> Iterator[None]:
    remote = RemoteNode("orthanc", "127.0.0.1", orthanc.dicom_port, "ORTHANC", "ECHONODE")
    reports = CommitmentReports(
        {"orthanc": remote}, node.database, node.spool, first_retry_s=0.1, maximum_retry_s=0.5
    )
    reports.start()
    try:
        yield
    finally:
        reports.stop()


def test_orthanc_asks_and_hears_what_is_held(orthanc_asks: tuple[Node, Orthanc]) -> None:
    node, orthanc = orthanc_asks
    one, never = item(), item()
    send(node.port, one)
    asked = orthanc.ask_for_commitment("node", [reference(one), reference(never)])
    assert orthanc.commitment(asked)["Status"] == "Pending"
    with reporting_to(node, orthanc):
        wait_until(lambda: orthanc.commitment(asked)["Status"] != "Pending", what="told")
    told = orthanc.commitment(asked)
    assert told["Status"] == "Failure"
    assert [each["SOPInstanceUID"] for each in told["Success"]] == [one[1]]
    [failure] = told["Failures"]
    assert failure["SOPInstanceUID"] == never[1]
    assert failure["Description"].endswith("was not available")


def test_an_orthanc_that_is_away_is_told_when_it_is_back(
    orthanc_asks: tuple[Node, Orthanc],
) -> None:
    node, orthanc = orthanc_asks
    one = item()
    send(node.port, one)
    orthanc.ask_for_commitment("node", [reference(one)])
    orthanc.stop()
    with reporting_to(node, orthanc):
        time.sleep(0.5)
        orthanc.start()
        node.wait_for(Action.COMMITMENT_REPORTED)
