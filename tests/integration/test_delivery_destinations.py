"""From the outbox to real receivers: what arrives, what is tried again, what is given up."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from storage.delivery import outbox
from tests.objects import COMPREHENSIVE, COMPREHENSIVE_3D, ENHANCED, KEY_OBJECTS, SECONDARY_CAPTURE
from tests.orthanc import running_orthanc
from tests.outbox import Outbox, destination
from tests.peers import free_port, wait_until
from tests.receiver import Sent, receiver
from tests.storescp import PICTURES_ONLY, only, silent_port, storescp

REPORTS = (COMPREHENSIVE_3D, COMPREHENSIVE, ENHANCED)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


def test_report_picture_and_key_objects_arrive_in_orthanc(node: Outbox, tmp_path: Path) -> None:
    (best, *_), (picture,), (keys,) = (
        node.queue("pacs", "SR", REPORTS),
        node.queue("pacs", "SC", [SECONDARY_CAPTURE]),
        node.queue("pacs", "KOS", [KEY_OBJECTS]),
    )
    with (
        running_orthanc(tmp_path / "orthanc") as orthanc,
        node.delivering(destination("pacs", orthanc.dicom_port, "ORTHANC")),
    ):
        wait_until(lambda: node.states() == {"sent"}, what="all sent")
        assert sorted(orthanc.instances()) == sorted([best, picture, keys])
    assert {delivery.status for delivery in node.deliveries()} == {0}
    assert {delivery.attempt for delivery in node.deliveries()} == {1}


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (["Comprehensive3DSRStorage", "ComprehensiveSRStorage", "EnhancedSRStorage"], 0),
        (["ComprehensiveSRStorage", "EnhancedSRStorage"], 1),
        (["EnhancedSRStorage"], 2),
    ],
)
def test_the_best_accepted_class_of_a_report_is_sent_in_one_association(
    node: Outbox, tmp_path: Path, accepted: list[str], expected: int
) -> None:
    renditions = node.queue("pacs", "SR", REPORTS)
    with (
        storescp(tmp_path, profile=only(accepted)) as peer,
        node.delivering(destination("pacs", peer.port)),
    ):
        wait_until(lambda: node.states() == {"sent"}, what="sent")
    (delivery,) = node.deliveries()
    assert delivery.sent_sop_instance_uid == renditions[expected]
    assert (tmp_path / "storescp.log").read_text().count("Association Received") == 1
    assert len(peer.files()) == 1


def test_a_refused_report_fails_at_once_with_advice_and_the_picture_still_goes(
    node: Outbox, tmp_path: Path
) -> None:
    node.queue("pacs", "SR", REPORTS)
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with (
        storescp(tmp_path, profile=PICTURES_ONLY) as peer,
        node.delivering(destination("pacs", peer.port)),
    ):
        wait_until(lambda: node.states() == {"sent", "failed"}, what="both ended")
    picture, report = node.deliveries()
    assert (picture.kind, picture.state) == ("SC", "sent")
    assert (report.error_code, report.attempt) == ("SOP_CLASS_REFUSED", 1)
    assert report.error_message is not None
    assert "Comprehensive 3D SR Storage (1.2.840.10008.5.1.4.1.1.88.34)" in report.error_message
    assert "Enable one of them there for calling AE title ECHONODE" in report.error_message


def test_a_receiver_that_takes_nothing_of_the_batch_fails_it_with_advice(
    node: Outbox, tmp_path: Path
) -> None:
    node.queue("pacs", "SR", REPORTS)
    with (
        storescp(tmp_path, profile=PICTURES_ONLY) as peer,
        node.delivering(destination("pacs", peer.port)),
    ):
        wait_until(lambda: node.states() == {"failed"}, what="failed")
    (report,) = node.deliveries()
    assert report.error_code == "SOP_CLASS_REFUSED"
    assert report.error_message is not None
    assert "Enable one of them" in report.error_message


def test_a_dead_destination_delays_nobody(node: Outbox, tmp_path: Path) -> None:
    for _ in range(3):
        node.queue("dead", "SR", REPORTS)
        node.queue("silent", "SR", REPORTS)
        node.queue("live", "SR", REPORTS)
    with (
        silent_port() as silent,
        storescp(tmp_path) as peer,
        node.delivering(
            destination("dead", free_port()),
            destination("silent", silent),
            destination("live", peer.port),
        ),
    ):
        started = time.monotonic()
        wait_until(lambda: node.states("live") == {"sent"}, 5, "the live one got all")
        assert time.monotonic() - started < 2
        wait_until(lambda: codes(node, "dead") == {"UNREACHABLE"}, what="dead is known")
        wait_until(lambda: codes(node, "silent") == {"TIMEOUT"}, what="silence is known")


def codes(node: Outbox, name: str) -> set[str | None]:
    return {delivery.error_code for delivery in node.deliveries(name)}


def test_what_waited_for_a_destination_arrives_when_it_comes_back(
    node: Outbox, tmp_path: Path
) -> None:
    port = free_port()
    node.queue("pacs")
    with node.delivering(destination("pacs", port)):
        wait_until(lambda: node.deliveries()[0].attempt > 2, what="several attempts")
        with storescp(tmp_path, port=port) as peer:
            wait_until(lambda: node.states() == {"sent"}, what="sent")
            assert len(peer.files()) == 1


def test_one_success_wakes_all_that_waits_for_the_destination(node: Outbox, tmp_path: Path) -> None:
    port = free_port()
    for _ in range(3):
        node.queue("pacs")
    patient = destination("pacs", port, maximum_retry_s=600)
    with node.delivering(patient):
        wait_until(
            lambda: {item.error_code for item in node.deliveries()} == {"UNREACHABLE"},
            what="all wait",
        )
    node.postpone("pacs", 300)
    node.queue("pacs")
    with storescp(tmp_path, port=port) as peer, node.delivering(patient):
        wait_until(lambda: node.states() == {"sent"}, 10, "all sent")
        assert len(peer.files()) == 4


def test_what_is_refused_for_itself_is_not_woken_by_the_success_of_others(
    node: Outbox, tmp_path: Path
) -> None:
    (refused,) = node.queue("pacs")
    uids: list[str] = []

    def answer(sent: Sent) -> int:
        uids.append(sent.sop_instance_uid)
        return 0xC000 if sent.sop_instance_uid == refused else 0

    with (
        receiver([COMPREHENSIVE_3D], answer) as port,
        node.delivering(destination("pacs", port)),
    ):
        wait_until(lambda: node.deliveries()[0].error_code == "STATUS_0xC000", what="refused")
        node.postpone("pacs", 300)
        tried = uids.count(refused)
        node.queue("pacs")
        wait_until(lambda: node.deliveries()[0].state == "sent", what="the other is sent")
        time.sleep(0.5)
        assert uids.count(refused) == tried


def test_a_dead_letter_is_written_off_when_it_expires_and_can_be_revived(
    node: Outbox, tmp_path: Path
) -> None:
    port = free_port()
    node.queue("pacs", expires_in_s=1)
    with node.delivering(destination("pacs", port)):
        wait_until(lambda: node.states() == {"failed"}, what="written off")
        (letter,) = node.deliveries()
        assert letter.error_code == "EXPIRED"
        assert letter.error_message is not None
        assert "UNREACHABLE" in letter.error_message
        assert "connection refused" in letter.error_message
        now = datetime.now(UTC)
        with storescp(tmp_path, port=port):
            with node.database.write() as tx:
                outbox.requeue(tx, ids=[letter.id], now=now, expires_at=now + timedelta(hours=1))
            wait_until(lambda: node.states() == {"sent"}, what="sent after all")


@pytest.mark.parametrize(
    ("option", "code"),
    [("--refuse", "REJECTED"), ("--abort-during", "ABORTED"), ("--abort-after", "ABORTED")],
)
def test_a_destination_in_trouble_is_tried_again(
    node: Outbox, tmp_path: Path, option: str, code: str
) -> None:
    node.queue("pacs", "SC", [SECONDARY_CAPTURE], pixels=bytes(1_000_000))
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with storescp(tmp_path, option) as peer, node.delivering(destination("pacs", peer.port)):
        wait_until(lambda: codes(node, "pacs") == {code}, what=code)
        wait_until(lambda: all(item.attempt > 1 for item in node.deliveries()), what="again")
    assert node.states() <= {"pending", "sending"}


def test_a_slow_destination_gets_its_timeout_and_then_its_object(
    node: Outbox, tmp_path: Path
) -> None:
    port = free_port()
    node.queue("pacs")
    with node.delivering(destination("pacs", port, dimse_timeout_s=1)):
        with storescp(tmp_path / "slow", "--sleep-during", "3", port=port):
            wait_until(lambda: codes(node, "pacs") == {"TIMEOUT"}, what="timed out")
        with storescp(tmp_path / "fast", port=port) as peer:
            wait_until(lambda: node.states() == {"sent"}, what="sent")
            assert len(peer.files()) == 1


def test_a_damaged_spool_file_is_never_sent(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs", pixels=b"as it was")
    (file,) = node.spool.root.glob("objects/*/*.dcm")
    file.write_bytes(file.read_bytes().replace(b"as it was", b"flipped!!"))
    node.queue("pacs", "SC", [SECONDARY_CAPTURE])
    with storescp(tmp_path) as peer, node.delivering(destination("pacs", peer.port)):
        wait_until(lambda: node.states() == {"sent", "failed"}, what="both ended")
        assert len(peer.files()) == 1
    assert [delivery.error_code for delivery in node.deliveries()] == [None, "SPOOL_DAMAGED"]


def test_logs_tell_what_happened_and_nothing_about_patients(node: Outbox, tmp_path: Path) -> None:
    allowed = {"event", "destination", "kind", "attempt", "status", "code", "duration_s", "count"}
    node.queue("pacs", "SR", REPORTS)
    node.queue("dead", "SR", REPORTS)
    with (
        capture_logs() as entries,
        storescp(tmp_path) as peer,
        node.delivering(destination("pacs", peer.port), destination("dead", free_port())),
    ):
        wait_until(lambda: node.states("pacs") == {"sent"}, what="sent")
        wait_until(lambda: codes(node, "dead") == {"UNREACHABLE"}, what="tried again")
    events = [entry["event"] for entry in entries]
    assert {"delivery started", "delivery sent", "delivery retry", "delivery stopped"} <= set(
        events
    )
    assert set().union(*entries) <= allowed | {"delay_s", "log_level"}
    assert "1.2." not in str(entries)
    assert "TEST" not in str(entries)
