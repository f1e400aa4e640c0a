"""Studies are found and fetched by QIDO-RS and WADO-RS, from Orthanc and from odd services."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydicom import dcmread

from dicom_node.dicomweb.errors import (
    WebAnswerError,
    WebNotTrustedError,
    WebRefusedError,
    WebTimeoutError,
    WebUnreachableError,
)
from dicom_node.dicomweb.retrieving import retrieving
from dicom_node.dicomweb.searching import search_instances, search_studies
from dicom_node.dicomweb.session import WebService, open_session
from dicom_node.intake.file_meta import file_meta
from dicom_node.intake.keeping import Arrived
from dicom_node.retrieval import carrier
from dicom_node.retrieval.criteria import Criteria
from dicom_node.scu.query import FoundInstance, FoundStudy, StudyQuery
from dicom_node.study.decision import Rules, due_by_associations
from storage.audit.trail import Action
from storage.states import Ending, PullState
from storage.studies.completeness import evidence_of
from tests.archived import archived_study
from tests.certificates import Authority
from tests.fetching import Fetcher, dataset_of
from tests.orthanc import dicomweb, running_orthanc
from tests.peers import free_port, shared, wait_until
from tests.scp_listening import Node, listening, peer, send
from tests.scp_listening import parts as item_of
from tests.storescp import silent_port
from tests.web_pacs import Reply, Request, WebPacs, web_pacs


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with listening(tmp_path / "node", peer("CART")) as running:
        yield running


@contextmanager
def orthanc(folder: Path, files: list[Path]) -> Iterator[WebService]:
    with running_orthanc(folder / "orthanc", **dicomweb()) as running:
        for file in files:
            running.upload(file)
        url = f"http://127.0.0.1:{running.http_port}/dicom-web/"
        yield WebService(name="pacs", url=url, timeout_s=20)


def test_studies_come_byte_for_byte_and_only_what_is_missing(tmp_path: Path, node: Node) -> None:
    clips = sorted(shared("data", "us").glob("*.dcm"), key=lambda clip: clip.stat().st_size)[:4]
    values = {"SpecificCharacterSet": "ISO_IR 100", "PatientID": "Ä-17", "AccessionNumber": "Ø9"}
    study = archived_study(tmp_path / "study", **values)
    other = archived_study(tmp_path / "other", PatientID="P2", StudyDate="20261109")
    send(node.port, item_of(study.files[0]))
    fetcher = Fetcher(node)
    with (
        orthanc(tmp_path, [*study.files, *other.files, *clips]) as service,
        open_session(service) as session,
    ):
        archive = fetcher.web(service, session)
        done = fetcher.pull(archive)
        assert (done.state, done.studies) == (PullState.DONE, 1)
        for uid in {str(dcmread(clip, stop_before_pixels=True).StudyInstanceUID) for clip in clips}:
            one = fetcher.pull(archive, Criteria(study_instance_uid=uid))
            assert one.state is PullState.DONE, fetcher.studies(one.id)
        [found] = search_studies(session, service, StudyQuery(study_instance_uid=study.uid))
        assert (found.patient_id, found.accession_number) == ("Ä-17", "Ø9")
        assert (found.modalities, found.instances) == (("US",), 4)
        assert search_studies(session, service, StudyQuery(patient_id="nobody")) == []
        series = search_instances(session, service, study.uid)[0].series_instance_uid
        assert len(search_instances(session, service, study.uid, series)) == 2
    assert fetcher.held(study.uid) == study.sop_instance_uids
    assert fetcher.held(other.uid) == frozenset()
    assert node.events(Action.INSTANCE_DUPLICATE) == []
    kept = {dataset_of(file) for file in node.spool_files()}
    assert all(dataset_of(file) in kept for file in (*study.files, *clips))


def due_at(node: Node) -> datetime:
    with node.database.read() as tx:
        return due_by_associations(evidence_of(tx, 1), Rules())[0]


def test_what_was_fetched_counts_as_brought_by_an_association(tmp_path: Path, node: Node) -> None:
    study = archived_study(tmp_path / "study")
    with (
        orthanc(tmp_path, list(study.files)) as service,
        open_session(service) as session,
    ):
        fetcher = Fetcher(node)
        fetcher.pull(fetcher.web(service, session))
    [closed] = node.events(Action.ASSOCIATION_CLOSED)
    assert (closed.peer, closed.detail["ending"]) == ("pacs", Ending.RELEASED.value)
    assert closed.detail["instances"] == 4
    [detail] = node.studies()
    assert {instance.peer for instance in detail.instances} == {"pacs"}
    assert (due_at(node) - closed.at).total_seconds() == pytest.approx(3, abs=0.5)


def test_while_bytes_come_a_study_is_not_due(
    tmp_path: Path, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "_HEARTBEAT_S", 0.05)
    study, received_bytes = archived_study(tmp_path / "study", instances=1), count()
    fetcher = Fetcher(node)
    with fetcher.carrier.bringing(lambda: next(received_bytes)) as origin:
        with node.spool.incoming() as file:
            sent = dcmread(study.files[0])
            classes, syntax = str(sent.SOPClassUID), str(sent.file_meta.TransferSyntaxUID)
            head = file_meta(classes, str(sent.SOPInstanceUID), syntax)
            file.write(head + dataset_of(study.files[0]))
            arrived = Arrived(
                file=file,
                offset=len(head),
                sop_class_uid=classes,
                sop_instance_uid=str(sent.SOPInstanceUID),
                transfer_syntax_uid=syntax,
            )
            fetcher.keeper.keep(arrived, origin)
        first = due_at(node)
        wait_until(lambda: due_at(node) > first)


def service(pacs: WebPacs, **values: Any) -> WebService:
    return WebService(name="pacs", url=pacs.url, connect_timeout_s=2, timeout_s=2, **values)


def ask(where: WebService) -> list[FoundStudy]:
    with open_session(where) as session:
        return search_studies(session, where, StudyQuery(accession_number="SECRET"))


FOUND = {
    "0020000D": {"vr": "UI", "Value": ["1.2.9"]},
    "00080050": {"vr": "SH", "Value": ["SECRET"]},
    "00201208": {"vr": "IS", "Value": ["3"]},
}


def test_a_service_that_knows_no_pages_is_asked_no_more_than_twice() -> None:
    with web_pacs(lambda _: Reply(body=[FOUND])) as pacs:
        assert len(ask(service(pacs))) == 1
    first, second = (parse_qs(urlsplit(request.path).query) for request in pacs.requests)
    assert first["AccessionNumber"] == ["SECRET"]
    assert (first["offset"], second["offset"]) == (["0"], ["1"])


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", WebRefusedError),
        (500, b"SECRET", WebRefusedError),
        (302, b"", WebRefusedError),
        (200, b"<html>SECRET</html>", WebAnswerError),
        (200, b'["SECRET"]', WebAnswerError),
        (200, b'[{"0020000D": "SECRET"}]', WebAnswerError),
    ],
)
def test_an_odd_answer_is_an_error_that_quotes_nothing(
    status: int, body: bytes, error: type[Exception]
) -> None:
    reply = Reply(status, body, {"Location": "http://127.0.0.1:9/"})
    with web_pacs(lambda _: reply) as pacs:
        with pytest.raises(error) as caught:
            ask(service(pacs))
        assert len(pacs.requests) == 1
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "pacs" in str(caught.value)


def test_a_service_that_is_away_or_silent_is_given_up() -> None:
    with pytest.raises(WebUnreachableError):
        ask(WebService(name="pacs", url=f"http://127.0.0.1:{free_port()}/", connect_timeout_s=2))
    with silent_port() as port, pytest.raises(WebTimeoutError):
        ask(WebService(name="pacs", url=f"http://127.0.0.1:{port}/", timeout_s=0.5))


def test_who_we_are_is_told_as_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with web_pacs(lambda _: Reply(body=[])) as pacs:
        ask(service(pacs, bearer_token="t0ken"))
        ask(service(pacs, user="node", password="pässword"))  # pragma: allowlist secret
    token, basic = (request.headers["authorization"] for request in pacs.requests)
    assert token == "Bearer t0ken"
    assert basic.startswith("Basic ")
    assert "t0ken" not in repr(service(pacs, bearer_token="t0ken"))


def test_tls_is_spoken_with_those_who_are_known(tmp_path: Path) -> None:
    hospital, stranger = Authority.at(tmp_path / "hospital"), Authority.at(tmp_path / "nobody")
    own, node = hospital.issue("pacs"), hospital.issue("node")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(hospital.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    certified = {"certificate": node.certificate, "key": node.key}
    with web_pacs(lambda _: Reply(body=[]), context) as pacs:
        assert ask(service(pacs, ca=hospital.ca, **certified)) == []
        with pytest.raises(WebNotTrustedError):
            ask(service(pacs, ca=stranger.ca, **certified))
        with pytest.raises((WebNotTrustedError, WebUnreachableError)):
            ask(service(pacs, ca=hospital.ca))


ASKED = FoundInstance(series_instance_uid="1.2.8", sop_instance_uid="1.2.3", sop_class_uid="")


def part10(tmp_path: Path) -> bytes:
    return archived_study(tmp_path / "study", instances=1).files[0].read_bytes()


def fetched(where: WebService) -> bytes:
    with (
        open_session(where) as session,
        retrieving(session, where, "1.2.9", ASKED) as arriving,
    ):
        return b"".join(arriving.dataset)


def sending(body: bytes, kind: str) -> Callable[[Request], Reply]:
    return lambda _: Reply(200, body, {"Content-Type": kind})


def test_a_file_may_come_alone_or_as_a_part(tmp_path: Path) -> None:
    file = part10(tmp_path)
    dataset = dataset_of(tmp_path / "study" / "0.dcm")
    with web_pacs(sending(file, "application/dicom")) as pacs:
        assert fetched(service(pacs)) == dataset
    kind = 'multipart/related; type="application/dicom"; boundary="b 1"'
    body = b"--b 1\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--b 1--"
    with web_pacs(sending(body, kind)) as pacs:
        assert fetched(service(pacs)) == dataset
    assert pacs.requests[0].path == "/dicom-web/studies/1.2.9/series/1.2.8/instances/1.2.3"


@pytest.mark.parametrize("damage", ["cut", "html", "no DICOM", "no boundary"])
def test_what_is_no_whole_file_is_not_kept(tmp_path: Path, damage: str) -> None:
    file = part10(tmp_path)
    kind = "multipart/related; boundary=b"
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--b--"
    body = {"cut": body[:-20], "no DICOM": body.replace(b"DICM", b"PDF ")}.get(damage, body)
    kind = {"html": "text/html", "no boundary": "multipart/related"}.get(damage, kind)
    with web_pacs(sending(body, kind)) as pacs, pytest.raises(WebAnswerError):
        fetched(service(pacs))


def test_a_service_that_gives_another_instance_is_not_believed(tmp_path: Path, node: Node) -> None:
    file = part10(tmp_path)
    listed = {
        "0020000D": {"vr": "UI", "Value": ["1.2.9"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.8"]},
        "00080018": {"vr": "UI", "Value": ["1.2.3"]},
    }

    def answer(request: Request) -> Reply:
        is_query = "offset" in request.path
        return Reply(body=[listed]) if is_query else sending(file, "application/dicom")(request)

    fetcher = Fetcher(node)
    with web_pacs(answer) as pacs, open_session(service(pacs)) as session:
        archive = fetcher.web(service(pacs), session)
        done = fetcher.pull(archive, Criteria(study_instance_uid="1.2.9"))
    assert done.state is PullState.INCOMPLETE
    [row] = fetcher.studies(done.id)
    assert (row.present, row.refused) == (0, 1)
    assert node.spool_files() == []
