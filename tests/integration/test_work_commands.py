"""How an operator sees what work waits for, and puts it right: doctor, alarms, pipeline, spool."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicom_node.cli import cli
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.work import jobs, roster
from tests.contract.storing import PIPELINE, claim, complete, open_association, received, store


class Console:
    """The commands on a node with a study of four instances, whose files lie in its spool."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.settings = folder / "node.toml"
        self.settings.write_text("[storage]\nlow_water_bytes = 0\n")
        (folder / "state").mkdir()
        shutil.copy(template, folder / "state" / "node.db")
        self.database = Database(f"sqlite:///{folder / 'state' / 'node.db'}")
        self.spool = Spool(folder / "state" / "spool")
        open_association(self.database)
        for number in range(4):
            digest = self.spool.put(f"instance {number}".encode()).digest
            store(self.database, received(number, digest=digest))

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, [*words, "--config", str(self.settings)])

    def check(self, name: str) -> dict[str, object]:
        checks = json.loads(self.run("doctor", "--json").stdout)
        return next(check for check in checks if check["name"] == name)


@pytest.fixture
def console(tmp_path: Path, sqlite_template: Path) -> Console:
    return Console(tmp_path, sqlite_template)


def test_what_cannot_be_analysed_whole_is_an_alarm_with_its_remedy(console: Console) -> None:
    complete(console.database, 100)
    first, *_ = claim(console.database, 101)
    with console.database.write() as tx:
        at = datetime.now(UTC)
        jobs.fail(tx, first, at=at, code="SPOOL_DAMAGED", message="the stored file is missing")
    check = console.check("work")
    assert not check["good"]
    told = "studies 1 cannot be analysed whole by echo_haemodynamics: the stored file is missing"
    assert told in str(check["detail"])
    assert "echonode study rerun" in str(check["detail"])
    listed = console.run("study", "list", "--alarms").output
    assert "the report does not cover the whole study" in listed
    assert "the stored file is missing" in listed
    [alarm] = json.loads(console.run("study", "list", "--alarms", "--json").output)["rows"]
    assert alarm["study_id"] == 1
    assert alarm["about"].endswith("does not cover the whole study: the stored file is missing")
    assert console.run("study", "rerun", "1", "--reason", "it is back").exit_code == 0
    assert console.check("work")["good"]


def test_a_pipeline_that_nobody_runs_is_told_and_can_be_done_without(console: Console) -> None:
    now = datetime.now(UTC)
    with console.database.write() as tx:
        roster.run_here(tx, "gpu1:/state", [PIPELINE], now - timedelta(hours=1))
    check = console.check("workers")
    assert not check["good"]
    assert f"no worker runs {PIPELINE} (4 job(s) wait)" in str(check["detail"])
    assert "gpu1:/state" in console.run("pipeline", "list").output
    done = console.run("pipeline", "forget", PIPELINE)
    assert "4 waiting job(s) given up" in done.output
    assert console.check("workers")["good"]
    assert console.run("pipeline", "list").output == "No worker has run yet.\n"


def test_a_pipeline_that_a_worker_runs_is_not_forgotten(console: Console) -> None:
    with console.database.write() as tx:
        roster.run_here(tx, "gpu1:/state", [PIPELINE], datetime.now(UTC))
    refused = console.run("pipeline", "forget", PIPELINE)
    assert refused.exit_code == 1
    assert "remove it from its settings" in str(refused.exception)
    assert console.check("workers")["good"]


def test_a_spool_whose_volume_is_away_is_told_by_the_doctor(console: Console) -> None:
    assert console.check("spool")["good"]
    root = console.spool.root
    root.rename(root.with_name("volume"))
    root.mkdir()
    check = console.check("spool")
    assert not check["good"]
    assert "mount the spool's volume there" in str(check["detail"])
    assert list(root.iterdir()) == [], "the doctor makes nothing either"
    root.rmdir()
    root.with_name("volume").rename(root)
    assert console.check("spool")["good"]


def test_a_spool_that_lost_its_marker_is_adopted_and_keeps_its_identity(
    console: Console,
) -> None:
    assert console.check("spool")["good"]
    (console.spool.root / "spool.id").unlink()
    assert not console.check("spool")["good"]
    adopted = console.run("spool", "adopt")
    assert "with 4 of 4 file(s)" in adopted.output
    assert "restart the node's processes" not in adopted.output
    assert console.check("spool")["good"]
    assert Spool(console.spool.root).identity == console.spool.identity


def test_an_empty_mount_point_is_adopted_only_on_purpose(console: Console) -> None:
    assert console.check("spool")["good"]
    shutil.rmtree(console.spool.root)
    console.spool.root.mkdir()
    refused = console.run("spool", "adopt")
    assert refused.exit_code == 1
    assert "4 of the 4 files that the database names are not in" in str(refused.exception)
    assert list(console.spool.root.iterdir()) == []
    assert "with 0 of 4 file(s)" in console.run("spool", "adopt", "--incomplete").output
    assert console.check("spool")["good"]


def test_another_spool_is_taken_on_purpose_and_the_processes_are_to_be_started_again(
    console: Console, tmp_path: Path
) -> None:
    assert console.check("spool")["good"]
    moved = Spool(tmp_path / "moved")
    for digest in console.spool.digests():
        moved.put(console.spool.path(digest).read_bytes())
    console.settings.write_text(f'[storage]\nlow_water_bytes = 0\nspool_dir = "{moved.root}"\n')
    assert "another spool" in str(console.check("spool")["detail"])
    assert "restart the node's processes" in console.run("spool", "adopt").output
    assert console.check("spool")["good"]


def test_a_damaged_marker_is_no_marker(console: Console) -> None:
    assert console.check("spool")["good"]
    (console.spool.root / "spool.id").write_bytes(b"\xff\0" * 40)
    assert not console.check("spool")["good"]
    assert console.run("spool", "adopt").exit_code == 0
    assert console.check("spool")["good"]


def test_a_process_that_starts_while_the_volume_is_away_ends_with_the_reason(
    console: Console,
) -> None:
    assert console.check("spool")["good"]
    console.spool.root.rename(console.spool.root.with_name("volume"))
    command = [sys.executable, "-m", "dicom_node", "listen", "--config", str(console.settings)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 1
    assert "mount the spool's volume there" in ended.stderr
    assert not console.spool.root.exists()
