"""`echonode pull` as an operator uses it: dry runs, kills, resuming, and who did what."""

import getpass
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dicom_node import logs
from dicom_node.cli import cli
from storage.audit.trail import Action, RecordedEvent, search
from storage.database.transactions import Database
from storage.errors import NotFoundError
from storage.migrations.upgrading import upgrade
from storage.retrieval.pulls import held_instances
from tests.archived import ArchivedStudy, archived_study
from tests.dcmqrscp import AE_TITLE, Dcmqrscp, dcmqrscp
from tests.peers import free_port, listens, wait_until


@dataclass
class Operator:
    """Somebody at the command line of a node that has one archive."""

    folder: Path
    archive_port: int
    way: str = "get"
    port: int = field(default_factory=free_port)

    @property
    def settings(self) -> Path:
        return self.folder / "node.toml"

    def configure(self) -> None:
        self.settings.write_text(
            f'[receive]\nhost = "127.0.0.1"\nport = {self.port}\n[storage]\nlow_water_bytes = 0\n'
            f'[[peer]]\nname = "pacs"\nae_title = "{AE_TITLE}"\nnetworks = ["127.0.0.1/32"]\n'
            f'[[archive]]\nname = "pacs"\nhost = "127.0.0.1"\nport = {self.archive_port}\n'
            f'ae_title = "{AE_TITLE}"\nretrieve = "{self.way}"\nretrieve_timeout_s = 20\n'
        )
        (self.folder / "state").mkdir()
        with self.database() as database:
            upgrade(database)

    @contextmanager
    def start(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs until it ends, or the block does."""
        command = [sys.executable, "-m", "dicom_node", *words, "--config", str(self.settings)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            yield child
        finally:
            child.kill()
            child.communicate()

    def run(self, *words: str) -> Result:
        """A command in this process."""
        return CliRunner().invoke(cli, [*words, "--config", str(self.settings)])

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = Database(f"sqlite:///{self.folder / 'state' / 'node.db'}")
        try:
            yield database
        finally:
            database.close()

    def held(self, *studies: ArchivedStudy) -> int:
        with self.database() as database, database.read() as tx:
            return sum(len(held_instances(tx, study.uid)) for study in studies)

    def events(self, action: Action) -> list[RecordedEvent]:
        with self.database() as database, database.read() as tx:
            return search(tx, action=action, limit=10_000)


@pytest.fixture(autouse=True)
def _log_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run here leave its log as it is."""
    monkeypatch.setattr(logs, "configure", lambda _level: None)


@pytest.fixture
def studies(tmp_path: Path) -> list[ArchivedStudy]:
    return [
        archived_study(
            tmp_path / str(number), instances=25, AccessionNumber=f"MARKED-{number}", PatientID="M"
        )
        for number in range(3)
    ]


@contextmanager
def operator(
    folder: Path, studies: Sequence[ArchivedStudy], way: str = "get"
) -> Iterator[tuple[Operator, Dcmqrscp]]:
    port = free_port()
    with dcmqrscp(folder / "pacs", sends_to=port) as archive:
        archive.fill([file for study in studies for file in study.files])
        someone = Operator(folder, archive.port, way, port)
        someone.configure()
        yield someone, archive


def test_a_pull_that_is_killed_goes_on_where_it_was(
    tmp_path: Path, studies: list[ArchivedStudy]
) -> None:
    with operator(tmp_path, studies) as (someone, archive):
        with someone.start("pull", "--patient-id", "M") as child:
            wait_until(lambda: someone.held(*studies) > 0, 60, f"it fetches, see {archive.log}")
            child.kill()
        before = someone.held(*studies)
        [left] = someone.json("pull", "list")["rows"]
        assert left["state"] == "fetching"
        assert before < 75
        view = someone.json("pull", "--resume")
        assert (view["state"], view["studies"], view["present"]) == ("done", 3, 75)
        assert someone.held(*studies) == 75
        again = len(someone.events(Action.INSTANCE_DUPLICATE))
        assert again == 0, "what was here was fetched again"
        nothing = someone.run("pull", "--resume").exception
        assert isinstance(nothing, NotFoundError)


def test_a_dry_run_shows_and_fetches_nothing(tmp_path: Path, studies: list[ArchivedStudy]) -> None:
    with operator(tmp_path, studies) as (someone, _):
        found = someone.json("pull", "--date", "2026-11-01..2026-11-07", "--dry-run")
        assert {row["accession_number"] for row in found} == {"MARKED-0", "MARKED-1", "MARKED-2"}
        assert all(row["here"] == 0 for row in found)
        assert someone.held(*studies) == 0
        [searched] = someone.events(Action.ARCHIVE_SEARCHED)
        assert (searched.actor, searched.detail["dry_run"]) == (getpass.getuser(), True)
        done = someone.run("pull", "--accession", "MARKED-1")
        assert done.exit_code == 0
        assert "1 of 1 study(s) complete here, 25 instance(s)" in done.output
        [fetched] = someone.events(Action.STUDY_FETCHED)
        assert (fetched.actor, fetched.accession_number) == (getpass.getuser(), "MARKED-1")
        assert "MARKED-1" in someone.run("pull", "show", "1").output


@pytest.mark.faults
def test_ctrl_c_asks_the_archive_to_stop_and_names_nobody(
    tmp_path: Path, studies: list[ArchivedStudy]
) -> None:
    with operator(tmp_path, studies, "move") as (someone, archive):
        with someone.start("listen") as listener:
            wait_until(lambda: listens(someone.port), 60, "the node listens")
            with someone.start("pull", "--patient-id", "M") as child:
                wait_until(lambda: someone.held(*studies) > 0, 60, f"see {archive.log}")
                child.send_signal(signal.SIGINT)
                out, err = child.communicate(timeout=60)
            assert child.returncode == 1
            assert "continue with: echonode pull --resume 1" in out
            assert someone.json("pull", "--resume", "1")["state"] == "done"
            listener.terminate()
            log = "".join(listener.communicate(timeout=60))
        assert someone.held(*studies) == 75
    for mark in ("MARKED", "Doe", studies[0].uid):
        assert mark not in log + err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say what to pull"),
        (("--modality", "US"), "say what to pull"),
        (("--accession", "A*"), "no wildcards"),
        (("--date", "yesterday"), "2026-11-01..2026-11-07"),
        (("--date", "2026-11-07..2026-11-01"), "ends before it begins"),
        (("--accession", "A", "--archive", "other"), "known: pacs"),
        (("--resume", "x"), "not the number of a pull"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    someone = Operator(tmp_path, free_port())
    someone.configure()
    done = someone.run("pull", *words)
    assert done.exit_code == 2
    assert says in done.output
