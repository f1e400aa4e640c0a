"""Studies are found and fetched by C-FIND, C-MOVE and C-GET, from archives of other makers."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from dicom_node.retrieval.archive import Archive
from dicom_node.retrieval.criteria import Criteria
from dicom_node.scu.errors import PeerUnreachableError
from dicom_node.scu.finding import StudyQuery, find_instances, find_studies
from dicom_node.scu.peer import RemoteNode
from storage.audit.trail import Action
from storage.errors import StorageFullError
from storage.files.spool import Spool
from storage.keeping.purge import purge_study
from storage.retrieval.listing import list_pulls
from storage.states import FetchState, PullState
from tests.archived import ArchivedStudy, archived_study
from tests.dcmqrscp import dcmqrscp
from tests.fetching import WEEK, Fetcher
from tests.orthanc import running_orthanc
from tests.peers import free_port, shared
from tests.scp_listening import Node, listening, peer, send
from tests.scp_listening import parts as item_of

Way = Callable[[Fetcher, RemoteNode], Archive]
WAYS: dict[str, Way] = {"move": Fetcher.moving, "get": Fetcher.getting}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    archives = [peer(title, name="pacs") for title in ("QRSCP", "ORTHANC")]
    with listening(tmp_path / "node", *archives, peer("CART")) as running:
        yield running


@contextmanager
def pacs(kind: str, folder: Path, files: list[Path], node: Node) -> Iterator[RemoteNode]:
    """An archive that holds these files and knows the node."""
    if kind == "dcmqrscp":
        with dcmqrscp(folder / kind, sends_to=node.port) as archive:
            archive.fill(files)
            yield archive.node
        return
    modalities = {"node": ("ECHONODE", "127.0.0.1", node.port)}
    with running_orthanc(folder / kind, modalities=modalities) as orthanc:
        for file in files:
            orthanc.upload(file)
        yield RemoteNode("pacs", "127.0.0.1", orthanc.dicom_port, "ORTHANC", "ECHONODE")


@pytest.fixture(params=["dcmqrscp", "orthanc"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def week(folder: Path) -> list[ArchivedStudy]:
    """A study of the week, its prior, and others that nobody asks for."""
    return [
        archived_study(folder / "asked"),
        archived_study(folder / "prior", StudyDate="20250601", AccessionNumber="OLD1"),
        archived_study(folder / "older", StudyDate="20240601", AccessionNumber="OLD2"),
        archived_study(folder / "ct", StudyDate="20250701", Modality="CT", AccessionNumber="CT"),
        archived_study(folder / "john", PatientID="P2", StudyDate="20261109"),
    ]


def files_of(studies: list[ArchivedStudy]) -> list[Path]:
    return [file for study in studies for file in study.files]


def test_studies_come_byte_for_byte_by_either_way(tmp_path: Path, node: Node, kind: str) -> None:
    """And each is here as if a cart had sent it; its prior comes too, and is marked as one."""
    studies = week(tmp_path / "studies")
    asked, prior, *others = studies
    with pacs(kind, tmp_path, files_of(studies), node) as archive:
        for way in WAYS.values():
            fetcher = Fetcher(node)
            done = fetcher.pull(way(fetcher, archive), priors=1)
            assert (done.state, done.studies, done.done) == (PullState.DONE, 2, 2)
            rows = fetcher.studies(done.id)
            assert [(row.study_instance_uid, row.prior_of_uid) for row in rows] == [
                (asked.uid, ""),
                (prior.uid, asked.uid),
            ]
            assert all(row.study_id for row in rows)
            for study in (asked, prior):
                assert fetcher.held(study.uid) == study.sop_instance_uids
            assert not any(fetcher.held(study.uid) for study in others)
            _kept_as_sent(node, [asked, prior])
            _forget(node)


def _kept_as_sent(node: Node, studies: list[ArchivedStudy]) -> None:
    instances = {
        instance.sop_instance_uid: instance
        for study in node.studies()
        for instance in study.instances
    }
    for file in files_of(studies):
        sent = dcmread(file)
        kept = node.spool.path(instances[str(sent.SOPInstanceUID)].digest)
        assert dcmread(kept) == sent
        assert instances[str(sent.SOPInstanceUID)].peer == "pacs"


def _forget(node: Node) -> None:
    """Purge all, so that another way can bring it again."""
    ids = [study.summary.study_id for study in node.studies()]
    with node.database.write() as tx:
        for number in ids:
            now = datetime.now(UTC)
            purge_study(tx, number, actor="test", reason="test", now=now, force=True)


@pytest.mark.parametrize(("kind", "way"), [("dcmqrscp", "move"), ("orthanc", "get")])
def test_of_a_study_that_came_in_part_only_the_rest_is_fetched(
    tmp_path: Path, node: Node, kind: str, way: str
) -> None:
    study = archived_study(tmp_path / "study", instances=6)
    send(node.port, *(item_of(file) for file in study.files[:2]))
    with pacs(kind, tmp_path, list(study.files), node) as archive:
        fetcher = Fetcher(node)
        done = fetcher.pull(WAYS[way](fetcher, archive))
    assert done.state is PullState.DONE
    assert fetcher.held(study.uid) == study.sop_instance_uids
    assert node.events(Action.INSTANCE_DUPLICATE) == []


def test_a_study_that_is_here_is_not_fetched_again(tmp_path: Path, node: Node) -> None:
    study = archived_study(tmp_path / "study")
    send(node.port, *(item_of(file) for file in study.files))
    with pacs("dcmqrscp", tmp_path, list(study.files), node) as archive:
        fetcher = Fetcher(node)
        assert fetcher.pull(fetcher.getting(archive)).state is PullState.DONE
    assert node.events(Action.INSTANCE_DUPLICATE) == []


def test_studies_are_found_by_each_key(tmp_path: Path, node: Node, kind: str) -> None:
    studies = week(tmp_path / "studies")
    asked = studies[0]
    with pacs(kind, tmp_path, files_of(studies), node) as archive:

        def uids(**keys: str) -> set[str]:
            return {found.study_instance_uid for found in find_studies(archive, StudyQuery(**keys))}

        assert uids(accession_number="OLD1") == {studies[1].uid}
        assert uids(study_instance_uid=asked.uid) == {asked.uid}
        assert uids(patient_id="P2") == {studies[4].uid}
        assert uids(study_date="20250101-20251231") == {studies[1].uid, studies[3].uid}
        assert uids(patient_id="P1", modality="CT") == {studies[3].uid}
        assert uids(accession_number="NONE") == set()
        [found] = find_studies(archive, StudyQuery(study_instance_uid=asked.uid))
        assert (found.accession_number, found.patient_id) == ("ACC1", "P1")
        listed = find_instances(archive, asked.uid)
        assert {item.sop_instance_uid for item in listed} == asked.sop_instance_uids
        series = listed[0].series_instance_uid
        of_series = find_instances(archive, asked.uid, series)
        assert {item.series_instance_uid for item in of_series} == {series}
        assert len(of_series) == 2
        assert find_instances(archive, "1.2.3.4") == []


def test_foreign_characters_come_through_query_and_retrieval(
    tmp_path: Path, node: Node, kind: str
) -> None:
    values = {"SpecificCharacterSet": "ISO_IR 100", "PatientID": "Ä-17", "AccessionNumber": "Ø9"}
    study = archived_study(tmp_path / "study", **values)
    with pacs(kind, tmp_path, list(study.files), node) as archive:
        [found] = find_studies(archive, StudyQuery(study_instance_uid=study.uid))
        assert (found.patient_id, found.accession_number) == ("Ä-17", "Ø9")
        fetcher = Fetcher(node)
        fetcher.pull(fetcher.getting(archive))
    [detail] = node.studies()
    assert (detail.summary.patient_id, detail.summary.accession_number) == ("Ä-17", "Ø9")


def test_compressed_and_real_clips_come_as_they_are_kept(tmp_path: Path, node: Node) -> None:
    """Nothing is transcoded for our sake: the archive is offered what it holds."""
    study = archived_study(tmp_path / "s", syntaxes=(JPEGBaseline8Bit, ExplicitVRLittleEndian))
    clips = sorted(shared("data", "us").glob("*.dcm"), key=lambda clip: clip.stat().st_size)[:6]
    by_date = {str(dcmread(clip, stop_before_pixels=True).StudyInstanceUID) for clip in clips}
    with pacs("orthanc", tmp_path, [*study.files, *clips], node) as archive:
        for uid in (study.uid, *by_date):
            fetcher = Fetcher(node)
            criteria = Criteria(study_instance_uid=uid)
            done = fetcher.pull(fetcher.getting(archive), criteria)
            assert done.state is PullState.DONE, fetcher.studies(done.id)
    kept = {_pixels_of(file) for file in node.spool_files()}
    for clip in (*study.files, *clips):
        assert _pixels_of(clip) in kept, clip.name


def _pixels_of(file: Path) -> tuple[str, bytes]:
    """Transfer syntax and pixels; DCMTK leaves away retired group lengths of a dataset."""
    dataset = dcmread(file)
    return str(dataset.file_meta.TransferSyntaxUID), bytes(dataset.PixelData)


def test_a_stopped_pull_is_left_as_it_is_and_goes_on(tmp_path: Path, node: Node) -> None:
    studies = [archived_study(tmp_path / str(n), AccessionNumber=str(n)) for n in range(3)]
    with pacs("dcmqrscp", tmp_path, files_of(studies), node) as archive:
        fetcher = Fetcher(node)

        def stop_after_one(stage: str, done: int, _total: int) -> None:
            if (stage, done) == ("studies", 1):
                fetcher.stop.set()

        puller = fetcher.puller(fetcher.moving(archive), stop_after_one)
        pull_id = puller.order(WEEK, priors=0, actor="jane")
        left = puller.run(pull_id)
        assert (left.state, left.done, left.claimed_by) == (PullState.FETCHING, 1, None)
        fetcher.stop = threading.Event()
        assert fetcher.puller(fetcher.moving(archive)).run(pull_id).state is PullState.DONE
    assert node.events(Action.INSTANCE_DUPLICATE) == []


def test_an_archive_that_is_away_leaves_the_pull_to_be_resumed(tmp_path: Path, node: Node) -> None:
    fetcher = Fetcher(node)
    nobody = RemoteNode("pacs", "127.0.0.1", free_port(), "NOBODY", "ECHONODE")
    with pytest.raises(PeerUnreachableError):
        fetcher.pull(fetcher.moving(nobody))
    with node.database.read() as tx:
        [left] = list_pulls(tx)
    assert (left.state, left.claimed_by) == (PullState.SEARCHING, None)


def test_a_full_spool_keeps_nothing_and_says_so(tmp_path: Path, node: Node) -> None:
    study = archived_study(tmp_path / "study")
    with pacs("dcmqrscp", tmp_path, list(study.files), node) as archive:
        fetcher = Fetcher(node)
        getting = fetcher.getting(archive)
        getting._spool = Spool(node.spool.root, low_water_bytes=shutil.disk_usage("/").total * 9)
        with pytest.raises(StorageFullError):
            fetcher.pull(getting)
        with node.database.read() as tx:
            [left] = list_pulls(tx)
        assert (left.state, left.claimed_by) == (PullState.FETCHING, None)
        assert node.spool_files() == []
        [row] = fetcher.studies(left.id)
        assert row.state is FetchState.RUNNING  # and waits again once the pull is resumed
