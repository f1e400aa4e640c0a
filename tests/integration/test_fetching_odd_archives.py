"""Archives that refuse, hang, lie or ignore what they are asked: what is said is checked."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom.events import Event

from dicom_node.retrieval.criteria import Criteria
from dicom_node.scu.errors import (
    AssociationAbortedError,
    NotTrustedError,
    RequestRefusedError,
    ResponseTimeoutError,
)
from dicom_node.scu.finding import StudyQuery, find_instances, find_studies
from dicom_node.scu.moving import move
from dicom_node.scu.peer import TlsTrust
from dicom_node.scu.retrieving import Part, Patience
from dicom_node.tls.profile import calling_context, listening_context
from storage.states import FetchState, PullState
from tests.certificates import Authority
from tests.fetching import Fetcher
from tests.odd_archive import odd_archive, study
from tests.peers import wait_until
from tests.scp_listening import Node, item, listening, peer, send
from tests.storescp import silent_port

ONE = Criteria(study_instance_uid="1.2.9")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with listening(tmp_path / "node", peer("ODD")) as running:
        yield running


def levels(identifier: Dataset) -> list[Dataset]:
    """A study of one series with three instances, by whatever key."""
    if identifier.QueryRetrieveLevel == "STUDY":
        return [study("1.2.9", NumberOfStudyRelatedInstances="3")]
    answers = [study("1.2.9", SeriesInstanceUID="1.2.9.1") for _ in range(3)]
    if identifier.QueryRetrieveLevel == "SERIES":
        return answers[:1]
    for number, answer in enumerate(answers):
        answer.SOPInstanceUID = f"1.2.9.1.{number}"
    return answers


def patience(standstill_s: float = 5, stop: threading.Event | None = None) -> Patience:
    return Patience(standstill_s=standstill_s, stop=stop or threading.Event())


def test_an_archive_that_ignores_the_keys_brings_nobody_elses_studies() -> None:
    def everything(_identifier: Dataset) -> list[Dataset]:
        return [study("1.2.9", PatientID="P1"), study("1.2.8", PatientID="P2")]

    with odd_archive(find=everything) as archive:
        [found] = find_studies(archive.node, StudyQuery(patient_id="P2"))
    assert found.study_instance_uid == "1.2.8"


def test_an_archive_that_ignores_the_series_lists_each_instance_once() -> None:
    def same(identifier: Dataset) -> list[Dataset]:
        if identifier.QueryRetrieveLevel == "SERIES":
            return [study("1.2.9", SeriesInstanceUID=f"1.2.9.{number}") for number in range(3)]
        return levels(identifier)

    with odd_archive(find=same) as archive:
        assert len(find_instances(archive.node, "1.2.9")) == 3


def test_a_query_asks_level_by_level_in_utf_8() -> None:
    with odd_archive(find=levels) as archive:
        assert find_studies(archive.node, StudyQuery(patient_id="Пациент")) == []
        find_instances(archive.node, "1.2.9")
    asked = [identifier.QueryRetrieveLevel for identifier in archive.asked]
    assert asked == ["STUDY", "SERIES", "IMAGE"]
    assert archive.asked[0].PatientID == "Пациент"
    assert archive.asked[2].SeriesInstanceUID == "1.2.9.1"


def test_a_query_that_is_refused_says_with_what() -> None:
    with (
        odd_archive(find_status=0xA700) as archive,
        pytest.raises(RequestRefusedError, match="0xA700") as caught,
    ):
        find_studies(archive.node, StudyQuery(accession_number="SECRET"))
    assert caught.value.status == 0xA700
    assert "SECRET" not in str(caught.value)


def test_a_port_that_never_answers_is_given_up() -> None:
    with silent_port() as port:
        with odd_archive() as archive:
            node = archive.node
        began = time.monotonic()
        with pytest.raises(ResponseTimeoutError):
            find_studies(replace(node, port=port), StudyQuery())
        assert time.monotonic() - began < 8


def test_an_archive_that_does_not_know_us_says_what_to_do() -> None:
    def unknown(_event: Event) -> Iterator[object]:
        yield None, None

    with odd_archive(move=unknown) as archive, pytest.raises(RequestRefusedError, match="AE title"):
        move(archive.node, Part("1.2.9"), "ECHONODE", patience())


def test_an_archive_that_hangs_is_given_up(node: Node) -> None:
    with odd_archive(sends_to=node.port) as archive:
        archive.move = archive.hang
        began = time.monotonic()
        with pytest.raises(ResponseTimeoutError, match="nothing came within 1 s"):
            move(archive.node, Part("1.2.9"), "ECHONODE", patience(standstill_s=1))
        assert time.monotonic() - began < 5


def test_while_instances_come_a_silent_archive_is_not_given_up(node: Node) -> None:
    came = iter(range(1000))
    with odd_archive(sends_to=node.port) as archive:
        archive.move = archive.hang
        stop = threading.Event()
        threading.Timer(2.2, stop.set).start()
        moving = Patience(standstill_s=1.2, stop=stop, arrived=lambda: next(came))
        ended = move(archive.node, Part("1.2.9"), "ECHONODE", moving)
    assert ended.is_cancelled


def test_a_retrieval_is_cancelled_when_somebody_asks_for_it(node: Node) -> None:
    stop = threading.Event()
    with odd_archive(sends_to=node.port) as archive:
        archive.move = archive.hang
        threading.Timer(0.5, stop.set).start()
        ended = move(archive.node, Part("1.2.9"), "ECHONODE", patience(stop=stop))
        wait_until(archive.cancelled.is_set, what="the archive heard of it")
    assert ended.is_cancelled


def test_an_archive_that_says_all_was_sent_is_not_believed(node: Node) -> None:
    with odd_archive(find=levels, sends_to=node.port) as archive:
        archive.move = archive.send_nothing
        fetcher = Fetcher(node)
        done = fetcher.pull(fetcher.moving(archive.node), ONE)
    assert done.state is PullState.INCOMPLETE
    [row] = fetcher.studies(done.id)
    assert (row.state, row.listed, row.present) == (FetchState.INCOMPLETE, 3, 0)
    assert row.error_message == "the archive lists 3; 0 came"


def test_one_study_that_fails_keeps_no_other_back(node: Node) -> None:
    def two(identifier: Dataset) -> list[Dataset]:
        if identifier.QueryRetrieveLevel == "STUDY":
            return [study(uid, PatientID="P1") for uid in ("1.2.9", "1.2.8")]
        return []

    def refuse(_event: Event) -> Iterator[object]:
        yield None, None

    with odd_archive(find=two, move=refuse) as archive:
        fetcher = Fetcher(node)
        done = fetcher.pull(fetcher.moving(archive.node), Criteria(patient_id="P1"))
    assert done.state is PullState.INCOMPLETE
    assert [row.state for row in fetcher.studies(done.id)] == [FetchState.FAILED] * 2
    assert {row.error_code for row in fetcher.studies(done.id)} == {"RequestRefused"}


def test_an_archive_that_breaks_off_says_so(node: Node) -> None:
    def abort(event: Event) -> Iterator[object]:
        event.assoc.abort()
        yield None, None

    with odd_archive(move=abort) as archive, pytest.raises(AssociationAbortedError):
        move(archive.node, Part("1.2.9"), "ECHONODE", patience())


def test_an_archive_that_gives_no_single_instances_gives_the_series(node: Node) -> None:
    def by_series(event: Event) -> Iterator[object]:
        if event.identifier.QueryRetrieveLevel == "IMAGE":
            yield None, None
        else:
            yield archive.destination
            yield 0

    here = item(StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", SOPInstanceUID="1.2.9.1.0")
    with odd_archive(find=levels, move=by_series, sends_to=node.port) as archive:
        send(node.port, here, calling="ODD")
        fetcher = Fetcher(node)
        fetcher.pull(fetcher.moving(archive.node), ONE)
    asked = [(each.QueryRetrieveLevel, each.get("SOPInstanceUID")) for each in archive.asked[-2:]]
    assert asked == [("IMAGE", ["1.2.9.1.1", "1.2.9.1.2"]), ("SERIES", None)]


def test_an_archive_is_asked_over_tls_and_known_by_its_certificate(tmp_path: Path) -> None:
    hospital, nobody = Authority.at(tmp_path / "hospital"), Authority.at(tmp_path / "nobody")
    own, stranger = hospital.issue("node"), nobody.issue("pacs")
    for certificate, is_known in ((hospital.issue("pacs"), True), (stranger, False)):
        listening_side = listening_context(certificate, [hospital.ca]).current()
        with odd_archive(listening_side, find=levels) as archive:
            trust = TlsTrust(
                context=calling_context(own, [hospital.ca], checks_name=True), name="127.0.0.1"
            )
            known = replace(archive.node, tls=trust)
            if is_known:
                assert len(find_studies(known, StudyQuery(study_instance_uid="1.2.9"))) == 1
            else:
                with pytest.raises(NotTrustedError):
                    find_studies(known, StudyQuery())
