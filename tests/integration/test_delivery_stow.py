"""From the outbox to DICOMweb services: Orthanc's, and one that answers whatever it is told to."""

import base64
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from dicom_node.delivery.destination import Destination
from dicom_node.delivery.reaching import reach
from dicom_node.dicomweb.errors import WebUnreachableError
from dicom_node.dicomweb.session import WebService
from dicom_node.tls.profile import listening_context
from storage.delivery.listing import DeliveryView
from tests.certificates import Authority
from tests.objects import COMPREHENSIVE, COMPREHENSIVE_3D, SECONDARY_CAPTURE
from tests.orthanc import running_orthanc
from tests.outbox import Outbox, destination
from tests.peers import free_port, wait_until
from tests.storescp import silent_port, storescp
from tests.web_pacs import Reply, Request, failed, listed, stored, warned, web_pacs

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Outbox]:
    node = Outbox(tmp_path)
    yield node
    node.close()


def web_destination(name: str, url: str, **more: Any) -> Destination:
    service = WebService(name=name, url=url, connect_timeout_s=1, timeout_s=1, **more)
    return Destination(name, service, first_retry_s=0.1, maximum_retry_s=0.3)


def uid_in(request: Request, candidates: tuple[str, ...]) -> str:
    """Which of the objects a request carries."""
    return next(uid for uid in candidates if uid.encode() in request.body)


def delivered(
    node: Outbox, answer: Callable[[Request], Reply], until: set[str], **more: Any
) -> tuple[DeliveryView, list[Request]]:
    """Deliver what is queued for "web" to a service that answers so; its first delivery."""
    with (
        web_pacs(answer) as pacs,
        node.delivering(web_destination("web", pacs.url, **more)),
    ):
        wait_until(lambda: node.states() <= until, what=f"{until}")
        return node.deliveries()[0], pacs.requests


def test_report_and_picture_arrive_in_orthanc(node: Outbox, tmp_path: Path) -> None:
    if not PLUGIN.exists():
        pytest.skip("Orthanc's DICOMweb plugin is not installed")
    (report,) = node.queue("web", "SR")
    (picture,) = node.queue("web", "SC", [SECONDARY_CAPTURE])
    web = {"Enable": True, "Root": "/dicom-web/"}
    with running_orthanc(tmp_path, Plugins=[str(PLUGIN)], DicomWeb=web) as orthanc:
        url = f"http://127.0.0.1:{orthanc.http_port}/dicom-web"
        with node.delivering(web_destination("web", url)):
            wait_until(lambda: node.states() == {"sent"}, what="all sent")
        assert sorted(orthanc.instances()) == sorted([report, picture])


def test_an_object_is_sent_as_the_standard_has_it_with_the_password(node: Outbox) -> None:
    node.queue("web")
    _, [request] = delivered(node, lambda _: Reply(), {"sent"}, user="node", password="né")
    assert request.path == "/dicom-web/studies"
    assert 'multipart/related; type="application/dicom"' in request.headers["content-type"]
    assert request.headers["accept"] == "application/dicom+json"
    assert request.headers["authorization"] == (
        f"Basic {base64.b64encode('node:né'.encode()).decode()}"
    )
    head, _, content = request.body.partition(b"\r\n\r\n")
    assert head.endswith(b"Content-Type: application/dicom")
    assert content[128:132] == b"DICM"


def test_a_token_is_shown_instead_where_one_is_given(node: Outbox) -> None:
    node.queue("web")
    _, [request] = delivered(node, lambda _: Reply(), {"sent"}, bearer_token="secret")
    assert request.headers["authorization"] == "Bearer secret"


XML = (
    '<?xml version="1.0"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/'
    'NativeDICOM"><DicomAttribute tag="{sequence}" vr="SQ"><Item number="1">'
    '<DicomAttribute tag="00081155" vr="UI"><Value number="1">{uid}</Value></DicomAttribute>'
    '<DicomAttribute tag="{tag}" vr="US"><Value number="1">{reason}</Value></DicomAttribute>'
    "</Item></DicomAttribute></NativeDicomModel>"
)


def xml(sequence: str, uid: str, tag: str, reason: int) -> bytes:
    return XML.format(sequence=sequence, uid=uid, tag=tag, reason=reason).encode()


def others(uid: str) -> dict[str, Any]:
    """A failure that is about no instance (Other Failures Sequence)."""
    return {"0008119A": failed(uid, 0x0110)["00081198"]}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (lambda uid: Reply(200, stored(uid)), 0),
        (lambda uid: Reply(200, [stored(uid)]), 0),
        (lambda uid: Reply(201, stored(uid)), 0),
        (lambda _: Reply(201, b""), 0),
        (lambda uid: Reply(202, warned(uid, 0xB007)), 0xB007),
        (lambda uid: Reply(200, warned(uid, 0xB000)), 0xB000),
        (lambda uid: Reply(200, stored(uid) | others(uid)), 0),
        (lambda uid: Reply(200, xml("00081199", uid, "00081196", 0xB006)), 0xB006),
    ],
)
def test_what_is_stored_is_sent_with_its_status(
    node: Outbox, reply: Callable[[str], Reply], expected: int
) -> None:
    uids = node.queue("web")
    delivery, _ = delivered(node, lambda _: reply(uids[0]), {"sent"})
    assert delivery.status == expected


LOGIN_PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (lambda uid: Reply(202, failed(uid, 0xA700)), "STATUS_0xA700"),
        (lambda uid: Reply(200, failed(uid, 0xC000)), "STATUS_0xC000"),
        (lambda uid: Reply(200, failed(uid, 45071)), "STATUS_0xB00F"),
        (lambda uid: Reply(200, failed(uid, 0xB000)), "STATUS_0xB000"),
        (lambda uid: Reply(201, failed(uid, 0xB000)), "STATUS_0xB000"),
        (lambda uid: Reply(200, failed(uid, 0x0111)), "STATUS_0x0111"),
        (lambda uid: Reply(200, failed("1.2.3", 0xA700) | stored(uid)), "STATUS_0xA700"),
        (lambda uid: Reply(200, [stored(uid), failed(uid, 0xA700)]), "STATUS_0xA700"),
        (lambda uid: Reply(200, others(uid)), "STATUS_0x0110"),
        (lambda uid: Reply(200, xml("00081198", uid, "00081197", 45071)), "STATUS_0xB00F"),
        (lambda uid: Reply(409, failed(uid, 0)), "STATUS_0x0110"),
        (lambda uid: Reply(409, stored(uid)), "HTTP_409"),
        (lambda _: Reply(409, b"conflict"), "HTTP_409"),
        (lambda _: Reply(200, stored("1.2.3")), "NO_ANSWER"),
        (lambda _: Reply(200, b""), "NO_ANSWER"),
        (lambda _: Reply(200, {}), "NO_ANSWER"),
        (lambda _: Reply(200, []), "NO_ANSWER"),
        (lambda _: Reply(200, b"OK"), "NO_ANSWER"),
        (lambda _: Reply(200, b"<xml/>"), "NO_ANSWER"),
        (lambda _: Reply(200, LOGIN_PAGE), "NO_ANSWER"),
        (lambda _: Reply(202, b""), "NO_ANSWER"),
        (lambda _: Reply(204, b""), "NO_ANSWER"),
        (lambda _: Reply(400), "HTTP_400"),
        (lambda _: Reply(401), "HTTP_401"),
        (lambda _: Reply(500), "HTTP_500"),
        (lambda _: Reply(307, headers={"Location": "http://127.0.0.1:1/elsewhere"}), "HTTP_307"),
    ],
)
def test_a_failure_is_named_and_tried_again_until_it_is_stored(
    node: Outbox, reply: Callable[[str], Reply], code: str
) -> None:
    uids = node.queue("web")
    seen: set[str | None] = set()

    def answer(_: Request) -> Reply:
        return Reply() if code in seen else reply(uids[0])

    def is_sent() -> bool:
        seen.add(node.deliveries()[0].error_code)
        return node.states() == {"sent"}

    with web_pacs(answer) as pacs, node.delivering(web_destination("web", pacs.url)):
        wait_until(is_sent, what=code)
    assert code in seen


def test_an_answer_that_is_no_word_on_the_object_says_where_to_look(node: Outbox) -> None:
    node.queue("web", expires_in_s=0.1)
    delivery, _ = delivered(node, lambda _: Reply(200, LOGIN_PAGE), {"failed"})
    assert "is `url` the root of its DICOMweb service, and not a login page?" in (
        delivery.error_message or ""
    )


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (lambda _: Reply(202, b""), 0),
        (lambda _: Reply(200, b""), 0),
        (lambda uid: Reply(409, failed(uid, 0x0111)), 0x0111),
        (lambda uid: Reply(409, failed(uid, 45070)), 0x0111),
    ],
)
def test_what_a_service_lists_is_there_whatever_it_answered(
    node: Outbox, reply: Callable[[str], Reply], status: int
) -> None:
    (uid,) = node.queue("web")

    def answer(request: Request) -> Reply:
        return reply(uid) if request.method == "POST" else Reply(200, listed(uid))

    delivery, requests = delivered(node, answer, {"sent"})
    assert (delivery.status, len(requests)) == (status, 2)
    assert requests[1].path == f"/dicom-web/instances?SOPInstanceUID={uid}&limit=2"


def test_another_instance_that_a_service_lists_proves_nothing(node: Outbox) -> None:
    node.queue("web", expires_in_s=0.1)

    def answer(request: Request) -> Reply:
        return Reply(202, b"") if request.method == "POST" else Reply(200, listed("1.2.3"))

    delivery, _ = delivered(node, answer, {"failed"})
    assert "NO_ANSWER" in (delivery.error_message or "")


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_not_asked_again_before_it_wants_to(node: Outbox, status: int) -> None:
    """429 gives seconds here, 503 a date, which knows no fractions."""
    node.queue("web")
    times: list[float] = []

    def answer(_: Request) -> Reply:
        times.append(time.monotonic())
        soon = formatdate(time.time() + 2, usegmt=True)
        busy = Reply(status, headers={"Retry-After": "1" if status == 429 else soon})
        return busy if len(times) == 1 else Reply()

    delivered(node, answer, {"sent"})
    assert times[1] - times[0] >= 0.9


def test_what_is_too_large_fails_at_once(node: Outbox) -> None:
    node.queue("web")
    delivery, requests = delivered(node, lambda _: Reply(413), {"failed"})
    assert (delivery.error_code, len(requests)) == ("HTTP_413", 1)


@pytest.mark.parametrize("refusal", [Reply(415), None])
def test_the_class_that_is_taken_is_found_once_and_remembered(
    node: Outbox, refusal: Reply | None
) -> None:
    classes = (COMPREHENSIVE_3D, COMPREHENSIVE)
    first, second = node.queue("web", "SR", classes), node.queue("web", "SR", classes)
    sent: list[str] = []

    def answer(request: Request) -> Reply:
        sent.append(uid_in(request, first + second))
        if sent[-1] in (first[0], second[0]):
            return refusal or Reply(409, failed(sent[-1], 0x0122))
        return Reply()

    delivered(node, answer, {"sent"})
    assert sent == [first[0], first[1], second[1]]
    assert {item.sent_sop_instance_uid for item in node.deliveries()} == {first[1], second[1]}


@pytest.mark.parametrize("refusal", [Reply(400), Reply(409, b"conflict"), None])
def test_a_class_that_is_refused_by_status_gives_way_after_a_few_tries(
    node: Outbox, refusal: Reply | None
) -> None:
    uids = node.queue("web", "SR", (COMPREHENSIVE_3D, COMPREHENSIVE))
    sent: list[str] = []

    def answer(request: Request) -> Reply:
        sent.append(uid_in(request, uids))
        if sent[-1] == uids[0]:
            return refusal or Reply(409, failed(uids[0], 0xA900))
        return Reply()

    delivery, _ = delivered(node, answer, {"sent"})
    assert sent == [uids[0], uids[0], uids[0], uids[1]]
    assert delivery.sent_sop_instance_uid == uids[1]


def test_a_service_that_takes_no_class_fails_with_advice(node: Outbox) -> None:
    node.queue("web", "SR", (COMPREHENSIVE_3D, COMPREHENSIVE))
    delivery, _ = delivered(node, lambda _: Reply(415), {"failed"})
    assert delivery.error_code == "SOP_CLASS_REFUSED"
    assert "Comprehensive SR Storage" in (delivery.error_message or "")


def test_objects_go_by_tls_to_whom_is_known_and_to_nobody_else(
    node: Outbox, tmp_path: Path
) -> None:
    ours = Authority.at(tmp_path / "hospital")
    own = ours.issue("node")
    nobody = Authority.at(tmp_path / "nobody")
    shown = {"ca": ours.ca, "certificate": own.certificate, "key": own.key}
    node.queue("stranger")
    node.queue("known")
    with (
        web_pacs(lambda _: Reply(), serving(nobody, ours)) as stranger,
        web_pacs(lambda _: Reply(), serving(ours, ours)) as known,
        node.delivering(
            web_destination("stranger", stranger.url, **shown),
            web_destination("known", known.url, **shown),
        ),
    ):
        wait_until(lambda: node.states("known") == {"sent"}, what="sent")
        wait_until(
            lambda: node.deliveries("stranger")[0].error_code == "NOT_TRUSTED", what="refused"
        )
        assert (len(known.requests), len(stranger.requests)) == (1, 0)


def serving(by: Authority, to: Authority) -> ssl.SSLContext:
    """A service with a certificate of one authority, for callers with one of another."""
    return listening_context(by.issue("pacs"), [to.ca]).current()


def test_a_service_that_answers_a_search_is_there() -> None:
    with web_pacs(lambda _: Reply()) as pacs:
        there = WebService(name="web", url=pacs.url)
        assert "answers (HTTP 200)" in reach(there)
    with pytest.raises(WebUnreachableError):
        reach(there)


def test_services_that_are_dead_or_silent_delay_nobody(node: Outbox, tmp_path: Path) -> None:
    for name in ("dead", "silent", "live"):
        node.queue(name)
    with silent_port() as silent, storescp(tmp_path) as peer:
        urls = {"dead": free_port(), "silent": silent}
        destinations = [
            web_destination(name, f"http://127.0.0.1:{port}") for name, port in urls.items()
        ]
        with node.delivering(*destinations, destination("live", peer.port)):
            wait_until(lambda: node.states("live") == {"sent"}, 3, "the live one got it")
            wait_until(
                lambda: (
                    {item.error_code for item in node.deliveries()}
                    == {None, "UNREACHABLE", "TIMEOUT"}
                ),
                what="the others are known",
            )
