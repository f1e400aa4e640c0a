"""kill -9 of listener and deliverer between asking for commitment and hearing of it, both ways."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from storage.keeping.promises import Reference
from storage.states import PromiseState
from storage.tables import CommitmentAsked, CommitmentRequest
from tests.objects import SECONDARY_CAPTURE
from tests.orthanc import Orthanc, running_orthanc
from tests.outbox import Outbox
from tests.peers import free_port, listens, process, wait_until
from tests.scp_listening import item, send

CHECKOUT = Path(__file__).resolve().parents[2]


class Node(Outbox):
    """A node of processes that are run by hand, beside an Orthanc that it sends to."""

    def __init__(self, folder: Path, orthanc: Orthanc, port: int) -> None:
        super().__init__(folder)
        self.port = port
        self.settings_file = folder / "node.toml"
        self.settings_file.write_text(
            f'[storage]\ndatabase_url = "{self.url}"\nspool_dir = "{self.spool.root}"\n'
            "low_water_bytes = 0\n"
            f'[receive]\nhost = "127.0.0.1"\nport = {port}\n'
            '[[peer]]\nname = "orthanc"\nae_title = "ORTHANC"\nnetworks = ["127.0.0.1/32"]\n'
            'may = ["store", "commit"]\ncommitment_host = "127.0.0.1"\n'
            f"commitment_port = {orthanc.dicom_port}\n"
            '[[archive]]\nname = "store"\nhost = "127.0.0.1"\nae_title = "ORTHANC"\n'
            f"port = {orthanc.dicom_port}\n"
            '[[destination]]\nname = "pacs"\nhost = "127.0.0.1"\nae_title = "ORTHANC"\n'
            f'port = {orthanc.dicom_port}\nclimb_to = "read_back"\narchive = "store"\n'
            "commitment_timeout_s = 5\nfirst_retry_s = 0.2\nmaximum_retry_s = 0.5\n"
        )

    @contextmanager
    def running(self, role: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "dicom_node", role, "--config", str(self.settings_file)]
        log = self.folder / f"{role}-{os.urandom(2).hex()}.log"
        with process(command, log, cwd=CHECKOUT) as child:
            if role == "listen":
                wait_until(lambda: listens(self.port), 60, f"the node listens, see {log}")
            yield child

    def standing(self) -> set[str]:
        return {delivery.standing for delivery in self.deliveries()}

    def asked(self) -> int:
        with self.database.read() as tx:
            return int(tx.scalar(select(func.count()).select_from(CommitmentAsked)) or 0)

    def promises(self) -> list[PromiseState]:
        with self.database.read() as tx:
            return list(tx.scalars(select(CommitmentRequest.state)))


def kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


@pytest.mark.faults
def test_killed_between_request_and_report_both_sides_still_learn_of_it(tmp_path: Path) -> None:
    port = free_port()
    modalities = {"node": ("ECHONODE", "127.0.0.1", port)}
    with running_orthanc(tmp_path / "orthanc", modalities=modalities) as orthanc:
        node = Node(tmp_path, orthanc, port)
        node.queue("pacs", "SC", [SECONDARY_CAPTURE])
        # We ask and die; the report comes to the listener, which dies too.
        with node.running("deliver") as deliverer:
            wait_until(lambda: node.asked() == 1, 60, "asked")
            kill(deliverer)
        one = item()
        with node.running("listen") as listener:
            assert send(port, one, calling="ORTHANC") == [0]
            asked = orthanc.ask_for_commitment("node", [Reference(one[0], one[1])])
            assert node.promises() == [PromiseState.OWED]
            kill(listener)
        with node.running("listen"), node.running("deliver"):
            wait_until(lambda: node.standing() == {"read back"}, 60, "read back")
            wait_until(lambda: orthanc.commitment(asked)["Status"] == "Success", 30, "told")
        assert node.promises() == [PromiseState.REPORTED]
        node.close()
