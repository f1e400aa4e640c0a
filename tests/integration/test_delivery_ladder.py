"""What was accepted is committed and read back, by real archives and through their faults."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    SecondaryCaptureImageStorage,
    Verification,
)
from sqlalchemy import func, select

from dicom_node.app.ladders import look_in
from dicom_node.commitment_messages import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    Report,
    read_request,
    report_dataset,
)
from dicom_node.delivery.climber import Climber
from dicom_node.delivery.destination import Destination
from dicom_node.delivery.ladder import Ladder, LookIn
from dicom_node.scu.association import associate
from dicom_node.scu.finding import find_instances
from dicom_node.scu.peer import RemoteNode
from dicom_node.settings.file import read_settings
from storage.audit.trail import Action, search
from storage.database.transactions import Database
from storage.delivery.listing import DeliveryView
from storage.keeping.promises import Reference
from storage.states import Rung
from storage.tables import CommitmentAsked
from tests.dcmqrscp import AE_TITLE, dcmqrscp
from tests.objects import SECONDARY_CAPTURE
from tests.orthanc import Orthanc, dicomweb, running_orthanc
from tests.outbox import Outbox, destination
from tests.peers import free_port, wait_until
from tests.scp_listening import Node, listening, peer

MAY_REPORT = frozenset({"commit"})


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


def must_climb(target: Destination, goal: Rung) -> Destination:
    return replace(target, climb_to=goal)


def looking_in(node: RemoteNode) -> LookIn:
    return lambda study, series: {
        found.sop_instance_uid for found in find_instances(node, study, series)
    }


@contextmanager
def climbing(node: Outbox, target: Destination, /, **options: Any) -> Iterator[None]:
    """The deliverer's process for one destination: it sends, and lets climb."""
    assert isinstance(target.node, RemoteNode)
    plain: dict[str, Any] = {
        "destination": target.name,
        "node": target.node,
        "archive": target.name,
        "look_in": looking_in(target.node),
        "report_timeout_s": 60.0,
        "linger_s": 0.4,
        "first_retry_s": 0.1,
        "maximum_retry_s": 0.5,
    }
    climber = Climber([Ladder(**plain | options)], node.database, poll_s=0.05)
    with node.delivering(target):
        climber.start()
        try:
            yield
        finally:
            climber.stop()


@contextmanager
def hearing(node: Outbox, title: str) -> Iterator[Node]:
    """Our listener, on the same database, for reports that come by associations of their own."""
    with listening(
        node.folder / "scp",
        peer(title, may=MAY_REPORT),
        database=Database(node.url),
        spool=node.spool,
    ) as running:
        yield running


def standing(node: Outbox) -> set[str]:
    return {delivery.standing for delivery in node.deliveries()}


def only(node: Outbox) -> DeliveryView:
    [delivery] = node.deliveries()
    return delivery


def knowing(listener: Node) -> dict[str, Any]:
    return {"modalities": {"node": ("ECHONODE", "127.0.0.1", listener.port)}}


def test_orthanc_commits_and_is_read_back(node: Outbox, tmp_path: Path) -> None:
    for _ in range(3):
        node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with (
        hearing(node, "ORTHANC") as listener,
        running_orthanc(tmp_path / "orthanc", **knowing(listener)) as orthanc,
        climbing(node, pacs(orthanc, Rung.READ_BACK)),
    ):
        wait_until(lambda: standing(node) == {"read back"}, what="read back")
    for delivery in node.deliveries():
        assert delivery.finished_at is not None
        assert delivery.committed_at is not None
        assert delivery.read_back_at is not None
        assert delivery.finished_at <= delivery.committed_at <= delivery.read_back_at
        assert "reported by orthanc" in (delivery.commitment or "")
        assert delivery.read_back == "archive pacs lists it, one of 1 in its series"
    with node.database.read() as tx:
        assert len(search(tx, action=Action.DELIVERY_READ_BACK)) == 3


def pacs(orthanc: Orthanc, goal: Rung) -> Destination:
    return must_climb(destination("pacs", orthanc.dicom_port, "ORTHANC"), goal)


def test_what_orthanc_lost_is_sent_again_and_committed_then(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with (
        hearing(node, "ORTHANC") as listener,
        running_orthanc(tmp_path / "orthanc", **knowing(listener)) as orthanc,
    ):
        target = pacs(orthanc, Rung.COMMITTED)
        with node.delivering(target):
            wait_until(lambda: node.states() == {"sent"}, what="accepted")
        uid = only(node).sent_sop_instance_uid or ""
        orthanc.lose(uid)
        with climbing(node, target):
            wait_until(lambda: standing(node) == {"committed"}, what="committed")
        assert orthanc.instances() == [uid]
    with node.database.read() as tx:
        [event] = search(tx, action=Action.DELIVERY_SENT_AGAIN)
    assert event.detail["code"] == "COMMITMENT_0x0112"


def answered(node: Outbox) -> int:
    """How often one has answered."""
    with node.database.read() as tx:
        return int(tx.scalar(select(func.count(CommitmentAsked.answered_at))) or 0)


def test_an_orthanc_restarted_before_it_reports_is_asked_again(
    node: Outbox, tmp_path: Path
) -> None:
    """Our listener is away, so Orthanc's report is lost with its process."""
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    port = free_port()
    modalities = {"node": ("ECHONODE", "127.0.0.1", port)}
    with running_orthanc(tmp_path / "orthanc", modalities=modalities) as orthanc:
        target = pacs(orthanc, Rung.COMMITTED)
        with climbing(node, target, report_timeout_s=2.5):
            wait_until(lambda: asked(node) == 1, what="asked")
            orthanc.stop()
            orthanc.start()
            with hearing_at(node, "ORTHANC", port):
                wait_until(lambda: standing(node) == {"committed"}, 30, "committed")
    assert asked(node) >= 1


@contextmanager
def hearing_at(node: Outbox, title: str, port: int) -> Iterator[Node]:
    with listening(
        node.folder / "scp",
        peer(title, may=MAY_REPORT),
        database=Database(node.url),
        spool=node.spool,
        port=port,
    ) as running:
        yield running


def asked(node: Outbox) -> int:
    """How often a destination was asked to commit something."""
    with node.database.read() as tx:
        return int(tx.scalar(select(func.count()).select_from(CommitmentAsked)) or 0)


def test_a_report_that_comes_while_nobody_climbs_still_counts(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with (
        hearing(node, "ORTHANC") as listener,
        running_orthanc(tmp_path / "orthanc", **knowing(listener)) as orthanc,
    ):
        target = pacs(orthanc, Rung.COMMITTED)
        with climbing(node, target, linger_s=0.0):
            wait_until(lambda: asked(node) == 1, what="asked")
        wait_until(lambda: answered(node) == 1, what="answered")
        with climbing(node, target):
            wait_until(lambda: standing(node) == {"committed"}, what="committed")
    assert asked(node) == 1


def test_an_archive_without_commitment_stalls_with_advice(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with dcmqrscp(tmp_path / "qr") as archive:
        target = must_climb(destination("pacs", archive.port, AE_TITLE), Rung.COMMITTED)
        with climbing(node, target):
            wait_until(
                lambda: standing(node) == {"accepted; given up waiting for storage commitment"},
                what="stalled",
            )
    stalled = only(node)
    assert stalled.climb_error_code == "NO_STORAGE_COMMITMENT"
    assert "enable the Storage Commitment Push Model there" in (stalled.climb_error_message or "")


def test_an_archive_without_commitment_is_read_back_all_the_same(
    node: Outbox, tmp_path: Path
) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with dcmqrscp(tmp_path / "qr") as archive:
        target = must_climb(destination("pacs", archive.port, AE_TITLE), Rung.READ_BACK)
        with climbing(node, target):
            wait_until(lambda: standing(node) == {"read back"}, what="read back")
    assert only(node).commitment == "the destination offers no storage commitment"


def test_what_dicomweb_names_is_read_back_by_qido(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with running_orthanc(tmp_path / "orthanc", **dicomweb()) as orthanc:
        (tmp_path / "node.toml").write_text(
            f'[[archive]]\nname = "web"\nurl = "http://127.0.0.1:{orthanc.http_port}/dicom-web"\n'
        )
        settings = read_settings(tmp_path / "node.toml", {})
        with climbing(
            node,
            pacs(orthanc, Rung.READ_BACK),
            node=None,
            archive="web",
            look_in=look_in(settings, settings.archive[0]),
        ):
            wait_until(lambda: standing(node) == {"read back"}, what="read back")
    assert only(node).read_back == "archive web lists it, one of 1 in its series"


class Archive:
    """An SCP that stores, and commits in its own way: on the line, or not at all."""

    def __init__(self, *, reasons: Sequence[int | None] = (None,), says: str = "") -> None:
        self.port = free_port()
        self.requests: list[list[Reference]] = []
        self._reasons = list(reasons)
        self._says = says

    @contextmanager
    def running(self) -> Iterator["Archive"]:
        entity = AE("PACS")
        entity.add_supported_context(Verification)
        entity.add_supported_context(SecondaryCaptureImageStorage)
        entity.add_supported_context(PUSH_MODEL)
        server = entity.start_server(
            ("127.0.0.1", self.port),
            block=False,
            evt_handlers=[
                (evt.EVT_C_STORE, lambda _: 0x0000),
                (evt.EVT_N_ACTION, self._on_action),
            ],
        )
        try:
            yield self
        finally:
            assert server is not None
            server.shutdown()

    def _on_action(self, event: evt.Event) -> tuple[int, Dataset | None]:
        uid, references = read_request(event.action_information)
        self.requests.append(references)
        reason = self._reasons.pop(0) if len(self._reasons) > 1 else self._reasons[0]
        committed = tuple(references) if reason is None else ()
        failed = {} if reason is None else dict.fromkeys(references, reason)
        if self._says != "nothing":
            report = Report(uid, committed, failed)
            event.assoc.bind(evt.EVT_DIMSE_SENT, _AfterAnswer(report).on_sent)
        return 0x0000, None


class _AfterAnswer:
    """Reports on the association that asked, once the request is answered."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_sent(self, event: evt.Event) -> None:
        if type(event.message).__name__ != "N_ACTION_RSP":
            return
        event.assoc.unbind(evt.EVT_DIMSE_SENT, self.on_sent)
        Thread(target=self._send, args=(event.assoc,), daemon=True).start()

    def _send(self, association: Any) -> None:
        time.sleep(0.1)
        association.send_n_event_report(
            report_dataset(self._report),
            self._report.event_type,
            PUSH_MODEL,
            PUSH_MODEL_INSTANCE,
        )


def test_a_report_on_the_association_that_asked_is_heard(node: Outbox) -> None:
    for _ in range(2):
        node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with Archive().running() as archive:
        target = must_climb(destination("pacs", archive.port), Rung.COMMITTED)
        with climbing(node, target):
            wait_until(lambda: standing(node) == {"committed"}, what="committed")
    assert "reported by pacs" in (node.deliveries()[0].commitment or "")


def test_a_passing_failure_is_asked_about_again(node: Outbox) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with Archive(reasons=[0x0110, 0x0213, None]).running() as archive:
        target = must_climb(destination("pacs", archive.port), Rung.COMMITTED)
        with climbing(node, target):
            wait_until(lambda: standing(node) == {"committed"}, what="committed")
    assert len(archive.requests) == 3


def test_what_an_archive_always_loses_is_not_sent_for_ever(node: Outbox) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with Archive(reasons=[0x0112]).running() as archive:
        target = must_climb(destination("pacs", archive.port), Rung.COMMITTED)
        with climbing(node, target):
            wait_until(
                lambda: standing(node) == {"accepted; given up waiting for storage commitment"},
                what="stalled",
            )
            time.sleep(0.5)
    assert len(archive.requests) == 4
    assert "though it was sent again 3 times" in (only(node).climb_error_message or "")


def test_an_archive_that_never_reports_is_asked_until_the_climb_expires(node: Outbox) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with Archive(says="nothing").running() as archive:
        target = must_climb(destination("pacs", archive.port), Rung.COMMITTED)
        with climbing(node, replace(target, maximum_age_s=2.0), report_timeout_s=0.8):
            wait_until(
                lambda: standing(node) == {"accepted; given up waiting for storage commitment"},
                what="stalled",
            )
    assert only(node).climb_error_code == "NO_COMMITMENT_REPORT"
    assert 2 <= len(archive.requests) <= 4
    assert "never reported" in (only(node).climb_error_message or "")


def test_whom_we_did_not_ask_cannot_report(node: Outbox) -> None:
    with hearing(node, "ORTHANC") as listener:
        remote = RemoteNode("node", "127.0.0.1", listener.port, "ECHONODE", "ORTHANC")
        report = Report("2.25.404", (Reference(SECONDARY_CAPTURE, "2.25.1"),), {})
        assert told(remote, report) == 0x0115


def told(remote: RemoteNode, report: Report) -> int:
    role = build_role(PUSH_MODEL, scp_role=True)
    with associate(remote, [build_context(PUSH_MODEL)], [role]) as association:
        status, _ = association.pynetdicom.send_n_event_report(
            report_dataset(report), report.event_type, PUSH_MODEL, PUSH_MODEL_INSTANCE
        )
        return int(status.Status)
