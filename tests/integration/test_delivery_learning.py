"""What a destination takes is learned from its answers, remembered, shown and forgotten."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from dicom_node.cli import cli
from dicom_node.delivery.destination import Destination
from storage.delivery import destinations
from storage.delivery.destinations import Answer
from storage.errors import DatabaseUnavailableError
from tests.objects import (
    COMPREHENSIVE,
    COMPREHENSIVE_3D,
    ENHANCED,
    EXPLICIT,
    KEY_OBJECTS,
    SECONDARY_CAPTURE,
)
from tests.outbox import Outbox, destination
from tests.peers import free_port, wait_until
from tests.receiver import Sent, receiver
from tests.storescp import PICTURES_ONLY, only, storescp

REPORTS = (COMPREHENSIVE_3D, COMPREHENSIVE, ENHANCED)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


def remembered(node: Outbox, where: Destination) -> dict[str, Answer]:
    with node.database.read() as tx:
        return destinations.recall(tx, where.name, str(where.node))


def refused_by(node: Outbox, where: Destination, sop_class: str) -> str:
    """What refuses a class; "" where nothing does, or nothing is known yet."""
    answer = remembered(node, where).get(sop_class)
    return "" if answer is None else answer.refused_by


def test_what_was_negotiated_is_remembered_and_follows_the_peer_when_it_changes(
    node: Outbox, tmp_path: Path
) -> None:
    port = free_port()
    where = destination("pacs", port)
    node.queue("pacs", "SR", REPORTS)
    with node.delivering(where):
        with storescp(tmp_path / "old", profile=only(["EnhancedSRStorage"]), port=port):
            wait_until(lambda: node.states() == {"sent"}, what="sent as Enhanced SR")
            wait_until(lambda: len(remembered(node, where)) == 3, what="learned")
        known = remembered(node, where)
        assert known[ENHANCED].transfer_syntaxes[0] == EXPLICIT
        assert {known[uid].refused_by for uid in REPORTS[:2]} == {"negotiation"}
        (best, *_) = node.queue("pacs", "SR", REPORTS)
        with storescp(tmp_path / "new", port=port):
            wait_until(lambda: node.states() == {"sent"}, what="sent as the best")
            wait_until(lambda: not remembered(node, where)[COMPREHENSIVE_3D].refused_by, what="new")
    assert node.deliveries()[0].sent_sop_instance_uid == best


@contextmanager
def unwilling(
    *refused: str, status: int = 0x0122, times: int = 1000
) -> Iterator[tuple[int, list[str]]]:
    """A receiver that negotiates every class and answers these with a status, `times` times.

    Gives its port and the classes that it was sent.
    """
    classes: list[str] = []

    def answer(sent: Sent) -> int:
        classes.append(sent.sop_class_uid)
        return status if sent.sop_class_uid in refused and len(classes) <= times else 0

    with receiver((*REPORTS, SECONDARY_CAPTURE), answer) as port:
        yield port, classes


def test_a_class_that_is_refused_after_all_gives_way_at_once_and_comes_last_from_then_on(
    node: Outbox,
) -> None:
    node.queue("pacs", "SR", REPORTS)
    with unwilling(COMPREHENSIVE_3D) as (port, sent), node.delivering(destination("pacs", port)):
        wait_until(lambda: node.states() == {"sent"}, what="sent as the next best")
        assert sent == [COMPREHENSIVE_3D, COMPREHENSIVE]
        where = destination("pacs", port)
        wait_until(lambda: refused_by(node, where, COMPREHENSIVE_3D), what="learned")
        assert refused_by(node, where, COMPREHENSIVE_3D) == "status 0x0122"
        node.queue("pacs", "SR", REPORTS)
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        assert sent[2:] == [COMPREHENSIVE]


@pytest.mark.parametrize("status", [0xA900, 0x0110, 0xC000, 0x0124])
def test_a_class_refused_by_status_gives_way_after_three_tries_and_is_remembered(
    node: Outbox, status: int
) -> None:
    node.queue("pacs", "SR", REPORTS)
    with (
        unwilling(COMPREHENSIVE_3D, status=status) as (port, sent),
        node.delivering(destination("pacs", port)),
    ):
        wait_until(lambda: node.states() == {"sent"}, what="sent as the next best")
        assert sent == [COMPREHENSIVE_3D] * 3 + [COMPREHENSIVE]
        assert node.deliveries()[0].attempt == 3
        where = destination("pacs", port)
        wait_until(lambda: refused_by(node, where, COMPREHENSIVE_3D), what="learned")
        assert refused_by(node, where, COMPREHENSIVE_3D) == f"status 0x{status:04X}"
        node.queue("pacs", "SR", REPORTS)
        wait_until(lambda: node.states() == {"sent"}, what="sent without a wait")
        assert sent[4:] == [COMPREHENSIVE_3D, COMPREHENSIVE]


def test_the_picture_goes_where_every_report_is_refused_by_status(node: Outbox) -> None:
    *_, picture = node.queue("pacs", "SR", REPORTS, beside=[("SC", SECONDARY_CAPTURE)])
    with (
        unwilling(*REPORTS, status=0xC000) as (port, sent),
        node.delivering(destination("pacs", port)),
    ):
        wait_until(lambda: node.states() == {"sent"}, what="sent as a picture")
        assert sent == [COMPREHENSIVE_3D] * 2 + [*REPORTS, SECONDARY_CAPTURE]
        assert node.deliveries()[0].sent_sop_instance_uid == picture
        # One study's report may have been the reason: the next is tried as a report again.
        node.queue("pacs", "SR", REPORTS, beside=[("SC", SECONDARY_CAPTURE)])
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        assert sent[6:] == [*REPORTS, SECONDARY_CAPTURE]


def test_trouble_that_passes_costs_no_report_its_form(node: Outbox) -> None:
    (best, *_) = node.queue("pacs", "SR", REPORTS, beside=[("SC", SECONDARY_CAPTURE)])
    with (
        unwilling(*REPORTS, status=0x0110, times=2) as (port, sent),
        node.delivering(destination("pacs", port)),
    ):
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        assert sent == [COMPREHENSIVE_3D] * 3
        where = destination("pacs", port)
        wait_until(lambda: COMPREHENSIVE_3D in remembered(node, where), what="learned")
        assert not any(item.refused_by for item in remembered(node, where).values())
    assert node.deliveries()[0].sent_sop_instance_uid == best


def test_a_destination_out_of_resources_is_waited_for(node: Outbox) -> None:
    (best, *_) = node.queue("pacs", "SR", REPORTS, beside=[("SC", SECONDARY_CAPTURE)])
    with (
        unwilling(*REPORTS, SECONDARY_CAPTURE, status=0xA700, times=6) as (port, sent),
        node.delivering(destination("pacs", port)),
    ):
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        assert sent == [COMPREHENSIVE_3D] * 7
    assert node.deliveries()[0].sent_sop_instance_uid == best


def test_a_companion_that_was_refused_is_proposed_with_the_next_report(
    node: Outbox, tmp_path: Path
) -> None:
    port = free_port()
    where = destination("pacs", port)
    node.queue("pacs", "KOS", [KEY_OBJECTS])
    with node.delivering(where):
        with storescp(tmp_path / "old", profile=only(["ComprehensiveSRStorage"]), port=port):
            wait_until(lambda: node.states() == {"failed"}, what="refused")
            wait_until(lambda: KEY_OBJECTS in remembered(node, where), what="learned")
        node.queue("pacs", "SR", REPORTS)
        with storescp(tmp_path / "new", port=port):
            wait_until(lambda: not remembered(node, where)[KEY_OBJECTS].refused_by, what="new")


def test_a_picture_goes_in_place_of_a_report_that_is_refused_in_every_form(
    node: Outbox, tmp_path: Path
) -> None:
    *_, picture = node.queue("pacs", "SR", REPORTS, beside=[("SC", SECONDARY_CAPTURE)])
    with (
        storescp(tmp_path, profile=PICTURES_ONLY) as peer,
        node.delivering(destination("pacs", peer.port)),
    ):
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        assert len(peer.files()) == 1
    (delivery,) = node.deliveries()
    assert (delivery.kind, delivery.sent_sop_instance_uid) == ("SR", picture)


def test_a_report_that_is_accepted_takes_no_picture_along(node: Outbox, tmp_path: Path) -> None:
    (report, *_) = node.queue("pacs", "SR", REPORTS, beside=[("SC", SECONDARY_CAPTURE)])
    with storescp(tmp_path) as peer, node.delivering(destination("pacs", peer.port)):
        wait_until(lambda: node.states() == {"sent"}, what="sent")
        assert len(peer.files()) == 1
    assert node.deliveries()[0].sent_sop_instance_uid == report


def test_delivery_needs_no_memory(
    node: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnavailableError("away")

    monkeypatch.setattr(destinations, "recall", away)
    monkeypatch.setattr(destinations, "remember", away)
    node.queue("pacs")
    with (
        capture_logs() as entries,
        storescp(tmp_path) as peer,
        node.delivering(destination("pacs", peer.port)),
    ):
        wait_until(lambda: node.states() == {"sent"}, what="sent")
    assert "destination not remembered" in {entry["event"] for entry in entries}


def test_the_command_shows_what_is_remembered_and_forgets_it(node: Outbox, tmp_path: Path) -> None:
    node.queue("pacs", "SR", REPORTS)
    node.queue("pacs", "KOS", [KEY_OBJECTS])
    with storescp(tmp_path, profile=only(["ComprehensiveSRStorage"])) as peer:
        settings = tmp_path / "node.toml"
        settings.write_text(
            f'[storage]\ndatabase_url = "{node.url}"\n'
            f'[[destination]]\nname = "pacs"\nhost = "127.0.0.1"\nport = {peer.port}\n'
            'ae_title = "PACS"\n'
            '[[destination]]\nname = "web"\nurl = "https://127.0.0.1:1/dicom-web"\n'
            '[[destination]]\nname = "ris"\nprotocol = "hl7"\nhost = "127.0.0.1"\nport = 1\n'
        )
        where = destination("pacs", peer.port)
        with node.delivering(where):
            wait_until(lambda: len(remembered(node, where)) == 4, what="learned")

    def asked(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["destination", *arguments, "--config", str(settings)])
        assert done.exit_code == 0, done.output
        return done.output

    pacs, web, ris = json.loads(asked("list", "--json"))
    assert pacs["accepts"] == "Comprehensive SR"
    assert pacs["refuses"] == ("Enhanced SR, Comprehensive 3D SR, Key Object Selection Document")
    assert (web["where"], ris["gets"]) == ("https://127.0.0.1:1/dicom-web", "ORU")
    doctor = CliRunner().invoke(cli, ["doctor", "--config", str(settings)])
    assert "it refuses Key Object Selection Document: enable it there" in doctor.output
    shown = json.loads(asked("show", "pacs", "--json"))
    assert {item["answer"] for item in shown} == {"accepted", "refused by negotiation"}
    assert "Explicit VR Little Endian" in asked("show", "pacs")
    assert asked("forget", "pacs") == "4 answer(s) forgotten\n"
    assert "Nothing was offered" in asked("show", "pacs")
