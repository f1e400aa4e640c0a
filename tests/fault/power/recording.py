"""A real listener on a new disk, recorded until it is cut off."""

import copy
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.fault.power import shim
from tests.fault.power.disk import Disk, Record, read_log
from tests.fault.power.promises import acknowledged
from tests.fault.victims import Ground
from tests.peers import wait_until
from tests.scp_listening import ECHO_CINE, item, send

_CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Recording:
    """What a listener asked of its disk from its first start on."""

    beginning: Disk
    records: Sequence[Record]

    @cached_property
    def acknowledgements(self) -> Mapping[int, str]:
        """The instance that a record acknowledges, by the record's number."""
        sent = (
            (n, acknowledged(one.data)) for n, one in enumerate(self.records) if one.what == "A"
        )
        return {number: uid for number, uid in sent if uid}

    def disk(self) -> Disk:
        """The disk as it was before the first record."""
        return copy.deepcopy(self.beginning)


@contextmanager
def running(
    ground: Ground, role: str, environment: Mapping[str, str], mutation: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """One process of the node in an environment of its own, killed at the end."""
    command = [sys.executable, "-m", "tests.fault.failpoints"]
    command += ["--break", mutation] if mutation else []
    command += ["--", role, "--config", str(ground.settings_file)]
    log = ground.log.with_suffix(f".{role}.log")
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=_CHECKOUT, env=environment
        )
        try:
            wait_until(lambda: '"event": "started"' in log.read_text(), 60, f"it starts, see {log}")
            yield child
        finally:
            child.kill()
            child.wait()


def record(
    folder: Path, library: Path, instances: int, senders: int, mutation: str | None = None
) -> Recording:
    """Send instances over several associations at once, and kill the listener."""
    root, log = folder / "disk", folder / "calls"
    ground = Ground(root, pacs_port=1)
    ground.configure(folder / "no-bundle")
    beginning = Disk(root)
    with running(ground, "listen", shim.under(library, root, log), mutation):
        threads = [
            threading.Thread(target=_send, args=[ground.port, instances // senders])
            for _ in range(senders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return Recording(beginning, list(read_log(log)))


def _send(port: int, count: int) -> None:
    assert send(port, *(item(SOPClassUID=ECHO_CINE) for _ in range(count))) == [0] * count
