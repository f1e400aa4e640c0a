"""C-STORE to real nodes: the bytes arrive as they are on disk, and failures say what is wrong."""

import hashlib
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.scu.errors import (
    AssociationAbortedError,
    NoAcceptedContextError,
    ResponseTimeoutError,
)
from dicom_node.scu.outgoing import read_outgoing
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import Progress, send_files
from dicom_node.scu.storing import StoreAssociation
from tests.objects import COMPREHENSIVE, IMPLICIT, SECONDARY_CAPTURE, write_object
from tests.orthanc import running_orthanc
from tests.peers import shared
from tests.storescp import PICTURES_ONLY, StoreScp, silent_port, storescp


def node(port: int, ae_title: str = "PACS", dimse_timeout_s: float = 20) -> RemoteNode:
    return RemoteNode(
        "pacs",
        "127.0.0.1",
        port,
        ae_title,
        "ECHONODE",
        connect_timeout_s=2,
        acse_timeout_s=2,
        dimse_timeout_s=dimse_timeout_s,
    )


def dataset_digest(path: Path) -> tuple[str, str]:
    """(SOP Instance UID, digest of the dataset without preamble and File Meta group)."""
    with path.open("rb") as file:
        meta = dcmread(file, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).file_meta
        length = meta.FileMetaInformationGroupLength
        file.seek(144 + length)
        return str(meta.MediaStorageSOPInstanceUID), hashlib.sha256(file.read()).hexdigest()


def received(peer: StoreScp) -> set[tuple[str, str]]:
    return {dataset_digest(path) for path in peer.files()}


def test_an_object_arrives_byte_for_byte(tmp_path: Path) -> None:
    path = write_object(tmp_path / "sr.dcm")
    with storescp(tmp_path) as peer:
        item = read_outgoing(path)
        with StoreAssociation(node(peer.port), [item]) as association:
            result = association.send(item)
        assert result.status == 0
        assert result.stored
        assert received(peer) == {dataset_digest(path)}


def test_real_cines_of_every_transfer_syntax_arrive_byte_for_byte(tmp_path: Path) -> None:
    clips = sorted(shared("data", "us").glob("*.dcm"))
    progress: list[Progress] = []
    with storescp(tmp_path) as peer:
        results = send_files(node(peer.port), clips, progress.append)
        assert [result.path for result in results if not result.stored] == []
        assert received(peer) == {dataset_digest(clip) for clip in clips}
    assert [step.done for step in progress] == list(range(1, len(clips) + 1))
    assert {step.total for step in progress} == {len(clips)}


def test_a_node_that_wants_implicit_gets_the_dataset_converted(tmp_path: Path) -> None:
    path = write_object(tmp_path / "sr.dcm")
    with storescp(tmp_path, profile=PICTURES_ONLY_IMPLICIT) as peer:
        (result,) = send_files(node(peer.port), [path])
        assert result.stored
        (arrived,) = peer.files()
        sent, got = dcmread(path), dcmread(arrived)
    assert got.file_meta.TransferSyntaxUID == IMPLICIT
    assert got == sent


PICTURES_ONLY_IMPLICIT = """
[[TransferSyntaxes]]
[Implicit]
TransferSyntax1 = LittleEndianImplicit
[[PresentationContexts]]
[Contexts]
PresentationContext1 = Comprehensive3DSRStorage\\Implicit
[[Profiles]]
[Profile]
PresentationContexts = Contexts
"""


def test_what_is_refused_or_broken_stops_nothing_else(tmp_path: Path) -> None:
    report = write_object(tmp_path / "sr.dcm", COMPREHENSIVE)
    picture = write_object(tmp_path / "sc.dcm", SECONDARY_CAPTURE)
    text = tmp_path / "notes.txt"
    text.write_text("no DICOM")
    with storescp(tmp_path, profile=PICTURES_ONLY) as peer:
        results = {
            result.path: result for result in send_files(node(peer.port), [text, report, picture])
        }
    assert results[picture].stored
    assert results[report].status is None
    assert "does not accept this SOP class" in results[report].detail
    assert results[text].detail == "not a DICOM file with a complete File Meta group"


def test_more_contexts_than_one_association_holds_are_split(tmp_path: Path) -> None:
    paths = [
        write_object(tmp_path / f"{n}.dcm", f"1.2.826.0.1.3680043.8.498.{n}") for n in range(100)
    ]
    with storescp(tmp_path, "--promiscuous") as peer:
        results = send_files(node(peer.port), paths)
        assert all(result.stored for result in results)
        assert len(peer.files()) == 100
    log = (tmp_path / "storescp.log").read_text()
    assert log.count("Association Received") == 2


def test_nothing_accepted_is_an_error_of_its_own(tmp_path: Path) -> None:
    item = read_outgoing(write_object(tmp_path / "sr.dcm"))
    with (
        storescp(tmp_path, profile=PICTURES_ONLY) as peer,
        pytest.raises(NoAcceptedContextError),
        StoreAssociation(node(peer.port), [item]),
    ):
        pytest.fail("opened")


@pytest.mark.parametrize("when", ["--abort-during", "--abort-after"])
def test_a_peer_that_aborts(tmp_path: Path, when: str) -> None:
    path = write_object(tmp_path / "sc.dcm", SECONDARY_CAPTURE, pixels=bytes(20_000_000))
    with storescp(tmp_path, when) as peer, pytest.raises(AssociationAbortedError):
        send_files(node(peer.port), [path])


def test_a_peer_that_is_slower_than_the_timeout(tmp_path: Path) -> None:
    path = write_object(tmp_path / "sr.dcm")
    with storescp(tmp_path, "--sleep-during", "3") as peer:
        started = time.monotonic()
        with pytest.raises(ResponseTimeoutError, match="no response within 1 s"):
            send_files(node(peer.port, dimse_timeout_s=1), [path])
        assert time.monotonic() - started < 5


def test_a_peer_that_stops_reading_does_not_hold_us_for_ever(tmp_path: Path) -> None:
    path = write_object(tmp_path / "sc.dcm", SECONDARY_CAPTURE, pixels=bytes(60_000_000))
    with storescp(tmp_path, "--sleep-during", "15") as peer:
        started = time.monotonic()
        with pytest.raises((AssociationAbortedError, ResponseTimeoutError)):
            send_files(node(peer.port, dimse_timeout_s=1), [path])
        assert time.monotonic() - started < 8


def test_a_port_that_never_answers(tmp_path: Path) -> None:
    path = write_object(tmp_path / "sr.dcm")
    with silent_port() as port, pytest.raises(ResponseTimeoutError):
        send_files(node(port), [path])


def test_orthanc_keeps_what_it_gets_and_takes_it_twice(tmp_path: Path) -> None:
    path = write_object(tmp_path / "sr.dcm")
    uid, digest = dataset_digest(path)
    with running_orthanc(tmp_path / "orthanc") as orthanc:
        for _ in range(2):
            (result,) = send_files(node(orthanc.dicom_port, "ORTHANC"), [path])
            assert result.stored
        assert orthanc.instances() == [uid]
        back = tmp_path / "back.dcm"
        back.write_bytes(orthanc.file(uid))
        assert dataset_digest(back) == (uid, digest)
