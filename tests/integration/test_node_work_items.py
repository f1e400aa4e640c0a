"""The whole node as the performer of work items, from SCHEDULED to COMPLETED, and killed midway.

The archive and the PACS are DCMTK's; the work list is our own: see `tests.work_list`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.dcmqrscp import AE_TITLE, Dcmqrscp, dcmqrscp
from tests.node import Destination, Node
from tests.peers import wait_until
from tests.storescp import StoreScp, storescp
from tests.studies import phantom, study_uid
from tests.work_list import CODE, STATION, Item, WorkListScp, work_list

pytestmark = pytest.mark.long


@dataclass
class PerformingNode(Node):
    """A node with a work list, and an archive to fetch from."""

    tables: list[str] = field(default_factory=list)

    def configure(self) -> None:
        super().configure()
        with self.settings_file.open("a", encoding="utf-8") as settings:
            settings.write("\n" + "\n".join(self.tables))


def _table(kind: str, name: str, port: int, ae_title: str, more: str) -> str:
    return (
        f'[[{kind}]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\n'
        f'ae_title = "{ae_title}"\n{more}\n'
    )


@pytest.fixture(scope="module")
def ups() -> Iterator[WorkListScp]:
    with work_list() as scp:
        yield scp


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreScp]:
    with storescp(tmp_path_factory.mktemp("pacs")) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dcmqrscp]:
    with dcmqrscp(tmp_path_factory.mktemp("archive") / "qr", "+xy") as running:
        yield running


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory,
    ups: WorkListScp,
    pacs: StoreScp,
    archive: Dcmqrscp,
) -> Iterator[PerformingNode]:
    tables = [
        _table("archive", "archive", archive.port, AE_TITLE, 'retrieve = "get"'),
        _table(
            "work_list",
            "ups",
            ups.port,
            "WORKLIST",
            f'interval_s = 0.5\narchive = "archive"\nworkitem_code = "{"^".join(CODE)}"\n'
            f'station_name = "{STATION}"',
        ),
    ]
    running = PerformingNode(
        tmp_path_factory.mktemp("node"), [Destination("pacs", pacs.port, "PACS")], tables=tables
    )
    running.start()
    try:
        yield running
    finally:
        running.stop()


def schedule(ups: WorkListScp, files: list[Path]) -> Item:
    uids = [str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files]
    return ups.schedule({study_uid(files): uids})


def accepted(pacs: StoreScp, study_instance_uid: str) -> dict[str, tuple[str, str]]:
    """What the PACS accepted of a study: series and AE title by SOP Instance UID."""
    found = (dcmread(file, stop_before_pixels=True) for file in pacs.files())
    return {
        str(item.SOPInstanceUID): (str(item.SeriesInstanceUID), "PACS")
        for item in found
        if item.StudyInstanceUID == study_instance_uid
    }


def wait_for_end(item: Item, node: Node, ups: WorkListScp) -> None:
    try:
        wait_until(lambda: item.state in ("COMPLETED", "CANCELED"), 90)
    except pytest.fail.Exception as exc:
        log = node.log.read_text("utf-8")
        raise AssertionError("\n".join([f"{item.history}", *ups.log, log])) from exc


def test_a_work_item_is_fetched_for_analysed_and_completed_with_its_outputs(
    node: Node, ups: WorkListScp, pacs: StoreScp, archive: Dcmqrscp, tmp_path: Path
) -> None:
    files = phantom(tmp_path / "study", 41)
    archive.fill(files)
    item = schedule(ups, files)
    wait_for_end(item, node, ups)
    assert item.history == ["SCHEDULED", "IN PROGRESS", "COMPLETED"]
    assert len(item.outputs()) == 3, "report, picture and key objects"
    assert item.outputs() == accepted(pacs, study_uid(files))


def test_a_deliverer_that_is_killed_by_the_claim_goes_on_with_it(
    node: Node, ups: WorkListScp, pacs: StoreScp, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_once() -> None:
        """Before the answer to the claim is sent: nobody hears it."""
        if not killed:
            killed.append(node.pid("deliver"))
            node.kill("deliver")

    files = phantom(tmp_path / "study", 42)
    ups.after_claim = kill_once
    item = schedule(ups, files)
    wait_until(lambda: killed, 30, "the claim")
    node.send(files)
    wait_for_end(item, node, ups)
    assert node.pid("deliver") not in killed
    assert item.history == ["SCHEDULED", "IN PROGRESS", "COMPLETED"]
    assert item.outputs() == accepted(pacs, study_uid(files))
