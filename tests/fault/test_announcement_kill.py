"""kill -9 of the listener right after it answered an announcement: what was answered is there."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from dicom_node.scp.contexts import MODALITY_PERFORMED_PROCEDURE_STEP as MPPS
from storage.database.transactions import Database
from storage.studies.completeness import evidence_of
from tests.integration.test_scp_announcements import begun, change, create, ended
from tests.peers import free_port, listens, process, wait_until
from tests.scp_listening import item, send

CHECKOUT = Path(__file__).resolve().parents[2]


@contextmanager
def running(settings: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "dicom_node", "listen", "--config", str(settings)]
    with process(command, settings.with_suffix(".log"), cwd=CHECKOUT) as listener:
        wait_until(lambda: listens(port), 60, f"the node listens, see {settings.parent}")
        yield listener


def associated(port: int) -> Association:
    association = AE("CART").associate("127.0.0.1", port, [build_context(MPPS)], "ECHONODE")
    assert association.is_established
    return association


@pytest.mark.faults
def test_what_was_answered_outlives_the_listener(tmp_path: Path) -> None:
    port, settings = free_port(), tmp_path / "node.toml"
    settings.write_text(
        f'[storage]\nlow_water_bytes = 0\n[receive]\nhost = "127.0.0.1"\nport = {port}\n'
        '[[peer]]\nname = "cart"\nae_title = "CART"\nnetworks = ["127.0.0.1/32"]\n'
        'may = ["store", "announce"]\n'
    )
    with running(settings, port) as listener:
        send(port, item(StudyInstanceUID="1.2.9"))
        assert create(associated(port), begun("1.2.9")).Status == 0x0000
        listener.kill()
        listener.wait()
    with running(settings, port) as listener:
        assert change(associated(port), ended("1.2.3.4")).Status == 0x0000
        listener.kill()
        listener.wait()
    database = Database(f"sqlite:///{tmp_path / 'state' / 'node.db'}")
    with database.read() as tx:
        evidence = evidence_of(tx, 1)
    database.close()
    assert (evidence.in_progress, evidence.concluded, evidence.missing) == (0, 1, 1)
