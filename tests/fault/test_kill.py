"""SIGKILL at every step while carts send: what was acknowledged is there, and reported once."""

from dataclasses import asdict
from pathlib import Path

import pytest

import inference.bundle
from tests import postgresql
from tests.fault import figures
from tests.fault.campaign import Campaign, Toll
from tests.fault.carts import Exams
from tests.fault.failpoints import DELIVER, LISTEN, MIGRATE, WORK
from tests.fault.victims import Ground
from tests.storescp import storescp

BUNDLE = Path(inference.bundle.__file__).parent / "demonstration"
#: Steps that may not come in a run: an association is rarely closed while its listener is to die.
_RARE = {"receive.closing"}


def fought(folder: Path, kills: dict[str, int], seed: int, database_url: str = "") -> Toll:
    """A campaign on a fresh node in a folder."""
    (folder / "carts").mkdir()
    with storescp(folder / "pacs") as pacs:
        node = Ground(folder / "node", pacs.port, database_url)
        node.prepare(BUNDLE)
        return Campaign(node, Exams(folder / "carts"), pacs.folder, kills, seed).run()


def test_a_dozen_kills(tmp_path: Path) -> None:
    toll = fought(tmp_path, {"listen": 7, "work": 2, "deliver": 3}, seed=20261121)
    assert toll.findings.problems == []
    assert toll.kills == 12
    assert toll.findings.acknowledged > 0


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_five_hundred_kills(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    url = ""
    if kind == "postgresql":
        url = postgresql.create(request.getfixturevalue("postgresql_server"))
    toll = fought(tmp_path, {"listen": 250, "work": 100, "deliver": 150}, 20261121, url)
    figures.write(f"kill-{kind}", **asdict(toll))
    assert toll.findings.problems == []
    assert toll.kills >= 500
    assert {*LISTEN, *WORK, *DELIVER} - set(toll.at_steps) <= _RARE


@pytest.mark.parametrize("step", sorted(MIGRATE))
def test_a_migration_killed_anywhere_is_done_by_the_next_start(
    tmp_path: Path, empty_url: str, step: str
) -> None:
    node = Ground(tmp_path / "node", 1, "" if empty_url.startswith("sqlite") else empty_url)
    node.configure(BUNDLE)
    killed = node.run("db", "upgrade", at=f"{step}:{MIGRATE[step].passes}")
    assert killed.ended_within(30)
    assert killed.was_killed
    if not node.database_url:  # the embedded database is made by whoever comes first
        node.listening().stop()
    again = node.run("db", "upgrade")
    assert again.ended_within(30)
    assert again.process.exitcode == 0
    checked = node.run("db", "check")
    assert checked.ended_within(30)
    assert checked.process.exitcode == 0
