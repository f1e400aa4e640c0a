"""What an operator sees of the clock, and the word that ends a doubt."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicom_node.cli import cli
from dicom_node.study.wall_clock import WallClock
from storage.audit import trail
from storage.audit.trail import Action
from storage.database.transactions import Database
from storage.migrations.upgrading import upgrade


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "state").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'state' / 'node.db'}")
    upgrade(database)
    (tmp_path / "node.toml").write_text("")
    yield database
    database.close()


def echonode(tmp_path: Path, *words: str, status: int = 0) -> str:
    done = CliRunner().invoke(cli, [*words, "--config", str(tmp_path / "node.toml")])
    assert done.exit_code == status, done.output + repr(done.exception)
    return done.output


def clock_line(tmp_path: Path) -> str:
    done = CliRunner().invoke(cli, ["doctor", "--config", str(tmp_path / "node.toml")])
    [line] = [line for line in done.output.splitlines() if line[6:].startswith("clock ")]
    return line


def looked(database: Database, ahead: timedelta = timedelta(), ago_s: float = 0.0) -> None:
    """A process looked at the clock, which showed so much more, so long ago."""
    seen = datetime.now(UTC) + ahead - timedelta(seconds=ago_s)
    WallClock(database, lambda: seen, lambda: time.monotonic() - ago_s).look()


def test_before_any_process_ran_nothing_is_known(tmp_path: Path, node: Database) -> None:
    assert "this node has not run here" in echonode(tmp_path, "clock", "show")
    assert clock_line(tmp_path).startswith("good")


def test_a_steady_clock_is_good(tmp_path: Path, node: Database) -> None:
    looked(node)
    assert echonode(tmp_path, "clock", "show") == "steady\n"
    assert clock_line(tmp_path).startswith("good")


def test_a_clock_that_was_set_while_nothing_runs_is_told(tmp_path: Path, node: Database) -> None:
    looked(node, ahead=timedelta(days=-1), ago_s=60)
    line = clock_line(tmp_path)
    assert line.startswith("WARN")
    assert "changed by +86400 s since this node last ran" in line
    with node.read() as tx:
        assert trail.search(tx, action=Action.CLOCK_JUMPED) == []


def test_a_doubt_is_told_with_its_end_and_ended_by_a_word(tmp_path: Path, node: Database) -> None:
    looked(node, ahead=timedelta(days=-30), ago_s=60)
    looked(node)
    line = clock_line(tmp_path)
    assert line.startswith("WARN")
    tomorrow = (datetime.now(UTC) + timedelta(hours=24)).astimezone()
    assert f"deletion by age is paused until {tomorrow:%Y-%m-%d}" in line
    assert "`echonode clock confirm`" in line
    assert "confirmed" in echonode(tmp_path, "clock", "confirm", "--yes")
    assert clock_line(tmp_path).startswith("good")
    with node.read() as tx:
        assert len(trail.search(tx, action=Action.CLOCK_CONFIRMED)) == 1


def test_nobody_confirms_what_was_set_this_moment_or_was_never_seen(
    tmp_path: Path, node: Database
) -> None:
    done = CliRunner().invoke(
        cli, ["clock", "confirm", "--yes", "--config", str(tmp_path / "node.toml")]
    )
    assert "start the node first" in str(done.exception)
    looked(node, ahead=timedelta(days=-1), ago_s=60)
    done = CliRunner().invoke(
        cli, ["clock", "confirm", "--yes", "--config", str(tmp_path / "node.toml")]
    )
    assert "start the node, then confirm it" in str(done.exception)
