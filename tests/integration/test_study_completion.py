"""A cart, the listener, the clock and an archive together: when a study is complete, and why."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from pynetdicom import AE, build_context

from dicom_node.retrieval.archive import DimseArchive
from dicom_node.scp.contexts import MODALITY_PERFORMED_PROCEDURE_STEP as MPPS
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import send_files
from dicom_node.study.archive_count import ask_archive
from dicom_node.study.clock import Clock
from dicom_node.study.decision import Rules
from storage.alarms.listing import study_alarms
from storage.audit.trail import Action
from tests.archived import archived_study
from tests.integration.test_scp_announcements import ANNOUNCER, begun, change, create, ended
from tests.orthanc import running_orthanc
from tests.scp_listening import Node, associated, item, listening, parts, send, store

HARD_LIMIT_S = 5.0


@pytest.fixture
def node(tmp_path: Path, sqlite_template: Path) -> Iterator[Node]:
    shutil.copy(sqlite_template, tmp_path / "node.db")
    with listening(tmp_path, ANNOUNCER) as node:
        yield node


@contextmanager
def ticking(node: Node, ask: Callable[[], None] | None = None) -> Iterator[None]:
    rules = Rules(
        release_quiet_s=0.5,
        hard_limit_s=HARD_LIMIT_S,
        archive_patience_s=5.0 if ask else 0.0,
    )
    clock = Clock(node.database, [], lambda: None, rules=rules, ask_archive=ask)
    clock.start()
    try:
        yield
    finally:
        clock.stop()


def reasons(node: Node) -> list[str]:
    return [revision.reason.value for study in node.studies() for revision in study.revisions]


def test_a_cart_says_when_it_is_done(node: Node) -> None:
    first, second = (item(StudyInstanceUID="1.2.9") for _ in range(2))
    cart = AE("CART").associate("127.0.0.1", node.port, [build_context(MPPS)], "ECHONODE")
    with ticking(node), associated(node.port, [first, second]) as images:
        create(cart, begun("1.2.9"))
        store(images, first)
        store(images, second)
        change(cart, ended(first[1], second[1]))
        node.wait_for(Action.STUDY_COMPLETE)  # though the association is still open
        cart.release()
    assert reasons(node) == ["all expected received"]


def test_an_archive_that_has_more_raises_an_alarm_until_the_rest_comes(
    tmp_path: Path, node: Node
) -> None:
    study = archived_study(tmp_path / "study", 3)
    one, *rest = map(parts, study.files)
    with running_orthanc(
        tmp_path / "pacs", modalities={"node": ("ECHONODE", "127.0.0.1", 9)}
    ) as orthanc:
        pacs = RemoteNode("pacs", "127.0.0.1", orthanc.dicom_port, "ORTHANC", "ECHONODE")
        assert all(result.stored for result in send_files(pacs, study.files))
        archive = DimseArchive(pacs, standstill_s=10)
        with ticking(node, lambda: ask_archive(node.database, lambda: nullcontext(archive))):
            assert send(node.port, one) == [0x0000]
            [missing] = node.wait_for(Action.INSTANCES_MISSING)
            assert missing.detail == {"missing": 2}
            assert send(node.port, *rest) == [0x0000, 0x0000]
            node.wait_for(Action.INSTANCES_ARRIVED)
            node.wait_for(Action.STUDY_COMPLETE, 2)
    assert reasons(node) == ["hard limit", "all expected received"]
    with node.database.read() as tx:
        assert study_alarms(tx, 10) == []
