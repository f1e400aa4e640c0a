"""A listener in a process of its own that is abused: what it holds, seen from outside."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from dicom_node import logs
from dicom_node.scp import Listener, ListenerConfig, Peer, PeerTable
from dicom_node.scp.peers import Right
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.migrations.upgrading import upgrade
from tests.peers import free_port, listens, require, wait_until

#: Silence that is borne, in seconds; short, for tests have to see its end.
PATIENCE_S = 1.5
#: The number of descriptors that a service gets unless somebody says more.
USUAL_DESCRIPTORS = 1024


@dataclass(frozen=True)
class Abused:
    """The process, and what the kernel says of it."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def threads(self) -> int:
        return self._status("Threads")

    @property
    def peak_bytes(self) -> int:
        return self._status("VmHWM") * 1024

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - names only

    @property
    def incoming(self) -> list[Path]:
        return list((self.folder / "spool" / "incoming").iterdir())

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def store_s(self, file: Path) -> float:
        """Send a file with DCMTK's storescu, which must succeed; how long that took."""
        began = time.monotonic()
        command = [require("storescu"), "-aet", "CART", "-aec", "ECHONODE", "127.0.0.1"]
        subprocess.run([*command, str(self.port), str(file)], check=True, timeout=60)
        return time.monotonic() - began

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@contextmanager
def abused(folder: Path) -> Iterator[Abused]:
    """Run the listener until the block ends."""
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.abused", str(folder), str(port)],
            stdout=log,
            stderr=log,
            cwd=Path(__file__).resolve().parents[2],
        )
        try:
            wait_until(lambda: listens(port), what="the listener is up")
            yield Abused(process, port, folder)
        finally:
            process.terminate()
            process.wait(30)


def main() -> None:
    """Arguments: folder, port; ends on SIGTERM."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(USUAL_DESCRIPTORS, hard), hard))
    logs.configure("info")
    database = Database(f"sqlite:///{folder / 'node.db'}")
    upgrade(database)
    networks = (ip_network("127.0.0.0/8"),)
    may: frozenset[Right] = frozenset({"echo", "store"})
    cart = Peer("cart", "CART", networks, may, quiet_s=60.0)
    rogue = Peer("rogue", "ROGUE", networks, may, quiet_s=60.0, maximum_associations=8)
    config = ListenerConfig(
        ae_title="ECHONODE",
        host="127.0.0.1",
        port=port,
        pipelines=("echo_haemodynamics",),
        network_timeout_s=PATIENCE_S,
        acse_timeout_s=PATIENCE_S,
        dimse_timeout_s=PATIENCE_S,
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    listener = Listener(config, PeerTable([cart, rogue]), database, Spool(folder / "spool"))
    listener.start()
    signal.sigwait({signal.SIGTERM})
    listener.stop()


if __name__ == "__main__":
    main()
