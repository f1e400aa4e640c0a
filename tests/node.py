"""A node as an operator runs it: `echonode run` with a settings file, on free ports."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import FileResult, send_files
from inference.bundle.untrained import make_untrained
from storage.database.transactions import Database
from storage.errors import NotFoundError
from storage.reading.browse import StudyDetail, show_study
from tests.peers import free_port, listens, wait_until

CART = "CART"
ECHO = '[[pipeline]]\nname = "echo_haemodynamics"\nbundle = "bundle"\ndevice = "cpu"'


@dataclass
class Destination:
    """Where reports go; without an AE title they go there as HL7."""

    name: str
    port: int
    ae_title: str = ""

    def settings(self) -> str:
        """Its table in the settings file."""
        speaks = f'ae_title = "{self.ae_title}"' if self.ae_title else 'protocol = "hl7"'
        return (
            f'[[destination]]\nname = "{self.name}"\nhost = "127.0.0.1"\nport = {self.port}\n'
            f"{speaks}\nfirst_retry_s = 0.5\nmaximum_retry_s = 2"
        )


@dataclass
class Node:
    """One node with everything it owns in `folder`; `pipelines` are tables of its settings."""

    folder: Path
    destinations: Sequence[Destination] = ()
    pipelines: str = ECHO
    database_url: str = ""
    quiet_s: float = 4.0
    release_quiet_s: float = 0.5
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings_file(self) -> Path:
        return self.folder / "node.toml"

    @property
    def log(self) -> Path:
        return self.folder / "node.log"

    def configure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        bundle = self.folder / "bundle"
        if not bundle.exists():
            make_untrained(bundle, architecture="resnet10_narrow")
        lines = [
            f'[storage]\nlow_water_bytes = 0\ndatabase_url = "{self.database_url}"',
            f'[receive]\nhost = "127.0.0.1"\nport = {self.port}',
            f"[completion]\nquiet_s = {self.quiet_s}\nrelease_quiet_s = {self.release_quiet_s}",
            f"abort_quiet_s = {self.quiet_s}",
            "[work]\nlease_s = 10\nthreads = 1",
            f'[[peer]]\nname = "cart"\nae_title = "{CART}"\nnetworks = ["127.0.0.1/32"]',
            self.pipelines,
        ]
        lines += [item.settings() for item in self.destinations]
        self.settings_file.write_text("\n".join(lines), "utf-8")

    def start(self) -> None:
        self.configure()
        if self.database_url:
            self.command("db", "upgrade")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dicom_node", "run", "--config", str(self.settings_file)],
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: listens(self.port), 60, f"the node listens, see {self.log}")

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(60)

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an `echonode` command on this node's settings."""
        command = [sys.executable, "-m", "dicom_node", *words, "--config", str(self.settings_file)]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=120)

    def events(self) -> list[dict[str, Any]]:
        """The node's log so far."""
        lines = self.log.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def pid(self, role: str) -> int:
        """The process that runs a role now."""
        started = [
            event
            for event in self.events()
            if event["event"] == "process started" and event.get("role") == role
        ]
        return int(started[-1]["pid"])

    def kill(self, role: str) -> None:
        os.kill(self.pid(role), signal.SIGKILL)

    def send(self, files: Sequence[Path], ae_title: str = CART) -> list[FileResult]:
        remote = RemoteNode("node", "127.0.0.1", self.port, "ECHONODE", ae_title)
        return send_files(remote, files)

    @contextmanager
    def database(self) -> Iterator[Database]:
        url = self.database_url or f"sqlite:///{self.folder / 'state' / 'node.db'}"
        database = Database(url)
        try:
            yield database
        finally:
            database.close()

    def study(self, study_instance_uid: str) -> StudyDetail:
        with self.database() as database, database.read() as tx:
            return show_study(tx, study_instance_uid)

    def wait_for_report(
        self, study_instance_uid: str, revision: int = 1, timeout_s: float = 90
    ) -> StudyDetail:
        """Wait until the report of a revision was made and sent everywhere."""

        def done() -> bool:
            try:
                detail = self.study(study_instance_uid)
            except NotFoundError:
                return False
            made = {report.revision for report in detail.reports}
            return revision in made and all(item.state == "sent" for item in detail.deliveries)

        wait_until(done, timeout_s, f"report of revision {revision}, see {self.log}")
        return self.study(study_instance_uid)


@contextmanager
def running_node(
    folder: Path, destinations: Sequence[Destination] = (), **options: Any
) -> Iterator[Node]:
    """A node for the length of a block."""
    node = Node(folder, destinations, **options)
    node.start()
    try:
        yield node
    finally:
        if node.process and node.process.poll() is None:
            node.stop()
