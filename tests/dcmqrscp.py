"""DCMTK's dcmqrscp as an archive: C-FIND, C-MOVE and C-GET of what it was sent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import send_files
from tests.peers import free_port, listens, process, require, wait_until

AE_TITLE = "QRSCP"


@dataclass(frozen=True)
class Dcmqrscp:
    """A running dcmqrscp."""

    port: int
    log: Path

    @property
    def node(self) -> RemoteNode:
        """It, as the node calls it."""
        return RemoteNode("pacs", "127.0.0.1", self.port, AE_TITLE, "ECHONODE", dimse_timeout_s=20)

    def fill(self, files: Sequence[Path]) -> None:
        """Give it files to keep."""
        results = send_files(self.node, files)
        assert all(result.stored for result in results), self.log.read_text("utf-8", "replace")


@contextmanager
def dcmqrscp(folder: Path, *options: str, sends_to: int = 0) -> Iterator[Dcmqrscp]:
    """dcmqrscp for the length of a block; it knows ECHONODE at a port of this machine."""
    kept = folder / "kept"
    kept.mkdir(parents=True)
    port = free_port()
    configuration = folder / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nnode = (ECHONODE, localhost, {sends_to or 9})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{AE_TITLE} {kept} RW (200, 1024mb) ANY\nAETable END\n"
    )
    log = folder / "dcmqrscp.log"
    command = [require("dcmqrscp"), "-v", "-c", str(configuration), *options]
    with process(command, log):
        wait_until(lambda: listens(port), 10, f"dcmqrscp listens, see {log}")
        yield Dcmqrscp(port, log)
