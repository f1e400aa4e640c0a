"""No room, at every call that takes some: 0xA700, the association goes on, and room is enough.

The shim refuses the calls of real processes, SQLite's included, with the errors of a full disk and
of a quota.
"""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom.association import Association

from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import send_files
from storage.database.transactions import Database
from storage.files.spool import Spool
from tests.fault.auditor import NO_PIXELS, Auditor, content, unfinished
from tests.fault.carts import Exams, sop_instance_uid
from tests.fault.power import shim
from tests.fault.power.recording import running
from tests.fault.test_kill import BUNDLE
from tests.fault.victims import CART, Ground
from tests.peers import wait_until
from tests.scp_listening import Item, associated, item, store
from tests.storescp import storescp


def status_of(association: Association, one: Item) -> int:
    return int(store(association, one).Status)


class Full:
    """Says which calls find no room."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def at(self, call: str, error: int = errno.ENOSPC) -> None:
        self.file.write_text(f"{call} {error}\n")

    def no_more(self) -> None:
        self.file.unlink()


@pytest.fixture(scope="module")
def listener(
    library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ground, Full]]:
    folder = tmp_path_factory.mktemp("full")
    node, full = Ground(folder / "disk", 1), Full(folder / "full")
    node.configure(BUNDLE)
    environment = shim.under(library, node.folder, refuse=full.file)
    with running(node, "listen", environment):
        yield node, full


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("open", errno.ENOSPC),
        ("write", errno.ENOSPC),
        ("write", errno.EDQUOT),
        ("fsync", errno.EDQUOT),
        ("rename", errno.EDQUOT),
        ("pwrite", errno.ENOSPC),
        ("pwrite", errno.EDQUOT),
    ],
)
def test_a_sender_is_told_and_goes_on_when_there_is_room(
    listener: tuple[Ground, Full], call: str, error: int
) -> None:
    node, full = listener
    before, refused, after = item(), item(), item()
    with associated(node.port, [before]) as association:
        assert status_of(association, before) == 0
        full.at(call, error)
        assert status_of(association, refused) == 0xA700
        full.no_more()
        assert status_of(association, after) == 0
        assert status_of(association, refused) == 0
    database = Database(node.url)
    spool = Spool(node.spool_dir)
    uids = {one[1]: NO_PIXELS for one in (before, refused, after)}
    assert list(Auditor(database, spool).instances(uids)) == []
    assert list((node.spool_dir / "incoming").iterdir()) == []
    database.close()


@pytest.mark.faults
@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename", "pwrite"])
def test_a_report_waits_for_room(tmp_path: Path, library: Path, call: str) -> None:
    with storescp(tmp_path / "pacs") as pacs:
        node, full = Ground(tmp_path / "disk", pacs.port), Full(tmp_path / "full")
        node.prepare(BUNDLE)
        environment = shim.under(library, node.folder, refuse=full.file)
        listener = node.listening()
        with running(node, "work", environment), running(node, "deliver", environment):
            files = Exams(tmp_path).next()
            full.at(call)
            sent = send_files(RemoteNode("node", "127.0.0.1", node.port, "ECHONODE", CART), files)
            assert all(result.stored for result in sent)
            database = Database(node.url)
            with pytest.raises(pytest.fail.Exception):
                wait_until(lambda: not unfinished(database), 4)
            full.no_more()
            wait_until(lambda: not unfinished(database), 60, "the report is made and sent")
        listener.stop()
        told = {sop_instance_uid(file): content(file) for file in files}
        found = Auditor(database, Spool(node.spool_dir), pacs.files()).examine(told)
        database.close()
    assert found.problems == []
    assert found.visibly_failed == 0
