"""The node's processes as victims: started in a moment, armed to die at a step, ended by pid.

A fork server that has loaded the libraries starts each process, which makes kills cheap: a worker
is back in a fraction of a second. What runs in it is the command `echonode`, nothing less.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.fault import failpoints
from tests.peers import free_port, listens, wait_until

CART, ROLES = "CART", ("listen", "work", "deliver")

_LOADED = [
    "dicom_node.app",
    "dicom_node.cli",
    "dicom_node.delivery.worker",
    "dicom_node.report",
    "dicom_node.scp",
    "dicom_node.study.clock",
    "dicom_node.work.worker",
    "inference.pipelines.echo_haemodynamics",
    "pytest",
    "tests.fault.campaign",
]


@dataclass(frozen=True)
class Victim:
    """One process of the node; `at` is the step where it is to die."""

    role: str
    process: BaseProcess
    at: str | None = None

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def was_killed(self) -> bool:
        return self.process.exitcode == -signal.SIGKILL

    def ended_within(self, timeout_s: float) -> bool:
        self.process.join(timeout_s)
        return self.process.exitcode is not None

    def kill(self) -> None:
        """SIGKILL, also of a process that is stopped."""
        self.process.kill()
        self.process.join()

    def stop(self) -> None:
        self.process.terminate()
        if not self.ended_within(30):
            self.kill()
            raise AssertionError(f"`echonode {self.role}` did not stop")


@dataclass(frozen=True)
class Ground:
    """A node's folder, settings and port; its processes come and go."""

    folder: Path
    pacs_port: int
    database_url: str = ""
    broken: str | None = None
    maximum_attempts: int = 8
    lease_s: float = 10.0
    port: int = field(default_factory=free_port)

    @property
    def settings_file(self) -> Path:
        return self.folder / "node.toml"

    @property
    def spool_dir(self) -> Path:
        return self.folder / "state" / "spool"

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'state' / 'node.db'}"

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    def prepare(self, bundle: Path) -> None:
        """Write the settings and make the database."""
        self.configure(bundle)
        upgraded = self.run("db", "upgrade")
        assert upgraded.ended_within(60)
        assert upgraded.process.exitcode == 0, f"no database, see {self.log}"

    def configure(self, bundle: Path) -> None:
        """Write the settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings_file.write_text(
            f"""
            [storage]
            low_water_bytes = 0
            database_url = "{self.database_url}"
            [receive]
            host = "127.0.0.1"
            port = {self.port}
            [completion]
            quiet_s = 1.5
            release_quiet_s = 0.3
            abort_quiet_s = 1.5
            [work]
            lease_s = {self.lease_s}
            threads = 1
            maximum_attempts = {self.maximum_attempts}
            [[peer]]
            name = "cart"
            ae_title = "{CART}"
            networks = ["127.0.0.1/32"]
            [[pipeline]]
            name = "echo_haemodynamics"
            bundle = "{bundle}"
            device = "cpu"
            [[destination]]
            name = "pacs"
            host = "127.0.0.1"
            port = {self.pacs_port}
            ae_title = "PACS"
            kinds = ["SR", "KOS"]
            first_retry_s = 0.2
            maximum_retry_s = 0.5
            """
        )

    def run(self, *arguments: str, at: str | None = None, pause: bool = False) -> Victim:
        """Start a command of `echonode`; with `pause` it is stopped at the step, not killed."""
        number = signal.SIGSTOP if pause else signal.SIGKILL
        command = [*arguments, "--config", str(self.settings_file)]
        process = _context().Process(
            target=_be, args=(self.log, command, at, self.broken, number), daemon=True
        )
        process.start()
        return Victim(arguments[0], process, at)

    def listening(self) -> Victim:
        """A listener that is left in peace."""
        victim = self.run("listen")
        wait_until(lambda: listens(self.port), 30, f"the node listens, see {self.log}")
        return victim


def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    return context


def _be(
    log: Path, arguments: Sequence[str], at: str | None, broken: str | None, number: signal.Signals
) -> None:
    """Be the command; its output goes to the log."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for standard in (1, 2):
        os.dup2(output, standard)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    failpoints.run(list(arguments), at, broken, number)
