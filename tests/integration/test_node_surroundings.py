"""A node among others: PACS of several kinds, another database, a damaged bundle, a restart."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread

from storage.errors import NotFoundError
from tests.node import CART, Destination, Node, running_node
from tests.orthanc import running_orthanc
from tests.peers import free_port, wait_until
from tests.storescp import PICTURES_ONLY, storescp
from tests.studies import held, phantom, study_uid

pytestmark = pytest.mark.long


def test_a_pacs_forwards_a_study_and_gets_the_report_back(tmp_path: Path) -> None:
    port = free_port()
    node_at = {"node": ("ECHONODE", "127.0.0.1", port)}
    with running_orthanc(tmp_path / "pacs", CART, modalities=node_at) as pacs:
        destination = Destination("pacs", pacs.dicom_port, CART)
        with running_node(tmp_path / "node", [destination], port=port) as node:
            files = phantom(tmp_path / "study", 18)
            for file in files:
                pacs.upload(file)
            uid = study_uid(files)
            pacs.send("node", pacs.find({"Level": "Study", "Query": {"StudyInstanceUID": uid}}))
            node.wait_for_report(uid)
            assert sorted(item.Modality for item in held(pacs, uid)) == [
                *("KO", "OT", "SR"),
                *("US",) * len(files),
            ]


def test_a_damaged_bundle_stops_the_analysis_but_not_the_receiving(tmp_path: Path) -> None:
    node = Node(tmp_path / "node")
    node.configure()
    weights = node.folder / "bundle" / "model.safetensors"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    try:
        node.start()
        files = phantom(tmp_path / "study", 19)
        assert all(result.stored for result in node.send(files))
        wait_until(lambda: "model.safetensors" in node.log.read_text("utf-8"), 60, "the reason")
        assert node.command("doctor", check=False).returncode == 1
        weights.write_bytes(sound)
        node.wait_for_report(study_uid(files), timeout_s=60)
    finally:
        node.stop()


def test_a_destination_without_structured_reports_gets_the_picture_in_their_place(
    tmp_path: Path,
) -> None:
    """As the report and as the picture, in either order: the same object twice."""
    with storescp(tmp_path / "pictures", profile=PICTURES_ONLY) as peer:
        destination = Destination("pictures", peer.port, "STORESCP")
        with running_node(tmp_path / "node", [destination]) as node:
            files = phantom(tmp_path / "study", 14)
            node.send(files)
            wait_until(lambda: _ended(node, study_uid(files)), 60, "all deliveries ended")
            (picture,) = {str(dcmread(file).SOPInstanceUID) for file in peer.files()}
            told = {item.kind: item for item in node.study(study_uid(files)).deliveries}
            assert {told[kind].sent_sop_instance_uid for kind in ("SR", "SC")} == {picture}
            assert told["KOS"].error_code == "SOP_CLASS_REFUSED"
            advice = node.command("doctor", check=False).stdout
            assert "takes no Structured Report" in advice


def test_reports_wait_for_a_pacs_that_is_away(tmp_path: Path) -> None:
    port = free_port()
    with running_node(tmp_path / "node", [Destination("late", port, "LATE")]) as node:
        files = phantom(tmp_path / "study", 15)
        node.send(files)
        wait_until(lambda: _tried(node, study_uid(files)), 60, "a first try")
        with storescp(tmp_path / "late", port=port) as peer:
            wait_until(lambda: len(peer.files()) == 3, 60, "all three arrive")


def _ended(node: Node, study_instance_uid: str) -> bool:
    try:
        deliveries = node.study(study_instance_uid).deliveries
    except NotFoundError:
        return False
    return bool(deliveries) and all(item.state in {"sent", "failed"} for item in deliveries)


def _tried(node: Node, uid: str) -> bool:
    try:
        return any(item.attempt for item in node.study(uid).deliveries)
    except NotFoundError:
        return False


def test_a_node_on_postgresql_does_the_same(own_postgresql_url: str, tmp_path: Path) -> None:
    with storescp(tmp_path / "pacs") as peer:
        destination = Destination("pacs", peer.port, "STORESCP")
        with running_node(
            tmp_path / "node", [destination], database_url=own_postgresql_url
        ) as node:
            files = phantom(tmp_path / "study", 16)
            node.send(files)
            node.wait_for_report(study_uid(files))
            assert len(peer.files()) == 3
            assert node.stop() == 0


def test_stopping_is_clean_and_a_copy_of_the_state_carries_on(tmp_path: Path) -> None:
    with storescp(tmp_path / "pacs") as peer:
        destination = Destination("pacs", peer.port, "STORESCP")
        with running_node(tmp_path / "node", [destination], release_quiet_s=3) as node:
            files = phantom(tmp_path / "study", 17)
            node.send(files)
            assert node.stop() == 0
            assert not peer.files()
            shutil.copytree(node.folder / "state", tmp_path / "moved" / "state")
        with running_node(tmp_path / "moved", [destination]) as moved:
            moved.wait_for_report(study_uid(files))
            assert len(peer.files()) == 3


def test_two_listeners_share_the_port_and_one_may_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECHONODE_RECEIVE__PROCESSES", "2")
    files = phantom(tmp_path / "study", 21)
    with running_node(tmp_path / "node") as node:
        started = [
            event
            for event in node.events()
            if event["event"] == "process started" and event["role"] == "listen"
        ]
        assert len(started) == 2
        wait_until(lambda: started_listeners(node) == 2, 30, "both listen")
        with ThreadPoolExecutor(8) as senders:
            results = [
                each for sent in senders.map(lambda _: node.send(files), range(8)) for each in sent
            ]
        assert all(result.stored for result in results)
        node.kill("listen")
        wait_until(lambda: started_listeners(node) == 3, 30, "a new one listens")
        assert all(result.stored for result in node.send(files))
        assert len(node.study(study_uid(files)).instances) == len(files)


def started_listeners(node: Node) -> int:
    return sum(event["event"] == "started" and event["role"] == "listen" for event in node.events())
